"""Runs the tap in this process again and again, each time as if in a process of its own."""

from __future__ import annotations

import threading
import typing as t
from unittest import mock

from tap_auditlogs.core.http.throttle import Throttle
from tap_auditlogs.core.redaction import redact
from tests.support import tap_runs

if t.TYPE_CHECKING:
    from pyrate_limiter import Limiter

    from tests.support.tap_runs import Run, State

_WORKERS = ("openx_", "xandr_", "index-exchange-")


def sync(config: dict[str, t.Any], state: State | None = None) -> Run:
    """Run the tap; what the process would take with it at its end is gone afterwards."""
    limiters: list[Limiter] = []
    make = Throttle._shared_limiter  # noqa: SLF001 - there is no other way to get hold of the limiters

    def remembered(throttle: Throttle) -> Limiter:
        limiters.append(make(throttle))
        return limiters[-1]

    with (
        mock.patch.object(Throttle, "_shared_limiter", remembered),
        mock.patch.multiple(redact, _forms=set(), _pattern=None),
    ):
        try:
            return tap_runs.sync(config, state)
        finally:
            for limiter in limiters:
                limiter.close()  # ends its thread
            for thread in threading.enumerate():
                if thread.name.startswith(_WORKERS):
                    thread.join(10)
