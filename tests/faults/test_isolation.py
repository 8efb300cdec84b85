"""One vendor failing leaves the others complete."""

from __future__ import annotations

import typing as t

import pytest

from tests.faults import oracles
from tests.faults.marks import case, every_vendor
from tests.faults.proxy import FaultProxy, status
from tests.faults.runs import sync

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from tests.faults.proxy import Action

TROUBLES = {
    "outage": status(503),
    "bad credentials": status(401),
    "bad data": status(200, body='{"unexpected": []}'),
}


@case("A5")
@pytest.mark.parametrize("trouble", TROUBLES)
@every_vendor
def test_a5_the_others_complete(all_vendors: Sandbox, vendor: str, trouble: str) -> None:
    act: Action = TROUBLES[trouble]
    with FaultProxy(all_vendors.url) as proxy:
        proxy.inject(act, f"/{vendor}/")
        run = sync(proxy.in_front(all_vendors.config))
    truth = all_vendors.truth()
    own = {stream: rows for stream, rows in truth.items() if stream.startswith(vendor)}
    others = {stream: rows for stream, rows in truth.items() if stream not in own}
    assert run.exit_code == 1
    assert oracles.singer_faults(run.stdout) == []
    assert oracles.gaps(others, run.messages) == []
    assert oracles.wrong_exit(truth, run.exit_code, run.messages, run.log) == []
    assert oracles.premature_states(truth, run.messages) == []
    summary = run.log.splitlines()[-1]
    assert all(stream not in summary for stream in others)
    assert f"`{vendor}" in summary
    again = sync(all_vendors.config, run.state)
    assert again.exit_code == 0, again.log
    assert oracles.gaps(truth, run.messages, again.messages) == []
