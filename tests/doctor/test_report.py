"""The report holds nothing of the account: every value of the sandbox's data and configuration is looked for."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml

import tap_auditlogs
from auditlogs_sandbox.server import Sandbox
from tap_auditlogs.doctor.report import to_report
from tap_auditlogs.doctor.shapes import HIDDEN_NAME
from tap_auditlogs.vendors import VENDORS
from tests.doctor.runs import examine

if t.TYPE_CHECKING:
    from collections.abc import Iterator

WORD = re.compile(r"\w+")
SHORTEST = 3
READY = [vendor.name for vendor in VENDORS]


def texts(value: object) -> Iterator[str]:
    """Every text and number in a JSON value, but not the names of its fields."""
    match value:
        case dict():
            for item in value.values():
                yield from texts(item)
        case list():
            for item in value:
                yield from texts(item)
        case str() | int() if not isinstance(value, bool):
            yield str(value)


def own_words() -> str:
    """All that the code itself says, such as names of services; a value that stands there cannot be told from it."""
    folder = Path(tap_auditlogs.__file__).parent
    files = [*folder.glob("doctor/*.py"), *folder.glob("vendors/*/*.py")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


class Text:
    """A text in which values are looked for as whole words."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = set(WORD.findall(text))

    def tells(self, value: str) -> bool:
        return value in self._words if WORD.fullmatch(value) else value in self._text


@pytest.mark.parametrize("name", READY)
def test_the_report_holds_no_value_of_the_account(name: str) -> None:
    with Sandbox(seed=11, vendors=[name], size=400) as sandbox:
        examination = examine(sandbox, name, vendor_account="a-name-of-this-test", user_agent="agent-of-this-test/1")
        rows = [row for stream in sandbox.truth().values() for row in stream]
        configured = {*texts(sandbox.config), *sandbox.secrets(), "a-name-of-this-test", "agent-of-this-test/1"}
    assert examination.doctor.samples.keys() == examination.doctor.streams.keys()
    report = json.dumps(to_report([examination]), ensure_ascii=False)
    own, told = Text(own_words()), Text(report)
    fields = {field for stream in examination.doctor.streams.values() for field in stream.shaper.sources_by_lower_name}
    searched = {
        value
        for value in {*texts(rows), *configured}
        if len(value) >= SHORTEST and not (value.isdigit() and len(value) < 6) and value.lower() not in fields
    }
    candidates = {value for value in searched if not own.tells(value)}
    assert len(candidates) > 100
    assert len(searched - candidates) < 40
    assert [value for value in candidates if told.tells(value)] == []
    assert [value for value in configured & candidates if value in report] == []


@pytest.mark.parametrize(
    ("name", "setting"), [("openx", "object_types"), ("xandr", "services")], ids=["openx", "xandr"]
)
def test_names_in_the_settings_that_the_tap_does_not_know_are_on_the_terminal_only(name: str, setting: str) -> None:
    with Sandbox(vendors=[name], size=400) as sandbox:
        known = {"openx": "order", "xandr": "site"}[name]
        examination = examine(sandbox, name, **{f"vendor_{setting}": [known, "umbrella"]})
    (check,) = [check for check in examination.checks if check.facts.get("cannot_be_listed")]
    assert check.facts["cannot_be_listed"] == [HIDDEN_NAME]
    assert "umbrella" in check.detail
    assert "umbrella" not in json.dumps(to_report([examination]))


@pytest.mark.parametrize("name", READY)
def test_the_report_has_each_result(name: str) -> None:
    with Sandbox(vendors=[name], size=400) as sandbox:
        examination = examine(sandbox, name)
    report = json.loads(json.dumps(to_report([examination])))
    (vendor,) = report["vendors"].values()
    assert report["well"] is vendor["well"] is examination.is_well
    assert vendor["requests"] == examination.doctor.log.sent > 0
    assert {item["id"] for item in vendor["assumptions"]} == {it.id for it in examination.doctor.assumptions}
    assert all(item["reason"] for item in vendor["assumptions"])
    assert {check["name"] for check in vendor["checks"]} >= {"host", "clock", "credentials", "requests"}
    assert vendor["estimate"]["first_run"]["rows"] > 0
    assert set(report["versions"]) == {"tap-auditlogs", "singer-sdk", "python"}


def test_the_issue_template_asks_for_the_report() -> None:
    template = Path(__file__).parents[2] / ".github" / "ISSUE_TEMPLATE" / "bug_report.yml"
    fields = {field.get("id"): field for field in yaml.safe_load(template.read_text(encoding="utf-8"))["body"]}
    assert (
        "tap-auditlogs-doctor --config config.json --report doctor.json"
        in (fields["doctor"]["attributes"]["description"])
    )
    assert fields["doctor"]["validations"]["required"]
