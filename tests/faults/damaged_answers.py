"""Damages one value of one answer and judges the run, by hand: `python -m tests.faults.damaged_answers --count 20000`.

Which endpoints there are, runs without damage tell: a first run, and one that goes on from its STATE.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import typing as t
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from random import Random
from types import SimpleNamespace
from unittest import mock

from auditlogs_sandbox.server import Sandbox
from tests.faults import oracles
from tests.faults.proxy import FaultProxy, Reply, passed_on
from tests.faults.runs import sync
from tests.faults.subjects import SUBJECTS, key_names, row_key, shrink, true_keys

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from tests.faults.subjects import Key, Keys
    from tests.support.raw_server import Received, Talk
    from tests.support.tap_runs import Run

    Place: t.TypeAlias = "tuple[str | int, ...]"

_RAW: t.Final = {
    "<fraction>": "0.1234567890123456789012345678901234567890",
    "<infinite>": "1e400",
    "<long>": "1" + "0" * 5_000,
}
"""Numbers that Python's `json` does not write, by what stands in for them."""

_SMALL: t.Final = 14
"""Rows of the vendors whose account is not filled by `shrink`."""
_PER_ROUND: t.Final = 60
"""Cases of a vendor before its sandbox is made anew."""

DROPPED: t.Final = object()
VALUES: t.Final[dict[str, Callable[[t.Any], t.Any]]] = {
    "dropped": lambda _value: DROPPED,
    "null": lambda _value: None,
    "text": lambda value: 7 if isinstance(value, str) else "a text",
    "boolean": lambda value: "true" if isinstance(value, bool) else True,
    "empty list": lambda value: {} if isinstance(value, list) else [],  # an empty page would be no damage
    "empty object": lambda _value: {},
    "nested": lambda _value: {"a": [{"b": [[1, None, {"c": "d"}]]}]},
    "huge number": lambda _value: 10**400,
    "number beyond floats": lambda _value: "<infinite>",
    "number beyond Python": lambda _value: "<long>",
    "long fraction": lambda _value: "<fraction>",
    "in a list": lambda value: [value],
    "in an object": lambda value: {"value": value},
}
"""What becomes of a value, by name."""

BODIES: t.Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut": lambda body: body[: len(body) // 2],
    "HTML": lambda _body: b"<html><title>Sign in</title></html>",
    "empty": lambda _body: b"",
}
"""What becomes of a whole body, by name."""


class Case(t.NamedTuple):
    """One damage.

    Attributes:
        vendor: Whose answer.
        resumes: Whether the run goes on from the STATE of an earlier one.
        endpoint: Which endpoint's.
        number: Which of its requests, from 0.
        stays: Whether later requests of the same target are damaged too.
        damage: A name in `VALUES` or `BODIES`.
        seed: Chooses the value.
    """

    vendor: str
    resumes: bool
    endpoint: str
    number: int
    stays: bool
    damage: str
    seed: int


@dataclass(frozen=True)
class Verdict:
    """How a case ended.

    Attributes:
        case: The case.
        place: Where the damaged value was, with `*` for every index; empty for the whole body.
        outcome: Complete, failed, or no damage at all.
        faults: What is wrong, empty if nothing is.
    """

    case: Case
    place: str
    outcome: str
    faults: list[str]

    def __str__(self) -> str:
        return f"{self.case}, {self.place or 'body'}: {'; '.join(self.faults)}"


def endpoint_of(request: Received) -> str:
    """Name the endpoint of a request: its path without numbers, and the names of its parameters."""
    path, _, query = request.target.partition("?")
    names = sorted({part.partition("=")[0] for part in query.split("&")} - {""})
    return f"{request.method} {re.sub('[0-9]+', '*', path)}" + (f"?{'&'.join(names)}" if names else "")


