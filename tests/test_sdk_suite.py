"""The SDK's own tests of a tap, against the sandbox."""

from __future__ import annotations

import typing as t

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.tap import TapAuditLogs

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# Some columns are null in every row of the sandbox; the SDK's tests of attributes say so of them.
pytestmark = pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning")

# The SDK wants to know the streams before any fixture runs; where the sandbox is comes in later.
CONFIG: dict[str, t.Any] = {
    "pigment": {"api_key": "until the sandbox runs"},
    "cryptolens": {"access_token": "until the sandbox runs"},
}


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> Iterator[None]:
    with Sandbox(seed=2, vendors=list(CONFIG), size=2000) as running:
        CONFIG.update(running.config)
        yield


TestPigmentAndCryptolens = get_tap_test_class(
    TapAuditLogs,
    config=CONFIG,
    suite_config=SuiteConfig(max_records_limit=2000),
    parse_env_config=False,
)
