"""Files that are not quite what the vendor documents, read row by row and through the whole tap."""

from __future__ import annotations

import gzip
import logging
import typing as t
from datetime import timedelta
from decimal import Decimal

import pytest

from auditlogs_sandbox.vendors.index_exchange.files import HourKey
from tap_auditlogs.vendors.index_exchange.columns import COLUMNS
from tap_auditlogs.vendors.index_exchange.log_file import LogFile, MalformedRow, UnreadableFileError, read_pages
from tap_auditlogs.vendors.index_exchange.totals import Names, hourly_records, long_sums, total_rows
from tests.index_exchange.files import FIXED, packed
from tests.index_exchange.test_passes import catalog, downloads
from tests.support.tap_runs import sync

if t.TYPE_CHECKING:
    from datetime import datetime

    from auditlogs_sandbox.server import Sandbox
    from auditlogs_sandbox.vendors.index_exchange.api import IndexExchangeSandbox
    from tests.support.tap_runs import Run

Settings: t.TypeAlias = "dict[str, t.Any]"
FILES, IMPRESSIONS, HOURLY, MALFORMED = (
    f"index_exchange_{name}" for name in ("files", "impressions", "hourly", "malformed_rows")
)


class Skipping(t.NamedTuple):
    rows: list[tuple[str | None, int | None]]
    malformed: list[MalformedRow]
    log: str


def read(text: str, caplog: pytest.LogCaptureFixture, *, skip: bool = True) -> Skipping:
    """Read a file of `country,site_id`."""
    malformed: list[MalformedRow] = []
    file = LogFile(packed(text), skip_malformed=skip, on_malformed=malformed.append)
    records = [record for page in read_pages(file, COLUMNS, FIXED) for record in page]
    with caplog.at_level(logging.WARNING):
        file.log_findings(FIXED["file_id"], logging.getLogger("test"))
    assert [record["row_number"] for record in records] == list(range(1, len(records) + 1))
    return Skipping([(record["country"], record["site_id"]) for record in records], malformed, caplog.text)


@pytest.mark.parametrize(
    "again", ["country,site_id", '"country",site_id', " Country,SITE_ID ", "\ufeffcountry,site_id"]
)
def test_a_repeated_header_is_not_a_row(again: str, caplog: pytest.LogCaptureFixture) -> None:
    outcome = read(f"country,site_id\nDE,1\n{again}\nFR,2\n{again}\n", caplog)
    assert outcome.rows == [("DE", 1), ("FR", 2)]
    assert "File impressions/41/2026-11-20T05/0 has 2 repeated header lines" in outcome.log


def test_a_row_that_only_begins_like_the_header_is_a_row(caplog: pytest.LogCaptureFixture) -> None:
    assert read("country,site_id\ncountry,7\n", caplog).rows == [("country", 7)]


def test_known_columns_are_found_whatever_their_case_and_the_spaces_around_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert read(' Country ,"SITE_ID "\nDE,1\n', caplog).rows == [("DE", 1)]


def test_two_spellings_of_one_column_are_refused() -> None:
    with pytest.raises(UnreadableFileError, match="names a column twice: 'site_id'"):
        LogFile(packed("site_id,Site_ID\n1,2\n"))