def places(value: t.Any, at: Place = ()) -> Iterator[Place]:
    """Give the place of every value of a JSON document, the document included."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inside:
        yield from places(item, (*at, name))


def shape(place: Place) -> str:
    """Write a place with the same text for every element of a list."""
    return "".join("[*]" if isinstance(name, int) else f".{name}" for name in place) or "."


def damaged(body: bytes, damage: str, seed: int) -> tuple[bytes, str]:
    """Damage a JSON body, at a value that the seed chooses; every shape of place is as likely as any other."""
    if damage in BODIES:
        return BODIES[damage](body), ""
    document = {"": json.loads(body)}
    chance = Random(seed)  # noqa: S311 - a seed to repeat a case by
    by_shape: dict[str, list[Place]] = {}
    for place in places(document[""]):
        # A row that is left out of a list is not damaged, it is not there.
        if damage != "dropped" or (place and isinstance(place[-1], str)):
            by_shape.setdefault(shape(place), []).append(place)
    if not by_shape:
        return body, "."
    chosen = chance.choice(sorted(by_shape))
    *way, last = ("", *chance.choice(by_shape[chosen]))
    holder: t.Any = document
    for name in way:
        holder = holder[name]
    holder[last] = VALUES[damage](holder[last])
    if holder[last] is DROPPED:
        del holder[last]
    text = json.dumps(document[""])
    for name, number in _RAW.items():
        text = text.replace(f'"{name}"', number)
    return text.encode(), chosen


class Damage:
    """Answers as the vendor does, but damages one answer.

    Attributes:
        place: Where a value was damaged, None if none was.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._targets: list[tuple[str, bytes]] = []
        self.place: str | None = None

    def __call__(self, talk: Talk, ask: Callable[[], Reply]) -> None:
        """Forward the request and damage its answer if it is the one."""
        case, target = self._case, (talk.request.target, talk.request.body)
        if endpoint_of(talk.request) != case.endpoint:
            return passed_on(talk, ask)
        is_new = target not in self._targets
        if is_new:
            self._targets.append(target)
        if self._targets.index(target) != case.number or not (is_new or case.stays):
            return passed_on(talk, ask)
        reply = ask()
        body, self.place = damaged(reply.body, case.damage, case.seed)
        return talk.send(Reply(reply.status, reply.headers, body).whole())


class Recorder:
    """Answers as the vendor does and notes how many requests each endpoint of JSON got."""

    def __init__(self) -> None:
        self.endpoints: Counter[str] = Counter()

    def __call__(self, talk: Talk, ask: Callable[[], Reply]) -> None:
        """Forward the request."""
        reply = ask()
        if reply.body[:1] in {b"{", b"["}:
            self.endpoints[endpoint_of(talk.request)] += 1
        talk.send(reply.whole())


class Room:
    """A vendor with a small account, a run that has read it, and rows that came in since; within a `with` block."""

    def __init__(self, vendor: str, seed: int) -> None:
        self._stack = ExitStack()
        self._vendor, self._seed = vendor, seed

    def __enter__(self) -> t.Self:
        subject = SUBJECTS[self._vendor]
        # Waits between tries are not waited.
        self._stack.enter_context(mock.patch("backoff._sync.time", SimpleNamespace(sleep=lambda _seconds: None)))
        self._sandbox = self._stack.enter_context(Sandbox(seed=self._seed, vendors=[self._vendor], size=_SMALL))
        shrink(self._sandbox, [subject])
        self._proxy = self._stack.enter_context(FaultProxy(self._sandbox.url))
        self._config = {**self._proxy.in_front(self._sandbox.config), "max_retry_wait_seconds": 5}
        first = sync(self._config)
        self._read, self._state = oracles.written_keys(first.messages), first.state
        subject.add(self._sandbox.vendor(self._vendor))
        self.endpoints = {resumes: self._endpoints(resumes) for resumes in (False, True)}
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _endpoints(self, resumes: bool) -> dict[str, int]:
        self._proxy.clear_faults()
        recorder = Recorder()
        self._proxy.inject(recorder)
        run = self._run(resumes)
        assert run.exit_code == 0, run.log
        return dict(sorted(recorder.endpoints.items()))

    def _run(self, resumes: bool) -> Run:
        return sync(self._config, self._state if resumes else None)

    def cases(self, seed: int) -> Iterator[Case]:
        """Give cases without end, all endpoints in turn."""
        chance = Random(f"{self._vendor}{seed}")  # noqa: S311 - a seed to repeat a case by
        while True:
            for resumes, endpoints in self.endpoints.items():
                for endpoint, requests in endpoints.items():
                    yield Case(
                        self._vendor,
                        resumes,
                        endpoint,
                        chance.randrange(requests),
                        chance.random() < 0.6,
                        chance.choice([*VALUES, *BODIES]),
                        chance.randrange(10**9),
                    )

    def judge(self, case: Case) -> Verdict:
        """Run a case."""
        self._proxy.clear_faults()
        damage = Damage(case)
        self._proxy.inject(damage)
        run = self._run(case.resumes)
        outcome = "not damaged" if damage.place is None else "complete" if run.exit_code == 0 else "failed"
        if (case.vendor, case.damage, damage.place) in _EMPTY_PAGES:
            return Verdict(case, damage.place or "", "empty page", [])
        return Verdict(case, damage.place or "", outcome, list(self._faults(case, run)))

    def _faults(self, case: Case, run: Run) -> Iterator[str]:
        written = oracles.written_keys(run.messages)
        read = self._read if case.resumes else {}
        truth = without_hidden(self._sandbox.truth(), written, read, run.log)
        yield from oracles.singer_faults(run.stdout)
        yield from unusable_keys(run)
        if (bug := _BUG.search(run.log)) is not None:
            yield f"the log tells of a bug: {run.log[bug.start() :][:160]!r}"
        if not case.resumes:  # later, a row may come in with a time before the bookmark; the look-back brings it
            yield from oracles.premature_states(truth, run.messages)
        wrong = oracles.wrong_exit(truth, run.exit_code, run.messages, run.log, read)
        if "`index_exchange_files`" in run.log:  # the stream of the files speaks for those of their rows
            wrong = [fault for fault in wrong if not fault.startswith("the summary does not name index_exchange_")]
        yield from wrong


