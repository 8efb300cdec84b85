"""`python -m tap_auditlogs` runs the tap."""

from tap_auditlogs import end_on_sigint

end_on_sigint()

from tap_auditlogs.tap import TapAuditLogs  # noqa: E402 - importing it takes a while

TapAuditLogs.cli()
