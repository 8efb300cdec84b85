"""What the tests of the doctor share."""

from __future__ import annotations

import typing as t

from tap_auditlogs.doctor.command import ExaminedTap

if t.TYPE_CHECKING:
    from auditlogs_sandbox.server import Sandbox
    from tap_auditlogs.doctor.assumptions import Outcome
    from tap_auditlogs.doctor.examination import Examination


def examine(sandbox: Sandbox, vendor: str, **settings: t.Any) -> Examination:
    """Examine a vendor of the sandbox in this process; `vendor_<name>` is one of its settings."""
    own = {name.removeprefix("vendor_"): value for name, value in settings.items() if name.startswith("vendor_")}
    common = {name: value for name, value in settings.items() if not name.startswith("vendor_")}
    tap = ExaminedTap(config={**common, vendor: {**sandbox.config[vendor], **own}})
    (active,) = tap.active_vendors
    return tap.examine(active)


def outcomes(examination: Examination) -> dict[str, Outcome]:
    """The outcome for each assumption."""
    return {assumption.id: finding.outcome for assumption, finding in examination.findings}


def reason(examination: Examination, assumption_id: str) -> str:
    """Why the outcome is what it is."""
    return next(finding.reason for assumption, finding in examination.findings if assumption.id == assumption_id)


def statuses(examination: Examination) -> dict[str, str]:
    """The status of each check."""
    return {check.name: check.status.value for check in examination.checks}


def near(estimated: float, true: float) -> bool:
    """Whether an estimate is within a factor of two of the truth."""
    return true / 2 <= estimated <= true * 2