@pytest.mark.parametrize(
    ("lines", "rows", "malformed"),
    [
        (['"D"E,1', "FR,2"], [("FR", 2)], {2: '"D"E,1'}),
        (["FR,2", '"D"E,1'], [("FR", 2)], {3: '"D"E,1'}),
        # A quote that never closes: the parser takes all that follows for one cell.
        (['"DE,1', "FR,2", "IT,3"], [("FR", 2), ("IT", 3)], {2: '"DE,1'}),
        # It closes in a later row, after which there is text.
        (['"DE,1', 'FR,"2"', "IT,3"], [("FR", 2), ("IT", 3)], {2: '"DE,1'}),
        # What is left of a cell with line breaks is not a row.
        (['DE,"1', '2"x', "FR,2"], [("FR", 2)], {2: 'DE,"1', 3: '2"x'}),
        (['DE,"1', "2", '3"x', "FR,2"], [("FR", 2)], {2: 'DE,"1', 3: "2", 4: '3"x'}),
        # Two, each on its own; a short row after them is kept as ever.
        (['"D"E,1', '"F"R,2', "IT"], [("IT", None)], {2: '"D"E,1', 3: '"F"R,2'}),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_malformed_rows_are_skipped_and_the_others_read(
    lines: list[str],
    rows: list[tuple[str, int]],
    malformed: dict[int, str],
    end: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome = read(end.join(["country,site_id", *lines, ""]), caplog)
    assert outcome.rows == rows
    assert dict(outcome.malformed) == malformed
    named = ", ".join(map(str, malformed))
    assert f"impressions/41/2026-11-20T05/0: {len(malformed)} malformed lines are skipped: {named}." in outcome.log


def test_many_malformed_lines_are_counted_and_the_first_named(caplog: pytest.LogCaptureFixture) -> None:
    outcome = read("country,site_id\n" + '"D"E,1\n' * 30, caplog)
    assert len(outcome.malformed) == 30
    assert "30 malformed lines are skipped: 2, 3, 4" in outcome.log
    assert "21 and 10 more." in outcome.log


def test_a_malformed_header_is_never_skipped() -> None:
    with pytest.raises(UnreadableFileError, match="not CSV near line 1"):
        LogFile(packed('"coun"try,site_id\nDE,1\n'), skip_malformed=True)


def test_without_the_setting_the_line_where_the_row_begins_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnreadableFileError, match="not CSV near line 3: unexpected end of data"):
        read('country,site_id\nDE,1\n"FR,2\nIT,3\n', caplog, skip=False)


# Sums


def sums_of(*amounts: str) -> tuple[Settings, list[str]]:
    text = "".join(f"{amount}\n" for amount in ("country,net_revenue", *(f"DE,{amount}" for amount in amounts)))
    file = LogFile(packed(text))
    groups = total_rows(file.rows(), file.header, ["country"])
    records = hourly_records(groups, ["country"], FIXED, Names({}, {}))
    (record,) = records
    return record, long_sums(records)


@pytest.mark.parametrize(
    ("amounts", "text"),
    [
        (["1e200"], "1E+200"),
        (["1e200", "0.5"], f"1{'0' * 200}.5"),
        (["1e999", "1e-999"], f"1{'0' * 999}.{'0' * 998}1"),
        (["1e-200"], "1E-200"),
    ],
)
def test_a_sum_that_no_target_has_a_number_for_is_text(amounts: list[str], text: str) -> None:
    record, too_long = sums_of(*amounts)
    assert record["net_revenue"] is None
    assert record["additional_properties"] == {"net_revenue": text}
    assert record["impressions"] == len(amounts)
    assert too_long == ["net_revenue"]


def test_a_long_sum_is_exact() -> None:
    record, too_long = sums_of("1e150", "0.000000001")
    assert record["net_revenue"] == Decimal(f"1{'0' * 150}.000000001")
    assert too_long == []


# Through the tap


@pytest.fixture
def hour(vendor: IndexExchangeSandbox) -> datetime:
    """The newest hour, the only one with a file."""
    newest = vendor.hours[-1]
    vendor.clear()
    vendor.publish(HourKey(newest), 10)
    return newest


def file_id(hour: datetime) -> str:
    return f"impressions/41/{hour:%Y-%m-%dT%H}/0"


def rows_of(run: Run, stream: str, hour: datetime) -> list[Settings]:
    return [record for record in run.records(stream) if record["file_id"] == file_id(hour)]


@pytest.mark.parametrize("shape", ["repeated_header", "loosely_named"])
def test_odd_headers_lose_and_add_no_row(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime, shape: str
) -> None:
    plain = sync(config)
    published = vendor.library.hours[HourKey(hour)].files[0]
    vendor.library.replace(HourKey(hour), 0, published.cells, shape)
    run = sync(config)
    assert run.exit_code == 0, run.log
    for stream in (IMPRESSIONS, HOURLY):
        assert [_without_version(row) for row in run.records(stream)] == [
            _without_version(row) for row in plain.records(stream)
        ]


def _without_version(record: Settings) -> Settings:
    return {name: value for name, value in record.items() if name not in {"file_md5", "file_date_created"}}


def test_a_file_without_a_summed_column_has_null_sums_and_is_named(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    vendor.publish(HourKey(hour), 6, shape="no_revenue")
    run = sync(config)
    assert run.exit_code == 0, run.log
    records = rows_of(run, HOURLY, hour)
    assert sum(record["impressions"] for record in records) == 6
    assert {record["net_revenue"] for record in records} == {record["gross_revenue"] for record in records} == {None}
    assert f"File {file_id(hour)} has no column net_revenue and gross_revenue: the sums are null." in run.log


def test_a_huge_amount_keeps_nothing_else_back(vendor: IndexExchangeSandbox, config: Settings, hour: datetime) -> None:
    earlier = hour - timedelta(hours=1)
    vendor.publish(HourKey(earlier), 6, shape="huge_amount")
    run = sync(config)
    assert run.exit_code == 0, run.log
    assert sum(record["impressions"] for record in rows_of(run, HOURLY, earlier)) == 6
    huge = [record for record in rows_of(run, HOURLY, earlier) if record["net_revenue"] is None]
    assert huge
    assert all("net_revenue" in record["additional_properties"] for record in huge)
    assert f"File {file_id(earlier)}: sums of net_revenue are too long for a number" in run.log
    assert len(rows_of(run, IMPRESSIONS, hour)) == 10


def test_a_malformed_row_fails_its_file_unless_it_is_skipped(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    vendor.publish(HourKey(hour), 9, shape="stray_quote")
    failed = sync(config)
    assert failed.exit_code == 1
    assert f"file {file_id(hour)}: it is not CSV near line" in failed.log
    assert not failed.records(MALFORMED)

    config["index_exchange"]["malformed_rows"] = "skip"
    run = sync(config, failed.state)
    assert run.exit_code == 0, run.log
    assert len(rows_of(run, IMPRESSIONS, hour)) == 8
    assert sum(record["impressions"] for record in rows_of(run, HOURLY, hour)) == 8
    (malformed,) = run.records(MALFORMED)
    lines = gzip.decompress(t.cast("bytes", vendor.file(HourKey(hour)).content.source)).decode().split("\n")
    assert malformed["file_id"] == file_id(hour)
    assert malformed["text"] == lines[malformed["line_number"] - 1]
    assert '"exam"ple.com' in malformed["text"]
    assert f"File {file_id(hour)}: 1 malformed lines are skipped: {malformed['line_number']}." in run.log


def test_malformed_rows_selected_later_are_found_in_files_read_before(
    vendor: IndexExchangeSandbox, config: Settings, hour: datetime
) -> None:
    config["index_exchange"]["malformed_rows"] = "skip"
    vendor.publish(HourKey(hour), 9, shape="stray_quote")
    first = sync(config, catalog=catalog(FILES, IMPRESSIONS, config=config))
    assert first.exit_code == 0, first.log
    second = sync(config, first.state)
    assert len(second.records(MALFORMED)) == 1
    assert not second.records(IMPRESSIONS)


@pytest.mark.usefixtures("hour")
def test_files_read_to_their_end_without_skipping_are_not_downloaded_again_for_malformed_rows(
    sandbox: Sandbox, config: Settings
) -> None:
    first = sync(config, catalog=catalog(FILES, IMPRESSIONS, config=config))
    before = downloads(sandbox)
    assert len(before) == 1
    config["index_exchange"]["malformed_rows"] = "skip"
    second = sync(config, first.state, catalog=catalog(FILES, IMPRESSIONS, MALFORMED, config=config))
    assert second.exit_code == 0, second.log
    assert downloads(sandbox) == before
