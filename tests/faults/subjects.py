"""The five vendors in the fault tests: a small account each, its rows, and which requests return what."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tap_auditlogs.tap import TapAuditLogs

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendor import VendorSandbox
    from auditlogs_sandbox.vendors.cryptolens import CryptolensSandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from auditlogs_sandbox.vendors.openx import OpenxSandbox
    from auditlogs_sandbox.vendors.pigment import PigmentSandbox
    from auditlogs_sandbox.vendors.xandr import XandrSandbox

Row: t.TypeAlias = "dict[str, t.Any]"
Key: t.TypeAlias = "tuple[str, ...]"
Keys: t.TypeAlias = "dict[str, set[Key]]"

SIZE: t.Final = 40
PAGE_ROWS: t.Final = {"pigment": 8, "cryptolens": 6}
"""Rows per page in the small accounts."""

# A file may be replaced under the same key, so its md5 is compared as well.
_VERSION = {
    "index_exchange_files": "md5sum",
    "index_exchange_impressions": "file_md5",
    "index_exchange_bids": "file_md5",
    "index_exchange_hourly": "file_md5",
}
_VENDORS_SPELLING = {("pigment_audit_events", "event_id"): "eventId"}


@dataclass(frozen=True)
class Subject:
    """A vendor.

    Attributes:
        name: Its name.
        shrink: Makes its account small, but with several pages in every log.
        add: Adds rows that a run started now has to read.
        page: Part of the URLs that return rows.
        pages: The least number of such requests of a run over the small account.
        login: Part of the URL that returns a token, if there is one.
        expire: Expires every token.
        sweeps: Whether it is read by sweeps.
        error: The vendor's error body with status 200, where known.
    """

    name: str
    shrink: Callable[[VendorSandbox], None]
    add: Callable[[VendorSandbox], object]
    page: str
    pages: int
    login: str | None = None
    expire: Callable[[VendorSandbox], object] | None = None
    sweeps: bool = False
    error: Row = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def canonical(value: object) -> str:
    """Return a part of a key in the same form for vendor and tap."""
    return str(value).removesuffix(".000000Z").removesuffix("Z")


@cache
def key_names(stream: str) -> tuple[str, ...]:
    """Return the properties that identify a row and its version."""
    keys = tuple(TapAuditLogs(config={}, validate_config=False).streams[stream].primary_keys)
    return (*keys, _VERSION[stream]) if stream in _VERSION else keys


def record_key(stream: str, record: Row) -> Key:
    """Return the key of a record of the tap."""
    return tuple(canonical(record.get(name)) for name in key_names(stream))


def row_key(stream: str, row: Row) -> Key:
    """Return the key of a row of the vendor."""
    return tuple(canonical(row.get(_VENDORS_SPELLING.get((stream, name), name))) for name in key_names(stream))


def true_keys(truth: dict[str, list[Row]]) -> Keys:
    """Return the keys of the vendors' rows, by stream."""
    return {stream: {row_key(stream, row) for row in rows} for stream, rows in truth.items()}


def shrink(sandbox: Sandbox, subjects: Iterable[Subject]) -> None:
    """Make the accounts of a sandbox small."""
    for subject in subjects:
        subject.shrink(sandbox.vendor(subject.name))


# Pigment.


def _shrink_pigment(vendor: VendorSandbox) -> None:
    t.cast("PigmentSandbox", vendor).page_size = PAGE_ROWS["pigment"]


def _add_pigment(vendor: VendorSandbox) -> None:
    t.cast("PigmentSandbox", vendor).add_event(vendor.world.now() - timedelta(seconds=2))


# Cryptolens.


def _shrink_cryptolens(vendor: VendorSandbox) -> None:
    cryptolens = t.cast("CryptolensSandbox", vendor)
    for log in (cryptolens.web_api_log, cryptolens.events, cryptolens.object_log):
        log.most_rows = PAGE_ROWS["cryptolens"]
    for log in (cryptolens.events, cryptolens.object_log):
        for days in range(8, 0, -1):
            cryptolens.add_row(log, age=timedelta(days=days))


def _add_cryptolens(vendor: VendorSandbox) -> None:
    cryptolens = t.cast("CryptolensSandbox", vendor)
    for log in (cryptolens.web_api_log, cryptolens.events, cryptolens.object_log):
        cryptolens.add_row(log, age=timedelta(minutes=10))


# OpenX and Xandr.


def _shrink_openx(vendor: VendorSandbox) -> None:
    openx = t.cast("OpenxSandbox", vendor)
    openx.paging.most = 2
    openx.fill({"order": 4, "site": 3}, changes=3)


def _add_openx(vendor: VendorSandbox) -> None:
    openx = t.cast("OpenxSandbox", vendor)
    for kind in ("order", "site"):
        openx.change(kind, openx.catalogue.live(kind)[0].id)


def _shrink_xandr(vendor: VendorSandbox) -> None:
    xandr = t.cast("XandrSandbox", vendor)
    xandr.fill({"line-item": 4, "campaign": 3}, changes=3)
    xandr.login.limit = 100_000  # the tests restart more often than any scheduler


def _add_xandr(vendor: VendorSandbox) -> None:
    xandr = t.cast("XandrSandbox", vendor)
    for service in ("line-item", "campaign"):
        xandr.change(service, xandr.catalogue.live(service)[0].id)


# Index Exchange.


def _shrink_index_exchange(vendor: VendorSandbox) -> None:
    files = t.cast("IndexExchangeSandbox", vendor)
    hours = files.hours[-3:]
    files.clear()
    for hour in hours:
        files.publish(HourKey(hour), 6)
    files.publish(HourKey(hours[-1], "bids"), 8, parts=2)


def _add_index_exchange(vendor: VendorSandbox) -> None:
    files = t.cast("IndexExchangeSandbox", vendor)
    files.republish(HourKey(files.hours[0]), 5)
    files.publish(HourKey(files.hours[-1] + timedelta(hours=1)), 3)


PIGMENT = Subject("pigment", _shrink_pigment, _add_pigment, "/events", 5)
CRYPTOLENS = Subject(
    "cryptolens",
    _shrink_cryptolens,
    _add_cryptolens,
    "/ai/Get",
    9,
    error={"result": 1, "message": "Something went wrong"},
)
OPENX = Subject(
    "openx",
    _shrink_openx,
    _add_openx,
    "/audittrail",
    7,
    login="/oauth2/v1/token",
    expire=lambda vendor: t.cast("OpenxSandbox", vendor).account.expire_sessions(),
    sweeps=True,
)
XANDR = Subject(
    "xandr",
    _shrink_xandr,
    _add_xandr,
    "/change-log?",
    7,
    login="/auth",
    expire=lambda vendor: t.cast("XandrSandbox", vendor).login.expire_tokens(),
    sweeps=True,
    error={"response": {"error_id": "SYSTEM", "error": "made up", "error_code": "UNKNOWN"}},
)
INDEX_EXCHANGE = Subject(
    "index_exchange",
    _shrink_index_exchange,
    _add_index_exchange,
    "/cal/v1/downloads",
    2,
    login="/openid-connect/token",
    expire=lambda vendor: t.cast("IndexExchangeSandbox", vendor).identity.revoke_tokens(),
)

SUBJECTS: t.Final = {subject.name: subject for subject in (PIGMENT, CRYPTOLENS, OPENX, XANDR, INDEX_EXCHANGE)}
WITH_TOKENS: t.Final = [name for name, subject in SUBJECTS.items() if subject.login is not None]
