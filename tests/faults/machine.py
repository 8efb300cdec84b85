"""What any sequence of new rows, faults, cuts and restarts must not do: lose a row, or repeat without bound.

The machine plays the vendor, the operator and the target. The target remembers, for every STATE it ever saw, what it
had been given before it; so a restart from any of them, however old, can be judged. How much is repeated can be said
of a run that goes on where the one before it was left.
"""

from __future__ import annotations

import typing as t
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from unittest import mock

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tests.faults import oracles
from tests.faults.proxy import RESET, FaultProxy, cut_short, cut_with_fitting_length, html, status
from tests.faults.runs import sync
from tests.faults.subjects import SUBJECTS, Keys, shrink, true_keys
from tests.support.states import has_begun_part
from tests.support.tap_runs import Clock

if t.TYPE_CHECKING:
    from random import Random

    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from auditlogs_sandbox.vendors.openx import OpenxSandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox
    from tests.faults.proxy import Action

LONG_AGO = timedelta(days=40)
"""So far behind is the sandbox's clock at first: a bookmark ahead of this machine's clock would be refused."""

FAULTS: dict[str, Action] = {
    "503": status(503),
    "401": status(401),
    "reset": RESET,
    "short": cut_short,
    "cut": cut_with_fitting_length,
    "html": html(),
}


@dataclass(frozen=True)
class Seen:
    """What a target has when it has stored a STATE.

    Attributes:
        state: The STATE; None for none.
        written: The keys of the records before it.
    """

    state: t.Any
    written: Keys


class Ledger:
    """The sandbox with one vendor, and all that a target has ever seen of it.

    Attributes:
        name: The vendor.
        seen: Every STATE with what was written before it, in the order in which they came.
        objections: What was repeated beyond the bounds.
        compared: How many runs went on where the one before was left, so that their repeats could be judged.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.clock = Clock(-LONG_AGO)
        self._stack = ExitStack()
        self.sandbox = self._stack.enter_context(Sandbox(seed=seed, vendors=[name], size=30, clock=self.clock))
        shrink(self.sandbox, [SUBJECTS[name]])
        self.proxy = self._stack.enter_context(FaultProxy(self.sandbox.url))
        self._stack.enter_context(mock.patch("backoff._sync.time", SimpleNamespace(sleep=lambda _seconds: None)))
        self.config = self.proxy.in_front(self.sandbox.config)
        self.seen = [Seen(None, {})]
        self.objections: list[str] = []
        self.runs = self.cuts = self.restarts = self.compared = 0
        self._left: tuple[list[oracles.Message], t.Any] | None = None

    def close(self) -> None:
        self._stack.close()

    # The vendor.

    def happen(self, chance: Random) -> None:
        """Let something happen that brings rows: early, late, tied, future, changed or gone."""
        vendor = self.sandbox.vendor(self.name)
        _HAPPENINGS[self.name](vendor, chance)
        if self.name in _MAY_BE_READ_AGAIN:
            self._left = None

    def wait(self, seconds: float) -> None:
        """Let time pass; no row of Cryptolens' becomes visible later than the settle time allows."""
        if self.name == "cryptolens" and seconds >= 60:
            self.sandbox.vendor(self.name, CryptolensSandbox).commit_rows()
        self.clock.shift = min(self.clock.shift + timedelta(seconds=seconds), timedelta())

    # The target.

    def take(self, stdout: bytes, start: Seen) -> Seen:
        """Let the target take the whole lines of an output, and give what it has at the end."""
        messages = oracles.read(stdout)
        self._check_repeats(messages, start)
        written = {stream: set(keys) for stream, keys in start.written.items()}
        last = start
        for message in messages:
            if message["type"] == "STATE":
                last = Seen(message["value"], {stream: set(keys) for stream, keys in written.items()})
                self.seen.append(last)
            for stream, keys in oracles.written_keys([message]).items():
                written.setdefault(stream, set()).update(keys)
        self._left = (messages, last.state)
        return Seen(last.state, written)

    def _check_repeats(self, messages: list[oracles.Message], start: Seen) -> None:
        """Object to what a run repeats beyond the bounds, if it has gone on where the one before it was left."""
        if self._left is not None and self._left[1] == start.state:
            self.compared += 1
            self.objections += oracles.repeats(self._left[0], messages, start.state)

    def wanted(self) -> Keys:
        """Give the keys that a complete run must have brought by now."""
        truth = self.sandbox.truth()
        settled = (self.sandbox.world.now() - timedelta(seconds=300)).timestamp()
        for stream, rows in truth.items():
            if stream.startswith("cryptolens_"):
                # A run passes no row younger than five minutes, nor what comes after it.
                times = [row["time"] if "time" in row else row["created"] for row in rows]
                young = next((place for place, time in enumerate(times) if time > settled), len(rows))
                truth[stream] = rows[:young]
            elif stream.startswith("pigment_"):
                # The first question goes by this machine's clock, which is ahead of the sandbox's by `LONG_AGO`.
                oldest = self.sandbox.world.now() - timedelta(days=130)
                truth[stream] = [row for row in rows if oracles.moment(row["ingestionTimestamp"]) >= oldest]
            elif stream.startswith("xandr_"):
                # A change dated ahead of the vendor's clock is left until that time has come.
                now = self.sandbox.world.now()
                truth[stream] = [row for row in rows if oracles.moment(row["created_on"]) <= now]
        return true_keys(truth)

    def run(self, start: Seen) -> tuple[int, bytes, str]:
        self.runs += 1
        done = sync(self.config, start.state)
        return done.exit_code, done.stdout, done.log

    def check_complete(self, start: Seen) -> list[str]:
        """Run to the end with no fault from some STATE; nothing is missing then.

        A sweep goes on where it was left, so what changed meanwhile in an object that it had passed comes with the
        next run.
        """
        self.proxy.clear_faults()
        exit_code, stdout, log = self.run(start)
        if exit_code != 0:
            return [f"exit code {exit_code}: {log[-400:]}"]
        end = self.take(stdout, start)
        if SUBJECTS[self.name].sweeps and start.state is not None and has_begun_part(start.state):
            exit_code, stdout, log = self.run(end)
            end = self.take(stdout, end)
        faults = oracles.singer_faults(stdout)
        return faults + oracles.missing(self.wanted(), end.written)


