"""Index Exchange in the report: impressions and revenue by hour and by the mapped names."""

from __future__ import annotations

import typing as t

from tap_auditlogs.report.subject import Subject
from tap_auditlogs.vendors.index_exchange.report.by_name import by_name, in_order_of_the_script
from tap_auditlogs.vendors.index_exchange.report.over_time import measures_over_time
from tap_auditlogs.vendors.index_exchange.report.tables import HOURLY, TABLES

__all__ = ["SUBJECTS", "TABLES"]

SUBJECTS: t.Final = (
    Subject("Index Exchange", needs=(HOURLY,), figures=(measures_over_time, by_name, in_order_of_the_script)),
)
