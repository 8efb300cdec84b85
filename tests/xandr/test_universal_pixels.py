from __future__ import annotations

import typing as t

from tests.support.tap_runs import sync
from tests.xandr.runs import LOG, asked, config, keys, true_keys

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox


def test_universal_pixels_are_listed_where_their_page_says(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"universal-pixel": 230}, changes=1)  # more than two pages
    run = sync(config(sandbox, services=["universal-pixel"]))
    assert run.exit_code == 0, run.log
    assert keys(run.records(LOG)) == true_keys(xandr)
    assert asked(sandbox, "universal-pixel") == []
    assert len(asked(sandbox, "universal-pixel/pixel")) >= 3


def test_a_universal_pixel_that_has_not_changed_is_not_asked_again(sandbox: Sandbox, xandr: XandrSandbox) -> None:
    xandr.fill({"universal-pixel": 5}, changes=1)
    first = sync(config(sandbox, services=["universal-pixel"]))
    changed = xandr.catalogue.live("universal-pixel")[3].id
    xandr.change("universal-pixel", changed)
    sandbox.requests.clear()
    second = sync(config(sandbox, services=["universal-pixel"]), first.state)
    assert {query["resource_id"] for query in asked(sandbox, "change-log")} == {str(changed)}
    assert keys(first.records(LOG)) | keys(second.records(LOG)) == true_keys(xandr)
