"""Faults on request: what a test can make the sandbox do instead of, or besides, answering well."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field, fields

from werkzeug.wrappers import Response

from auditlogs_sandbox.vendor import encode

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from werkzeug.wrappers import Request

Framing: t.TypeAlias = t.Literal["full_length", "cut_length", "chunked"]


@dataclass(frozen=True)
class Cut:
    """How a body breaks off.

    Attributes:
        keep: How many bytes of the body are sent.
        framing: What was announced: the length of the whole body, the length of what is sent (so that only
            the contents show the cut), or chunks that never end.
    """

    keep: int
    framing: Framing = "full_length"


@dataclass
class Fault:
    """A rule: which requests it meets, and what then happens.

    A rule with neither `status`, `body` nor `echo_credentials` lets the vendor answer.

    Attributes:
        vendor: Meets only requests to this vendor.
        path: Meets only paths, mount point included, that contain this.
        parameters: Meets only requests that carry these query or form values; names in any case.
        skip: How many requests it lets pass first.
        times: How often it then happens; None is for ever.
        status: The HTTP status to answer with.
        headers: The headers to answer with; with a fault that lets the vendor answer, they are added.
        body: The body to answer with.
        echo_credentials: Answers with a body that repeats the headers and parameters of the request.
        delay: Seconds to wait before the answer.
        drop: Closes the connection without an answer.
        cut: Breaks the body off.
        callback: Is called with the request before the vendor answers, for example to add rows.
        hits: How many requests it has met, those it let pass included.
    """

    vendor: str | None = None
    path: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    skip: int = 0
    times: int | None = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    echo_credentials: bool = False
    delay: float = 0.0
    drop: bool = False
    cut: Cut | None = None
    callback: Callable[[Request], None] | None = None
    hits: int = field(default=0, init=False)

    def meets(self, vendor: str, request: Request) -> bool:
        """Tell whether the rule is about a request.

        Args:
            vendor: The vendor that the request is for.
            request: The request.

        Returns:
            Whether it is.
        """
        if self.vendor not in {None, vendor} or self.path not in request.root_path + request.path:
            return False
        sent = {name.casefold(): value for name, value in request.values.items()}
        return all(sent.get(name.casefold()) == value for name, value in self.parameters.items())

    def answer(self, request: Request) -> Response | None:
        """Make the answer of the rule.

        Args:
            request: The request.

        Returns:
            The answer, or None when the vendor is to answer.
        """
        if self.echo_credentials:
            body = encode({"error": "rejected", "headers": dict(request.headers), "sent": request.values.to_dict()})
            return Response(body, self.status or 400, {"Content-Type": "application/json", **self.headers})
        if self.status is None and self.body is None:
            return None
        return Response(self.body or b"", self.status or 200, {"Content-Type": "application/json", **self.headers})


class FaultList:
    """The rules in force, in order."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force.

        Args:
            fault: The rule.

        Returns:
            The same rule, so that its hits can be counted.
        """
        with self._lock:
            self._faults.append(fault)
        return fault

    def replace(self, faults: Iterable[Fault]) -> None:
        """Put other rules in force instead of the present ones.

        Args:
            faults: The rules; none ends all faults.
        """
        with self._lock:
            self._faults = list(faults)

    def due(self, vendor: str, request: Request) -> list[Fault]:
        """Count a request, and find what is to happen at it.

        Args:
            vendor: The vendor that the request is for.
            request: The request.

        Returns:
            The rules that strike at this request, in order.
        """
        striking = []
        with self._lock:
            for fault in self._faults:
                if not fault.meets(vendor, request):
                    continue
                fault.hits += 1
                if fault.hits > fault.skip and (fault.times is None or fault.hits <= fault.skip + fault.times):
                    striking.append(fault)
        return striking


_FROM_JSON: t.Final = frozenset(item.name for item in fields(Fault)) - {"callback", "hits"}


def fault_from_json(rule: Mapping[str, t.Any]) -> Fault:
    """Read a rule as it comes over the control URL.

    Args:
        rule: The attributes of the rule; `body` is text, `cut` an object, and there is no `callback`.

    Returns:
        The rule.

    Raises:
        ValueError: A name is unknown.
    """
    if unknown := set(rule) - _FROM_JSON:
        message = f"a fault has no {', '.join(sorted(unknown))}"
        raise ValueError(message)
    values = dict(rule)
    if values.get("body") is not None:
        values["body"] = str(values["body"]).encode()
    if values.get("cut") is not None:
        values["cut"] = Cut(**values["cut"])
    return Fault(**values)
