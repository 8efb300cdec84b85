from __future__ import annotations

import typing as t

import pytest

from auditlogs_sandbox.server import Sandbox
from auditlogs_sandbox.vendors.pigment import PigmentSandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from auditlogs_sandbox.vendors.pigment_imports import ImportApi
    from tests.support.tap_runs import Clock


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(seed=3, vendors=["pigment"], size=60, clock=clock) as running:
        yield running


@pytest.fixture
def imports(sandbox: Sandbox) -> ImportApi:
    """The import API, whose imports are completed when they are first asked for."""
    api = sandbox.vendor("pigment", PigmentSandbox).imports
    api.polls_in_progress = 0
    return api


@pytest.fixture
def config(sandbox: Sandbox, imports: ImportApi) -> dict[str, t.Any]:
    """Settings that import the streams `a` and `b`."""
    first, second = imports.configurations
    return {
        "api_key": imports.api_key,
        "api_url": f"{sandbox.url}/pigment",
        "import_configurations": {"a": first, "b": second},
    }