# What can happen at each vendor.


def _pigment(vendor: t.Any, chance: Random) -> None:
    pigment = t.cast("PigmentSandbox", vendor)
    now = pigment.world.now()
    match chance.randrange(7):
        case 0:
            pigment.add_event(now - timedelta(seconds=1))
        case 1:  # late, within the look-back
            pigment.add_event(now - timedelta(hours=chance.uniform(0, 22)))
        case 2:  # a tie larger than a page
            pigment.add_tie(now - timedelta(seconds=3), 11)
        case 3:
            pigment.add_event(now + timedelta(days=chance.choice([0.01, 30_000])))
        case 4:
            pigment.expire_cursors()
        case 5:
            pigment.order = chance.choice(["ascending", "descending"])
        case _:
            pigment.advance()


def _cryptolens(vendor: t.Any, chance: Random) -> None:
    cryptolens = t.cast("CryptolensSandbox", vendor)
    log = chance.choice([cryptolens.web_api_log, cryptolens.events, cryptolens.object_log])
    match chance.randrange(5):
        case 0:
            cryptolens.add_row(log)
        case 1:
            for _ in range(8):
                cryptolens.add_row(log, age=timedelta(seconds=1))
        case 2:
            cryptolens.begin_row(log)
        case 3:
            cryptolens.commit_rows()
        case _:
            cryptolens.add_row(log, age=timedelta(days=-20_000))


