"""Xandr (Microsoft Monetize and Curate): the change log and its details."""

from tap_auditlogs.core.vendor import Vendor
from tap_auditlogs.vendors.xandr.client import connect
from tap_auditlogs.vendors.xandr.settings import SETTINGS, check_settings
from tap_auditlogs.vendors.xandr.streams import ChangeLog, ChangeLogDetail

VENDOR = Vendor(
    name="xandr",
    title="Xandr",
    package=__name__,
    settings=SETTINGS,
    streams=(ChangeLog, ChangeLogDetail),
    connect=connect,
    audit_streams=("xandr_change_log_detail",),
    check_settings=check_settings,
)
