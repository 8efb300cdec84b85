"""The figures are what counting the rows in Python gives."""

from __future__ import annotations

import typing as t
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.report.reports import as_duckdb, by_first, column, make_figures
from tests.report.rows import END, all_tables, event_row, file_rows, hourly_rows, load_tables, request_rows
from tests.support.marks import first_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from tap_auditlogs.report.subject import Figure
    from tests.report.rows import Row

# The clocks of Berlin are set back in the period, St. John's is half an hour off, Kolkata is so without summer time.
ZONES: t.Final = first_of(["Europe/Berlin", "UTC", "America/St_Johns", "Asia/Kolkata"])
AUTUMN: t.Final = datetime(2026, 11, 10, 5, tzinfo=UTC)


@pytest.fixture(scope="module", params=["duckdb", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("warehouse")
    if request.param == "duckdb":
        return as_duckdb(folder, TABLES)
    load_tables(f"sqlite:///{folder}/warehouse.sqlite", TABLES)
    return f"sqlite:///{folder}/warehouse.sqlite"


TABLES: t.Final = all_tables()


def moment_of(row: Row, name: str = "event_time") -> datetime:
    return datetime.fromisoformat(row[name])


def events_between(begin: datetime, end: datetime) -> list[Row]:
    return [row for row in TABLES["audit_events"] if begin <= moment_of(row) < end]


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_those_of_the_zone(url: str, zone: str) -> None:
    figure = make_figures(url, end=AUTUMN, zone=zone)["events-vendors"]
    expected: dict[str, Counter[str]] = {}
    for row in events_between(AUTUMN - timedelta(days=30), AUTUMN):
        day = moment_of(row).astimezone(ZoneInfo(zone)).date().isoformat()
        expected.setdefault(day, Counter())[row["vendor"]] += 1
    assert values_of(figure) == {day: dict(counts) for day, counts in expected.items()}


@pytest.mark.parametrize("zone", ZONES)
def test_hours_of_the_week_are_those_of_the_zone(url: str, zone: str) -> None:
    figures = make_figures(url, end=AUTUMN, zone=zone)
    expected: dict[str, Counter[str]] = {}
    off_hours = 0
    rows = [row for row in events_between(AUTUMN - timedelta(days=30), AUTUMN) if row["actor_id"]]
    for row in rows:
        local = moment_of(row).astimezone(ZoneInfo(zone))
        expected.setdefault(f"{local:%a}", Counter())[f"{local:%H}"] += 1
        off_hours += local.weekday() > 4 or not 8 <= local.hour < 18
    assert values_of(figures["events-hours"]) == {day: dict(counts) for day, counts in expected.items()}
    assert sum(column(figures["events-off-hours"], "Outside working hours")) == off_hours
    assert f"{100 * off_hours / len(rows):.1f} % of what actors did" in figures["events-off-hours"].sentence


def test_the_hour_that_a_clock_shows_twice_is_two_hours(url: str) -> None:
    end = datetime(2026, 10, 26, tzinfo=UTC)
    figure = make_figures(url, end=end, length=timedelta(days=2), zone="Europe/Berlin")["cryptolens-requests"]
    assert figure.title == "API requests per hour"
    parts = [row[0] for row in figure.data.rows]
    assert {"2026-10-25 02:00 CEST", "2026-10-25 02:00 CET"} <= set(parts)
    assert [list(row[1:]).count(1) for row in figure.data.rows] == [1] * len(parts)


def test_hours_begin_at_the_full_hour_of_a_zone_half_an_hour_off(url: str) -> None:
    figure = make_figures(url, length=timedelta(days=2), zone="Asia/Kolkata")["cryptolens-requests"]
    kolkata, since = ZoneInfo("Asia/Kolkata"), END - timedelta(days=2)
    moments = [moment_of(row, "occurred_at") for row in TABLES["cryptolens_web_api_log"]]
    expected = Counter(f"{it.astimezone(kolkata):%Y-%m-%d %H}:00" for it in moments if it >= since)
    assert {hour: sum(found.values()) for hour, found in values_of(figure).items()} == expected


def test_weeks_begin_on_monday(url: str) -> None:
    figure = make_figures(url, length=timedelta(days=200))["cryptolens-requests"]
    assert all(datetime.fromisoformat(str(row[0])).weekday() == 0 for row in figure.data.rows)
    assert sum(sum(found.values()) for found in values_of(figure).values()) == len(TABLES["cryptolens_web_api_log"])


def test_the_period_before_is_compared_where_it_is_loaded(url: str) -> None:
    figures = make_figures(url)
    now = len(events_between(END - timedelta(days=30), END))
    before = len(events_between(END - timedelta(days=60), END - timedelta(days=30)))
    change = f"{100 * abs(now - before) / before:.1f} % {'more' if now > before else 'less'}"
    assert figures["events-vendors"].sentence.startswith(f"{now:,} events, {change} than in the period before;")
    # The files of Index Exchange are 14 days old at most.
    assert "period before" not in figures["index-exchange-impressions"].sentence
    assert set(column(figures["index-exchange-site"], "Gross revenue before")) == {None}
    assert sum(column(figures["events-actions"], "Events before")) == before


@pytest.mark.parametrize("system", ["duckdb", "sqlite"])
def test_a_period_begins_inclusive_and_ends_exclusive(system: str, tmp_path: Path) -> None:
    month, second = timedelta(days=30), timedelta(seconds=1)
    moments = [END - 2 * month - second, END - 2 * month, END - month - second, END - month, END - second, END]
    tables = {"audit_events": [event_row(number, moment) for number, moment in enumerate(moments)]}
    if system == "duckdb":
        figures = make_figures(as_duckdb(tmp_path, tables))
    else:
        load_tables(f"sqlite:///{tmp_path}/warehouse.sqlite", tables)
        figures = make_figures(f"sqlite:///{tmp_path}/warehouse.sqlite")
    assert figures["events-vendors"].sentence.startswith("2 events, as many as in the period before;")
    assert sum(column(figures["events-vendors"], "pigment")) == 2
    assert column(figures["events-actions"], "Events") == column(figures["events-actions"], "Events before") == [2]
    assert column(figures["events-actors"], "Events") == column(figures["events-actors"], "Events before") == [2]
    assert column(figures["streams"], "Rows in the period") == [2]
    assert sum(sum(found.values()) for found in values_of(figures["events-hours"]).values()) == 2


def test_failures_by_action(url: str) -> None:
    figure = make_figures(url)["events-failures"]
    failed = Counter(
        row["action"] for row in events_between(END - timedelta(days=30), END) if row["outcome"] == "failure"
    )
    assert {name: sum(column(figure, name)) for name in figure.data.columns[1:]} == failed
    assert f"{failed['UserLoginFailed']} UserLoginFailed" in figure.sentence


def test_actors_of_the_last_week_are_first_seen_in_it(url: str) -> None:
    figure = make_figures(url, length=timedelta(days=7))["first-seen-actors"]
    assert set(column(figure, "Actor")) == {"Alan Turing"}
    assert set(column(figure, "Vendor")) == {"pigment", "xandr", "openx"}
    first = min(moment_of(row) for row in TABLES["audit_events"] if row["actor_name"] == "Alan Turing")
    assert min(column(figure, "First seen")) == f"{first:%Y-%m-%d %H:%M}"


def test_an_actor_known_by_id_has_the_name_from_events_about_that_user(tmp_path: Path) -> None:
    unnamed = {"actor_email": None, "actor_name": None}
    about = {"target_type": "user", "target_id": "u-1", "target_name": "Grace Hopper"}
    events = [
        event_row(1, END - timedelta(hours=3), **unnamed),
        event_row(2, END - timedelta(hours=2), **unnamed, **about, actor_id="u-2"),
        event_row(3, END - timedelta(hours=1), **unnamed, vendor="xandr"),
    ]
    figure = make_figures(as_duckdb(tmp_path, {"audit_events": events}))["events-actors"]
    assert {(row[0], row[1]) for row in figure.data.rows} == {
        ("Grace Hopper", "pigment"),
        ("u-2", "pigment"),
        ("u-1", "xandr"),
    }


def test_only_users_have_names_from_events_about_them(tmp_path: Path) -> None:
    about = {"actor_id": "u-2", "target_id": "u-1", "target_type": "Metric", "target_name": "Headcount"}
    events = [
        event_row(1, END - timedelta(hours=2), actor_name=None, actor_email=None),
        event_row(2, END - timedelta(hours=1), **about),
    ]
    figures = make_figures(as_duckdb(tmp_path, {"audit_events": events}))
    assert "u-1" in column(figures["events-actors"], "Actor")


def test_nobody_is_first_seen_where_nothing_before_the_period_is_loaded(tmp_path: Path) -> None:
    figures = make_figures(as_duckdb(tmp_path, {"audit_events": [event_row(1, END - timedelta(hours=1))]}))
    assert "events-actors" in figures
    assert not figures.keys() & {"first-seen-actors", "first-seen-addresses"}


def test_the_newest_of_many_actors_are_shown(tmp_path: Path) -> None:
    new = [
        event_row(number, END - timedelta(hours=number), actor_id=f"u-{number}", actor_email=f"{number}@example.com")
        for number in range(1, 21)
    ]
    old = event_row(0, END - timedelta(days=40), actor_id="u-0")
    figure = make_figures(as_duckdb(tmp_path, {"audit_events": [*new, old]}))["first-seen-actors"]
    assert column(figure, "Actor") == [f"{number}@example.com" for number in range(1, 16)]
    assert figure.data.note == "The first 15 of 20."


def test_most_active_actors_and_keys_and_sites_come_first(url: str) -> None:
    figures = make_figures(url)
    for name, value in (
        ("events-actors", "Events"),
        ("events-off-hours", "Outside working hours"),
        ("events-actions", "Events"),
        ("cryptolens-keys", "Failed"),
        ("index-exchange-site", "Gross revenue"),
    ):
        values = column(figures[name], value)
        assert values == sorted(values, reverse=True)
        assert len(set(values)) > 1


def test_methods_and_failing_keys(url: str) -> None:
    figures = make_figures(url)
    rows = [
        row for row in TABLES["cryptolens_web_api_log"] if moment_of(row, "occurred_at") >= END - timedelta(days=30)
    ]
    failed = Counter(row["method"] for row in rows if row["succeeded"] is False)
    methods = by_first(figures["cryptolens-methods"])
    assert {name: row["Failed"] for name, row in methods.items() if row["Failed"]} == failed
    assert {name: row["Requests"] for name, row in methods.items()} == Counter(row["method"] for row in rows)
    keys = Counter(row["key"][:5] for row in rows if row["succeeded"] is False)
    assert {str(row[0])[:5]: row[1] for row in figures["cryptolens-keys"].data.rows} == keys


def test_sums_of_index_exchange_by_name(url: str) -> None:
    figures = make_figures(url)
    rows = TABLES["index_exchange_hourly"]
    sites = by_first(figures["index-exchange-site"])
    for number in range(4):
        of_site = [row for row in rows if row["site_id"] == 200100 + number]
        shown = sites[f"site{number}.example"]
        assert shown["Impressions"] == sum(row["impressions"] for row in of_site)
        assert shown["Gross revenue"] == pytest.approx(sum(row["gross_revenue"] for row in of_site), abs=0.01)
    assert set(column(figures["index-exchange-partner"], "Partner")) == {"Publisher 0", "Publisher 1"}
    assert set(column(figures["index-exchange-dsp"], "DSP")) == {f"Example DSP {number}" for number in range(4)}
    sentence = figures["index-exchange-impressions"].sentence
    assert sentence == "1,835,280 impressions; most in the hour 2026-11-14 00:00, 6,520. 6 hours without rows."
    assert figures["index-exchange-groups"].data.rows[0][:2] == ["184000", "200100"]


def test_rows_of_replaced_files_do_not_count(tmp_path: Path) -> None:
    current = list(hourly_rows(24))
    surplus = [{**row, "group_key": "gone", "file_md5": "older"} for row in current]
    tables = {"index_exchange_hourly": [*current, *surplus], "index_exchange_files": list(file_rows(24))}
    figures = make_figures(as_duckdb(tmp_path, tables))
    total = sum(row["impressions"] for row in current)
    assert figures["index-exchange-impressions"].sentence.startswith(f"{total:,} impressions")
    assert sum(column(figures["index-exchange-dsp"], "Impressions")) == total


def test_rows_of_parts_that_an_hour_has_no_longer_do_not_count(tmp_path: Path) -> None:
    rows = list(hourly_rows(2))
    files = [{**row, "part": number, "parts": 1} for number, row in enumerate(file_rows(2))]
    figure = make_figures(as_duckdb(tmp_path, {"index_exchange_hourly": rows, "index_exchange_files": files}))
    shown = sum(column(figure["index-exchange-dsp"], "Impressions"))
    assert shown == sum(row["impressions"] for row in rows if row["file_md5"] == "md5-0")


def test_groups_are_in_the_order_of_the_script(tmp_path: Path) -> None:
    rows = [
        {**row, "partner_id": number % 2, "site_id": 1, "trading_desk_id": number, "impressions": 10 * number}
        for number, row in enumerate(hourly_rows(2))
    ]
    figure = make_figures(as_duckdb(tmp_path, {"index_exchange_hourly": rows}))["index-exchange-groups"]
    expected = sorted(rows, key=lambda row: (row["partner_id"], row["site_id"], -row["impressions"]))
    assert column(figure, "Impressions") == [row["impressions"] for row in expected]
    for name in ("gross_revenue", "net_revenue"):
        shown = column(figure, name.capitalize().replace("_", " "))
        assert shown == [round(row[name], 2) for row in expected]


def test_what_the_vendor_masked_is_named_so(tmp_path: Path) -> None:
    masked = {"site_id": -1, "gross_revenue": -1.0, "net_revenue": -1.0}
    rows = [{**row, **masked} if row["site_id"] == 200103 else row for row in hourly_rows(24)]
    rows += [{**row, "site_id": None} for row in hourly_rows(1)]
    figures = make_figures(as_duckdb(tmp_path, {"index_exchange_hourly": rows}))
    assert set(column(figures["index-exchange-site"], "Site")) == {
        *(f"site {200100 + number}" for number in range(3)),
        "masked site",
        "no site",
    }
    assert "masked as -1" not in figures["index-exchange-impressions"].sentence
    hours = [{**row, **masked} for row in hourly_rows(2)]
    figures = make_figures(as_duckdb(tmp_path / "all", {"index_exchange_hourly": hours}))
    assert "masked as -1" in figures["index-exchange-revenue"].sentence


def test_hours_of_index_exchange_are_days_in_a_long_period(url: str) -> None:
    month, longer = (make_figures(url, length=timedelta(days=days)) for days in (31, 32))
    assert month["index-exchange-impressions"].title == "Impressions per hour"
    assert longer["index-exchange-impressions"].title == "Impressions per day"
    assert longer["index-exchange-revenue"].sentence.startswith("3,854.09 USD gross revenue; most in the day")


def test_the_smallest_of_many_kinds_of_failures_are_one_series(tmp_path: Path) -> None:
    events = [
        event_row(10 * kind + number, END - timedelta(hours=1), action=f"kind {kind}", outcome="failure")
        for kind in range(1, 10)
        for number in range(kind)
    ]
    figure = make_figures(as_duckdb(tmp_path, {"audit_events": events}))["events-failures"]
    assert figure.data.columns == ("Day", *(f"kind {kind}" for kind in range(9, 3, -1)), "all others")
    assert sum(column(figure, "all others")) == 1 + 2 + 3
    assert figure.sentence == "45 failed actions: 9 kind 9, 8 kind 8, 7 kind 7."


def test_rows_of_files_that_are_not_loaded_count(tmp_path: Path) -> None:
    rows = list(hourly_rows(24))
    tables = {"index_exchange_hourly": rows, "index_exchange_files": list(file_rows(24))[:12]}
    figures = make_figures(as_duckdb(tmp_path, tables))
    assert sum(column(figures["index-exchange-dsp"], "Impressions")) == sum(row["impressions"] for row in rows)
    assert len(figures["index-exchange-groups"].data.rows) == 4
    assert "without rows" not in figures["index-exchange-impressions"].sentence


def test_there_is_no_share_of_masked_revenue(tmp_path: Path) -> None:
    rows = [
        {**row, "dsp_id": number % 12, "dsp_name": None, "gross_revenue": -1.0 if number % 12 == 0 else 2.0}
        for number, row in enumerate(hourly_rows(24))
    ]
    figure = make_figures(as_duckdb(tmp_path, {"index_exchange_hourly": rows}))["index-exchange-dsp"]
    assert figure.sentence == "12 DSPs; 16 USD comes from DSP 1."
    assert len(figure.data.rows) == 10  # the masked one is not among them


def test_a_vendor_has_one_colour_in_all_charts(url: str) -> None:
    figures = make_figures(url)
    colors: dict[str, set[str]] = {}
    for name in ("events-vendors", "events-actors", "events-actions"):
        draw = figures[name].draw
        assert draw
        scale = draw(640).to_dict()["encoding"]["color"]["scale"]
        for vendor, color in zip(scale["domain"], scale["range"], strict=True):
            colors.setdefault(vendor, set()).add(color)
    assert [len(found) for found in colors.values()] == [1] * 4
    assert len(set.union(*colors.values())) == 4


def test_equal_ids_of_two_accounts_keep_their_names(tmp_path: Path) -> None:
    tables: dict[str, list[Row]] = {
        "index_exchange_hourly": [{"account": it, **row} for it in ("one", "two") for row in hourly_rows(24)],
        "index_exchange_sites": [
            {"account": it, "site_id": 200100 + number, "site_name": f"{it}{number}"}
            for it in ("one", "two")
            for number in range(4)
        ],
    }
    figure = make_figures(as_duckdb(tmp_path, tables))["index-exchange-site"]
    assert sum(column(figure, "Impressions")) == 2 * sum(row["impressions"] for row in hourly_rows(24))


def test_the_longest_time_without_rows(tmp_path: Path) -> None:
    rows = list(request_rows([True] * 100))
    del rows[40:52]
    figure = make_figures(as_duckdb(tmp_path, {"cryptolens_web_api_log": rows}))["streams"]
    row = by_first(figure)["cryptolens_web_api_log"]
    assert row["Rows"] == 88
    assert row["Longest time without rows"] == "12 hours"
    assert row["From"] == f"{END - timedelta(hours=60):%Y-%m-%d %H:%M}"


def test_a_stream_that_has_ended_has_a_gap_until_the_end(tmp_path: Path) -> None:
    tables = {
        "cryptolens_web_api_log": list(request_rows([True] * 10, end=END - timedelta(hours=30))),
        "audit_events": [event_row(1, END - timedelta(minutes=5))],
    }
    figure = make_figures(as_duckdb(tmp_path, tables))["streams"]
    assert by_first(figure)["cryptolens_web_api_log"]["Longest time without rows"] == "30 hours"


def values_of(figure: Figure) -> dict[t.Any, dict[str, t.Any]]:
    """The values of a figure over time, without zeros."""
    return {
        row[0]: found
        for row in figure.data.rows
        if (found := {name: it for name, it in zip(figure.data.columns[1:], row[1:], strict=True) if it})
    }
