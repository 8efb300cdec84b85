"""The tables on the terminal."""

from __future__ import annotations

import typing as t

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tap_auditlogs.core.redaction import redact
from tap_auditlogs.doctor.assumptions import Outcome
from tap_auditlogs.doctor.checks import Status, counted

if t.TYPE_CHECKING:
    from tap_auditlogs.doctor.assumptions import Assumption, Finding
    from tap_auditlogs.doctor.checks import Check
    from tap_auditlogs.doctor.estimates import Load
    from tap_auditlogs.doctor.examination import Examination

_STYLES: t.Final = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.FAILED: "bold red",
    Status.NOT_CHECKED: "dim",
    Outcome.CONFIRMED: "green",
    Outcome.CONTRADICTED: "bold red",
    Outcome.NOT_OBSERVABLE: "dim",
}
_WIDTH_OF_FILES: t.Final = 140


def console() -> Console:
    """Return a console on standard output: coloured on a terminal, plain in a file or pipe."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=_WIDTH_OF_FILES)


def show(output: Console, examination: Examination) -> None:
    """Print the tables of one vendor."""
    output.print(_checks(examination))
    output.print(_assumptions(examination))
    if examination.estimates:
        output.print(_estimates(examination))
    output.print()


def show_conclusion(output: Console, examinations: t.Sequence[Examination]) -> None:
    """Print whether all is well."""
    unwell = [examination.title for examination in examinations if not examination.is_well]
    if unwell:
        output.print(Text(f"Not well: {', '.join(unwell)}. The reasons and the next steps are above.", "bold red"))
    else:
        output.print(
            Text("All is well: every configured stream may be read, and nothing is contradicted.", "bold green")
        )


def _checks(examination: Examination) -> Table:
    table = _table(f"{examination.title}: checks", "Check", "Result", "Reason and next step")
    for check in examination.checks:
        table.add_row(_text(check.name), _marked(check.status), _text(_explained(check)))
    return table


def _explained(check: Check) -> str:
    parts = [check.reason]
    if check.status is not Status.OK:
        parts += [check.detail, check.next_step and f"Next: {check.next_step}."]
    return "\n".join(part for part in parts if part)


def _assumptions(examination: Examination) -> Table:
    table = _table(f"{examination.title}: assumptions", "Id", "Result", "Assumption, reason, what the tap does")
    for assumption, finding in examination.findings:
        table.add_row(assumption.id, _marked(finding.outcome), _text(_told(assumption, finding)))
    return table


def _told(assumption: Assumption[t.Any], finding: Finding) -> str:
    lines = [assumption.sentence, f"{finding.reason[:1].upper()}{finding.reason[1:]}."]
    if finding.outcome is not Outcome.CONFIRMED:
        lines.append(f"What the tap does: {assumption.consequence(finding.outcome)}.")
    if finding.outcome is Outcome.CONTRADICTED:
        lines.append("Next: attach the report to an issue.")
    return "\n".join(lines)


def _estimates(examination: Examination) -> Table:
    table = _table(f"{examination.title}: estimate", "Stream", "First run", "Hourly run", "How")
    for estimate in examination.estimates:
        table.add_row(
            _text(estimate.stream), _load(estimate.first_run), _load(estimate.hourly_run), _text(estimate.how)
        )
    first, hourly = examination.first_run, examination.hourly_run
    table.add_section()
    table.add_row(
        "all",
        f"{_load(first)}\n{_minutes(examination.minutes(first))}",
        f"{_load(hourly)}\n{_minutes(examination.minutes(hourly))}",
        _text(examination.doctor.pace.describe()),
    )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, expand=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"Id", "Result"})
    return table


def _marked(outcome: Status | Outcome) -> Text:
    return Text(outcome.value, _STYLES[outcome])


def _text(text: str) -> Text:
    return Text(redact(text))


def _load(load: Load) -> str:
    return f"{counted(load.rows, 'row')}\n{counted(load.requests, 'request')}"


def _minutes(minutes: float) -> str:
    return "under a minute" if minutes < 1 else f"about {minutes:,.0f} minutes"
