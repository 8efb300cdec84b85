"""Cryptolens (now Devolens): the web API log, the events log and the object log."""

from tap_auditlogs.core.vendor import Vendor
from tap_auditlogs.vendors.cryptolens.client import connect
from tap_auditlogs.vendors.cryptolens.settings import SETTINGS
from tap_auditlogs.vendors.cryptolens.streams import Events, ObjectLog, WebApiLog

VENDOR = Vendor(
    name="cryptolens",
    title="Cryptolens",
    package=__name__,
    settings=SETTINGS,
    streams=(WebApiLog, Events, ObjectLog),
    connect=connect,
    audit_streams=("cryptolens_web_api_log", "cryptolens_object_log", "cryptolens_events"),
)
