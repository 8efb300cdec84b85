"""The tap: settings and streams, assembled from the registry."""

from tap_auditlogs.core.settings import config_jsonschema
from tap_auditlogs.core.tap import RegistryTap
from tap_auditlogs.vendors import VENDORS


class TapAuditLogs(RegistryTap):
    """Singer tap for the audit logs of Pigment, Cryptolens, OpenX, Xandr and Index Exchange."""

    name = "tap-auditlogs"
    vendors = VENDORS
    config_jsonschema = config_jsonschema(VENDORS)
