"""Fault injection: rules that replace or change the vendor's response."""

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
    """How a response body is cut off.

    Attributes:
        keep: How many bytes of the body are sent.
        framing: What was announced: the length of the whole body, the length of what is sent (so that only
            the contents show the cut), or chunks that never end.
    """

    keep: int
    framing: Framing = "full_length"


@dataclass
class Fault:
    """A rule: which requests it matches, and what happens to them.

    Without `status`, `body` and `echo_credentials` the vendor responds.

    Attributes:
        vendor: Matches only requests to this vendor.
        path: Matches only paths, mount point included, that contain this.
        parameters: Matches only requests with these query or form values; names are case-insensitive.
        skip: Number of requests to let pass first.
        times: Number of requests to apply it to; None means all.
        status: HTTP status of the response.
        headers: Response headers; added to the vendor's if the vendor responds.
        body: Response body.
        echo_credentials: Responds with the headers and parameters of the request.
        delay: Seconds to wait before the response.
        drop: Closes the connection without a response.
        cut: Cuts the body off.
        callback: Called with the request before the vendor responds, for example to add rows.
        hits: Number of requests matched so far, skipped ones included.
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
        """Whether the rule matches a request."""
        if self.vendor not in {None, vendor} or self.path not in request.root_path + request.path:
            return False
        sent = {name.casefold(): value for name, value in request.values.items()}
        return all(sent.get(name.casefold()) == value for name, value in self.parameters.items())

    def answer(self, request: Request) -> Response | None:
        """Return the rule's response, or None if the vendor is to respond."""
        if self.echo_credentials:
            body = encode({"error": "rejected", "headers": dict(request.headers), "sent": request.values.to_dict()})
            return Response(body, self.status or 400, {"Content-Type": "application/json", **self.headers})
        if self.status is None and self.body is None:
            return None
        return Response(self.body or b"", self.status or 200, {"Content-Type": "application/json", **self.headers})


class FaultList:
    """Faults in force, in order."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Add a rule and return it, so that its hits can be counted."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def replace(self, faults: Iterable[Fault]) -> None:
        """Replace all rules."""
        with self._lock:
            self._faults = list(faults)

    def due(self, vendor: str, request: Request) -> list[Fault]:
        """Count a request and return the rules that apply to it, in order."""
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
    """Read a rule from the control URL: `body` is text, `cut` an object; there is no `callback`.

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
