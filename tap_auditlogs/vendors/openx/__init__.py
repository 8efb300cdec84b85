"""OpenX: the history of every object of an instance."""

from tap_auditlogs.core.vendor import Vendor
from tap_auditlogs.vendors.openx.client import connect
from tap_auditlogs.vendors.openx.settings import SETTINGS, check_settings
from tap_auditlogs.vendors.openx.streams import AuditTrail

VENDOR = Vendor(
    name="openx",
    title="OpenX",
    package=__name__,
    settings=SETTINGS,
    streams=(AuditTrail,),
    connect=connect,
    audit_streams=("openx_audit_trail",),
    check_settings=check_settings,
)
