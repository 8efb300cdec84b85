"""`python -m tap_auditlogs` runs the tap."""

from tap_auditlogs.tap import TapAuditLogs

TapAuditLogs.cli()
