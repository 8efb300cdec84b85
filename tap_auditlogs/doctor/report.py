"""The JSON report, made to be attached to a public issue: it holds nothing of the account."""

from __future__ import annotations

import platform
import typing as t
from importlib.metadata import version

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_auditlogs.doctor.checks import Check
    from tap_auditlogs.doctor.estimates import Load
    from tap_auditlogs.doctor.examination import Examination


def to_report(examinations: Sequence[Examination]) -> dict[str, t.Any]:
    """Return the report as JSON values: names of fields and headers, JSON types, counts and timings."""
    return {
        "versions": {
            "tap-auditlogs": version("tap-auditlogs"),
            "singer-sdk": version("singer-sdk"),
            "python": platform.python_version(),
        },
        "well": all(examination.is_well for examination in examinations),
        "vendors": {examination.title: _vendor(examination) for examination in examinations},
    }


def _vendor(examination: Examination) -> dict[str, t.Any]:
    return {
        "well": examination.is_well,
        "requests": examination.doctor.log.sent,
        "statuses": examination.doctor.log.statuses,
        "checks": [_check(check) for check in examination.checks],
        "assumptions": [
            {
                "id": assumption.id,
                "assumption": assumption.sentence,
                "outcome": finding.outcome.value,
                "reason": finding.reason,
            }
            for assumption, finding in examination.findings
        ],
        "estimate": _estimate(examination),
    }


def _check(check: Check) -> dict[str, t.Any]:
    return {"name": check.name, "status": check.status.value, "reason": check.reason, "facts": dict(check.facts)}


def _estimate(examination: Examination) -> dict[str, t.Any]:
    first, hourly = examination.first_run, examination.hourly_run
    return {
        "streams": {
            it.stream: {"first_run": vars(it.first_run), "hourly_run": vars(it.hourly_run), "how": it.how}
            for it in examination.estimates
        },
        "first_run": {**vars(first), "minutes": _minutes(examination, first)},
        "hourly_run": {**vars(hourly), "minutes": _minutes(examination, hourly)},
        "limit": examination.doctor.pace.describe(),
    }


def _minutes(examination: Examination, load: Load) -> float:
    return round(examination.minutes(load), 2)