def without_hidden(truth: oracles.Truth, written: Keys, read: Keys, log: str) -> oracles.Truth:
    """Leave out what the vendor itself hid: the damage made another valid key, and the log or a record shows it.

    A row whose key is damaged is written under the key that it now has. A listed object whose id has become 7 is asked
    for under that number, and the vendor's refusal is told.
    """
    hidden: set[Key] = set()
    for stream, known in true_keys(truth).items():
        strangers = written.get(stream, set()) - known
        lost = known - written.get(stream, set()) - read.get(stream, set())
        if len(strangers) == 1 == len(lost):
            hidden |= lost
        if "objects were refused and are skipped: 7." in log and len({key[:2] for key in lost}) == 1:
            hidden |= lost
    return {stream: [row for row in rows if row_key(stream, row) not in hidden] for stream, rows in truth.items()}


_EMPTY_PAGES: t.Final = {
    ("cryptolens", "null", ".logs"),  # sends null instead of an empty list
    ("cryptolens", "null", ".events"),
    ("openx", "empty list", "."),  # an early sample of the vendor's is a bare array
}
"""What is no damage but a page without rows: vendor, damage, place."""

_BUG: t.Final = re.compile(r"Traceback|unexpected \w+(?: at|,)")
"""How the log tells of a bug. "Please report this" alone asks for facts: how a longer list goes on, for example."""


def unusable_keys(run: Run) -> list[str]:
    """Check that no part of a record's key is null or anything else but text or a number."""
    return [
        f"{message['stream']}: the key {name} is {message['record'].get(name)!r:.60}"
        for message in run.messages
        if message["type"] == "RECORD"
        for name in key_names(message["stream"])
        if not isinstance(message["record"].get(name), str | int)
    ]


def main() -> int:
    """Judge as many cases as asked, and print the counts by outcome."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=500, help="how many cases over all vendors")
    options.add_argument("--seconds", type=float, default=float("inf"), help="or as many as fit in this time")
    options.add_argument("--seed", type=int, default=1, help="of the first round")
    options.add_argument("--vendors", nargs="+", default=list(SUBJECTS), choices=list(SUBJECTS))
    asked = options.parse_args()
    outcomes: Counter[tuple[str, str]] = Counter()
    began, seed, wrong = time.monotonic(), asked.seed, 0
    while outcomes.total() < asked.count and time.monotonic() - began < asked.seconds:
        for vendor in asked.vendors:
            with Room(vendor, seed) as room:
                for case in islice(room.cases(seed), min(_PER_ROUND, asked.count - outcomes.total())):
                    if time.monotonic() - began > asked.seconds:
                        break
                    verdict = room.judge(case)
                    outcomes[vendor, "wrong" if verdict.faults else verdict.outcome] += 1
                    if verdict.faults:
                        wrong += 1
                        print(f"wrong: {verdict}", flush=True)
        seed += 1
    for (vendor, outcome), count in sorted(outcomes.items()):
        print(f"{vendor:15} {outcome:12} {count:6}")
    print(f"{outcomes.total()} cases from seed {asked.seed} in {time.monotonic() - began:.0f} s, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
