from __future__ import annotations

import re
import typing as t

import pytest
import yaml

from scripts.tables import PAGES, ROOT, settings_table, streams_table, with_tables
from tap_auditlogs.core.settings import config_jsonschema
from tap_auditlogs.tap import TapAuditLogs
from tap_auditlogs.vendors import VENDORS

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_what_the_code_says(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == with_tables(text, PAGES[page]), "run: uv run python -m scripts.tables"


def test_the_settings_table_names_every_setting_and_meltano_yml_knows_each_of_them() -> None:
    schema = config_jsonschema(VENDORS)["properties"]
    expected = {name for name in schema if name not in {vendor.name for vendor in VENDORS}}
    expected |= {f"{vendor.name}.{name}" for vendor in VENDORS for name in schema[vendor.name]["properties"]}
    assert set(re.findall(r"^\| `([\w.]+)`", settings_table(), re.MULTILINE)) == expected
    meltano = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    declared = {setting["name"] for setting in meltano["plugins"]["extractors"][0]["settings"]}
    assert expected <= declared


def test_the_streams_table_names_every_stream_with_its_key() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", streams_table(), re.MULTILINE))
    streams = TapAuditLogs(validate_config=False).streams.values()
    assert rows == {stream.name: ", ".join(f"`{key}`" for key in stream.primary_keys) for stream in streams}
    assert rows["pigment_audit_events"] == "`event_id`"
    assert rows["cryptolens_web_api_log"] == "`id`"


def test_the_readme_shows_the_demo_with_every_stream() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    printed = re.search(r"```text\nstream .*\n((?:\w+ +[\d,]+ .*\n)+)", readme)
    assert printed
    shown = [line.split()[0] for line in printed[1].splitlines()]
    assert shown == [*sorted(TapAuditLogs(validate_config=False).streams), "audit_events"]


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no markers"):
        with_tables("# A page", ["streams"])
