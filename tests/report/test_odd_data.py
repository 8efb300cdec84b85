"""Empty tables, single rows, missing columns, many and hostile names."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t
from datetime import timedelta

import duckdb
import pytest

from tap_auditlogs.report.anonymity import mask_key
from tap_auditlogs.report.catalog import known_keys, known_tables
from tap_auditlogs.report.colors import SUCCESS
from tests.report.reports import as_duckdb, by_first, column, make_figures, make_page
from tests.report.rows import END, all_tables, event_row, request_rows

if t.TYPE_CHECKING:
    from pathlib import Path

SCRIPT: t.Final = "<script>window.attacked = 1</script>"
BREAKING_OUT: t.Final = '"><img src=x onerror="window.attacked = 1"></svg></title>'
RIGHT_TO_LEFT: t.Final = "שרה כהן"
LONG: t.Final = "Name " * 40
CONTROL: t.Final = "a\x00b\x1b[31mc"
MARKUP: t.Final = f'{SUCCESS.light} id="x" "url(#y)"'
HOSTILE: t.Final = (SCRIPT, BREAKING_OUT, RIGHT_TO_LEFT, LONG, CONTROL, MARKUP)


@pytest.fixture
def empty(tmp_path: Path) -> str:
    path = tmp_path / "empty.duckdb"
    keys = known_keys()
    with duckdb.connect(path) as connection:
        for name, table in known_tables().items():
            columns = dict.fromkeys(keys[name], "TEXT")
            columns |= {it: str(kind) for it, kind in table.columns.items()}
            columns |= {table.time: "TIMESTAMPTZ"} if table.time else {}
            connection.execute(f"CREATE TABLE {name} ({', '.join(f'{it} {kind}' for it, kind in columns.items())})")
    return f"duckdb:///{path}"


def test_empty_tables_give_a_page(empty: str, tmp_path: Path) -> None:
    page = make_page(tmp_path, "--from", empty)
    assert "0 rows in 20 streams." in page
    assert "0 events" in page


def test_a_period_before_the_first_row_has_its_sentences_and_no_chart(tmp_path: Path) -> None:
    url = as_duckdb(tmp_path, all_tables(days=2))
    page = make_page(tmp_path, "--from", url, "--since", "2026-01-01", "--until", "2026-02-01")
    assert "0 events." in page
    assert "0 failed actions." in page
    assert "0 impressions." in page
    assert "<svg" not in page
    assert page.count("<table>") == 1  # of the streams


def test_a_row_far_in_the_future_does_not_move_the_usual_period(tmp_path: Path) -> None:
    tables = all_tables(days=40)
    tables["audit_events"] += [{**tables["audit_events"][-1], "event_uid": "?", "event_time": "2099-05-17T00:00:00Z"}]
    page = make_page(tmp_path, "--from", as_duckdb(tmp_path, tables))
    assert f"<title>Audit logs: {END - timedelta(days=30):%Y-%m-%d} to {END:%Y-%m-%d}</title>" in page
    assert "2099-05-17" in page  # in the table of streams


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["event_time", "vendor", "actor_id", "action", "source_ip", "outcome", None])
def test_nulls_beside_values(name: str | None, tmp_path: Path) -> None:
    tables = all_tables(days=40)
    for rows in tables.values():
        rows += [{key: None if name in {key, None} and key != "event_uid" else row[key] for key in row} for row in rows]
    page = make_page(tmp_path, "--from", as_duckdb(tmp_path, tables))
    assert "None" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)


def test_every_stream_is_known() -> None:
    assert known_tables().keys() == known_keys().keys()


@pytest.mark.parametrize("table", sorted(all_tables(days=1)))
def test_one_row_gives_its_figures(table: str, tmp_path: Path) -> None:
    rows = all_tables(days=40)[table][-1:]
    figures = make_figures(as_duckdb(tmp_path, {table: rows}))
    assert by_first(figures["streams"])[table]["Rows"] == 1
    for figure in figures.values():
        assert "nan" not in figure.sentence.lower()
        if figure.draw:
            figure.draw(320).to_dict()


def optional_columns() -> list[tuple[str, str]]:
    tables = all_tables(days=1)
    return [
        (name, it)
        for name, table in known_tables().items()
        for it in (*table.columns, *([table.time] if table.time else []))
        if it in tables.get(name, [{}])[0]
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("table", "name"), optional_columns())
def test_a_deselected_column_takes_no_other_figures_than_its_own(table: str, name: str, tmp_path: Path) -> None:
    tables = all_tables(days=2)
    tables[table] = [{key: value for key, value in row.items() if key != name} for row in tables[table]]
    figures = make_figures(as_duckdb(tmp_path, tables))
    assert by_first(figures["streams"])[table]["Rows"] == len(tables[table])


def test_only_what_is_loaded_is_shown(tmp_path: Path) -> None:
    page = make_page(
        tmp_path, "--from", as_duckdb(tmp_path, {"cryptolens_web_api_log": [*request_rows([True, False])]})
    )
    assert re.findall(r"<h2[^>]*>([^<]*)", page) == ["Cryptolens", "Streams"]
    assert "50.0 % of 2 requests failed." in page


def test_names_are_text_wherever_they_are_shown(tmp_path: Path) -> None:
    tables = all_tables(days=3, actors=HOSTILE)
    for row in tables["audit_events"]:
        row["action"], row["target_type"] = f"{row['action']}{SCRIPT}", BREAKING_OUT
    for row in tables["index_exchange_hourly"]:
        row["dsp_name"], row["buyer_name"], row["supply_source"] = SCRIPT, BREAKING_OUT, SCRIPT
    for row in tables["cryptolens_web_api_log"]:
        row["method"], row["key"] = SCRIPT, SCRIPT
    for row in tables["index_exchange_sites"]:
        row["site_name"] = BREAKING_OUT
    page = make_page(tmp_path, "--from", as_duckdb(tmp_path, tables), "--since", "2026-11-25")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;window.attacked = 1&lt;/script&gt;" in page
    assert RIGHT_TO_LEFT in page
    assert LONG.strip() in page  # in the table; the chart cuts it
    assert "a\ufffdb\ufffd[31mc" in page
    assert "\x00" not in page
    in_charts, in_tables = MARKUP, MARKUP.replace('"', "&#34;")
    assert set(re.findall("#[^<\u200b]* id=[^<\u200b]*", page)) == {in_charts, in_tables}


def test_the_policy_forbids_every_request_and_script(tmp_path: Path) -> None:
    page = make_page(tmp_path, "--from", as_duckdb(tmp_path, {"audit_events": [event_row(1, END)]}))
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert policy == f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'"
    assert page.index(policy) < page.index("<style>")


def test_thousands_of_actors(tmp_path: Path) -> None:
    rows = [
        event_row(
            number, END - timedelta(minutes=number), actor_id=f"u-{number % 5000}", actor_email=None, actor_name=None
        )
        for number in range(10_000)
    ]
    figures = make_figures(as_duckdb(tmp_path, {"audit_events": rows}))
    assert figures["events-actors"].sentence.startswith("5,000 actors;")
    assert len(figures["events-actors"].data.rows) == 15
    assert figures["events-actors"].data.note == "The first 15 of 5,000."


def test_a_year_of_hours_is_a_small_page(tmp_path: Path) -> None:
    tables = {"cryptolens_web_api_log": list(request_rows([number % 3 != 0 for number in range(365 * 24)]))}
    page = make_page(
        tmp_path, "--from", as_duckdb(tmp_path, tables), "--since", "2025-11-28", "--time-zone", "Asia/Kolkata"
    )
    assert len(page) < 500_000
    assert "API requests per week" in page
    assert "The first" not in page  # all weeks are in the table


def test_an_anonymous_page_names_nobody_and_its_numbers_stay(tmp_path: Path) -> None:
    tables = all_tables(days=40)
    tables["audit_events"] += [
        event_row(0, END - timedelta(days=40), vendor="pigment", actor_id="u-0", actor_name="Ada Lovelace")
    ]
    url = as_duckdb(tmp_path, tables)
    page = make_page(tmp_path, "--from", url, "--anonymous")
    for secret in ("Ada", "Lovelace", "Grace", "Turing", "u-0", "u-1", "192.0.2."):
        assert secret not in page
    early = make_figures(url, end=END - timedelta(days=10), length=timedelta(days=20), anonymous=True)
    late = make_figures(url, length=timedelta(days=7), anonymous=True)
    before, after = (by_first(figures["events-actors"]) for figures in (early, late))
    assert before.keys() < after.keys()
    assert {name: row["Vendor"] for name, row in before.items()}.items() <= {
        name: row["Vendor"] for name, row in after.items()
    }.items()
    assert set(column(late["first-seen-actors"], "Actor")) == after.keys() - before.keys()


def test_license_keys_are_masked_in_the_page(tmp_path: Path) -> None:
    tables = {"cryptolens_web_api_log": list(request_rows([False] * 20))}
    page = make_page(tmp_path, "--from", as_duckdb(tmp_path, tables))
    assert "AAAA0-•••••-•••••-•••••" in page
    for part in ("HGKLG", "BIRMT", "KWNEL"):
        assert part not in page


@pytest.mark.parametrize(
    ("key", "shown"), [("AXUDK-HGKLG-BIRMT-KWNEL", "AXUDK-•••••-•••••-•••••"), ("short-key", "•••••-•••"), ("", "")]
)
def test_a_masked_key(key: str, shown: str) -> None:
    assert mask_key(key) == shown