def _swept(vendor: t.Any, chance: Random) -> None:
    swept = t.cast("OpenxSandbox | XandrSandbox", vendor)
    kind = chance.choice([kind for kind in swept.catalogue.kinds if swept.catalogue.live(kind)])
    some = chance.choice(swept.catalogue.live(kind)).id
    match chance.randrange(5):
        case 0:
            swept.change(kind, some)
        case 1:  # several in one second
            for _ in range(3):
                swept.change(kind, some, age=timedelta(seconds=2))
        case 2:  # late, within the look-back of either vendor
            swept.change(kind, some, age=timedelta(minutes=chance.uniform(1, 50)))
        case 3:
            swept.add(kind)
        case _:
            swept.change(kind, some, age=timedelta(days=-chance.choice([0.01, 20_000])))


def _index_exchange(vendor: t.Any, chance: Random) -> None:
    files = t.cast("IndexExchangeSandbox", vendor)
    hour = chance.choice(files.hours)
    match chance.randrange(5):
        case 0:
            files.publish(HourKey(files.hours[-1] + timedelta(hours=1)), chance.randrange(6))
        case 1:  # an hour that comes late
            files.publish(HourKey(hour - timedelta(hours=1)), 3)
        case 2:
            files.republish(HourKey(hour), chance.randrange(1, 9))
        case 3:
            files.publish(HourKey(hour, "bids"), 6, parts=chance.choice([1, 2, 3]))
        case _:
            files.file(HourKey(hour)).damaged_downloads = 1


_HAPPENINGS = {
    "pigment": _pigment,
    "cryptolens": _cryptolens,
    "openx": _swept,
    "xandr": _swept,
    "index_exchange": _index_exchange,
}


_MAY_BE_READ_AGAIN = ("pigment", "index_exchange")
"""Where what happens may let much be read again, as it should: cursors expire, files are replaced."""


class TapMachine(RuleBasedStateMachine):
    """The tap against one vendor; a subclass names it."""

    vendor: t.ClassVar[str]

    @initialize(seed=st.integers(1, 50))
    def begin(self, seed: int) -> None:
        self.ledger = Ledger(self.vendor, seed)
        self.at = self.ledger.seen[0]

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()

    @rule(chance=st.randoms(use_true_random=False), times=st.integers(1, 3))
    def something_happens(self, chance: Random, times: int) -> None:
        for _ in range(times):
            self.ledger.happen(chance)

    @rule(seconds=st.sampled_from([1.0, 120.0, 600.0, 4000.0, 30_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.ledger.wait(seconds)

    @rule(fault=st.sampled_from(sorted(FAULTS)), skip=st.integers(0, 12), lasting=st.booleans())
    def something_breaks(self, fault: str, skip: int, lasting: bool) -> None:
        self.ledger.proxy.inject(FAULTS[fault], skip=skip, times=None if lasting else 2)

    @rule()
    def all_is_mended(self) -> None:
        self.ledger.proxy.clear_faults()

    @rule(share=st.floats(0, 1))
    def a_run_is_killed(self, share: float) -> None:
        """A kill leaves the target the first part of the output, at any byte."""
        self.ledger.cuts += 1
        _, stdout, _ = self.ledger.run(self.at)
        taken = stdout[: int(len(stdout) * share)]
        end = self.ledger.take(taken, self.at)
        note(f"killed after {len(taken)} of {len(stdout)} bytes")
        # What came after the last STATE stays with the target, too.
        self.at = end

    @rule()
    def a_run_goes_as_it_goes(self) -> None:
        exit_code, stdout, _ = self.ledger.run(self.at)
        assert exit_code in {0, 1}
        assert oracles.singer_faults(stdout) == []
        self.at = self.ledger.take(stdout, self.at)

    @precondition(lambda self: len(self.ledger.seen) > 1)
    @rule(chance=st.randoms(use_true_random=False))
    def an_old_state_comes_back(self, chance: Random) -> None:
        self.ledger.restarts += 1
        self.at = chance.choice(self.ledger.seen)

    @rule()
    def a_run_without_faults_has_all(self) -> None:
        faults = self.ledger.check_complete(self.at)
        assert not faults, faults
        self.at = self.ledger.seen[-1]

    @invariant()
    def little_is_repeated(self) -> None:
        assert self.ledger.objections == []
