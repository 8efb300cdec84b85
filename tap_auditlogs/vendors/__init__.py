"""The registry: every vendor the tap knows, in the order of the documentation.

Streams run in the order of their names.
"""

from tap_auditlogs.core.vendor import Vendor
from tap_auditlogs.vendors import cryptolens, index_exchange, openx, pigment, xandr

VENDORS: tuple[Vendor, ...] = (
    pigment.VENDOR,
    cryptolens.VENDOR,
    openx.VENDOR,
    xandr.VENDOR,
    index_exchange.VENDOR,
)
