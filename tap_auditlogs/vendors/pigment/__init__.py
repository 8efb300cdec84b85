"""Pigment: the audit events of a workspace."""

from tap_auditlogs.core.vendor import Vendor
from tap_auditlogs.vendors.pigment.client import connect
from tap_auditlogs.vendors.pigment.settings import SETTINGS
from tap_auditlogs.vendors.pigment.streams import AuditEvents

VENDOR = Vendor(
    name="pigment",
    title="Pigment",
    package=__name__,
    settings=SETTINGS,
    streams=(AuditEvents,),
    connect=connect,
    audit_streams=("pigment_audit_events",),
)
