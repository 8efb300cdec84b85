from __future__ import annotations

import typing as t
import zlib
from pathlib import Path

import pytest

from auditlogs_sandbox.server import Sandbox
from tests.faults.proxy import FaultProxy, OtherHost
from tests.faults.subjects import SIZE, SUBJECTS, Subject, shrink

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from auditlogs_sandbox.vendor import VendorSandbox
    from tests.support.tap_runs import Clock

FOLDER: t.Final = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave each test of several vendors to one of them; the others are for the exhaustive run."""
    alike: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path.parent == FOLDER and (vendor := _vendor(item)):
            alike.setdefault(item.nodeid.replace(vendor, ""), []).append(item)
    for name, group in alike.items():
        turn = zlib.crc32(name.encode()) % len(group)
        for item in [*group[:turn], *group[turn + 1 :]]:
            item.add_marker(pytest.mark.exhaustive)


def _vendor(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("vendor") if callspec else None


@pytest.fixture
def vendor(request: pytest.FixtureRequest) -> str:
    """The vendor of a test, from its parameters or else from its `case` marker."""
    marker = request.node.get_closest_marker("case")
    assert marker is not None
    name: str = marker.args[1]
    return name


@pytest.fixture
def subject(vendor: str) -> Subject:
    return SUBJECTS[vendor]


@pytest.fixture
def sandbox(subject: Subject, clock: Clock) -> Iterator[Sandbox]:
    """The vendor with a small account."""
    with Sandbox(seed=5, vendors=[subject.name], size=SIZE, clock=clock) as running:
        shrink(running, [subject])
        yield running


@pytest.fixture(scope="module")
def all_vendors() -> Iterator[Sandbox]:
    """All five vendors with small accounts."""
    with Sandbox(seed=6, size=SIZE) as running:
        shrink(running, SUBJECTS.values())
        yield running


@pytest.fixture
def account(sandbox: Sandbox, subject: Subject) -> VendorSandbox:
    """The imitated vendor."""
    return sandbox.vendor(subject.name)


@pytest.fixture
def proxy(sandbox: Sandbox) -> Iterator[FaultProxy]:
    with FaultProxy(sandbox.url) as running:
        yield running


@pytest.fixture
def other_host() -> Iterator[OtherHost]:
    """A host that is not configured."""
    with OtherHost() as running:
        yield running


@pytest.fixture
def config(sandbox: Sandbox, proxy: FaultProxy) -> dict[str, t.Any]:
    """Settings with the URLs of the proxy; a test may change them."""
    return proxy.in_front(sandbox.config)
