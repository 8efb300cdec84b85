from __future__ import annotations

import csv
import io
import typing as t
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.vendors.pigment.target.columns import DENSITY
from tap_auditlogs.vendors.pigment.target.csv_file import CsvFile
from tap_auditlogs.vendors.pigment.target.spool import RowSpool

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Record: t.TypeAlias = dict[str, t.Any]


def write(folder: Path, records: Iterable[Record], *, max_chunk_bytes: int = 10**9) -> CsvFile:
    with closing(RowSpool("events", ["id"])) as spool:
        for record in records:
            spool.add(record)
        csv_file = CsvFile(folder / "events.csv", max_chunk_bytes=max_chunk_bytes)
        csv_file.write(spool, spool.columns.in_order(DENSITY, {}))
    return csv_file


def chunks_of(csv_file: CsvFile) -> list[bytes]:
    bodies = []
    for chunk in csv_file.chunks(lambda _position: None):
        body = b"".join(chunk)
        assert len(body) == len(chunk)
        bodies.append(body)
    return bodies


def rows_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def test_the_file_is_utf8_with_crlf_and_quotes_only_where_needed(tmp_path: Path) -> None:
    csv_file = write(tmp_path, [{"id": 1, "text": "Zoë"}, {"id": 2, "text": 'a "b",\nc'}, {"id": 3, "text": None}])
    assert csv_file.path.read_bytes() == 'id,text\r\n1,Zoë\r\n2,"a ""b"",\nc"\r\n3,\r\n'.encode()
    assert csv_file.size == csv_file.path.stat().st_size


def test_each_chunk_has_the_header_and_as_many_rows_as_the_limit_allows(tmp_path: Path) -> None:
    csv_file = write(tmp_path, [{"id": number} for number in range(10, 15)], max_chunk_bytes=4 + 2 * 4)
    assert chunks_of(csv_file) == [b"id\r\n10\r\n11\r\n", b"id\r\n12\r\n13\r\n", b"id\r\n14\r\n"]


def test_the_limit_counts_bytes_and_not_characters(tmp_path: Path) -> None:
    rows = [{"id": "ö" * 4}, {"id": "ö" * 4}]  # each row is 10 bytes of 6 characters
    assert len(chunks_of(write(tmp_path, rows, max_chunk_bytes=4 + 2 * 10))) == 1
    assert len(chunks_of(write(tmp_path, rows, max_chunk_bytes=4 + 2 * 10 - 1))) == 2


def test_a_row_larger_than_a_chunk_is_an_error_that_names_it(tmp_path: Path) -> None:
    rows = [{"id": 7, "text": "a"}, {"id": 8, "text": "b" * 100}]
    with pytest.raises(TapError, match=r"Stream `events`: row 2 \(id=8\) needs 113 bytes .* \(60 bytes\)"):
        write(tmp_path, rows, max_chunk_bytes=60)


def test_a_chunk_can_be_sent_again_and_tells_how_far_the_file_is_sent(tmp_path: Path) -> None:
    csv_file = write(tmp_path, [{"id": number} for number in range(10, 15)], max_chunk_bytes=4 + 2 * 4)
    positions: list[int] = []
    (_, second, third) = csv_file.chunks(positions.append)
    assert b"".join(second) == b"".join(second)
    assert b"".join(third).endswith(b"14\r\n")
    assert positions == [20, 20, csv_file.size]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=6,
)


@given(
    records=st.lists(st.dictionaries(st.sampled_from("abcd"), _VALUES, max_size=4), min_size=1, max_size=12),
    room=st.integers(0, 60),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_whatever_the_rows_hold_the_chunks_hold_all_of_them(tmp_path: Path, records: list[Record], room: int) -> None:
    numbered = [{"id": number, **record} for number, record in enumerate(records)]
    whole = write(tmp_path, numbered)
    header, *lines = list(_physical_rows(whole.path.read_bytes()))
    limit = len(header) + max(map(len, lines)) + room
    bodies = chunks_of(write(tmp_path, numbered, max_chunk_bytes=limit))
    assert all(len(body) <= limit for body in bodies)
    assert [row for body in bodies for row in rows_of(body)] == rows_of(whole.path.read_bytes())
    assert b"".join(body.removeprefix(header) for body in bodies) == b"".join(lines)


def _physical_rows(content: bytes) -> Iterable[bytes]:
    """Split at the line ends that stand outside quotes."""
    start, quoted = 0, False
    for position, byte in enumerate(content):
        quoted ^= byte == ord('"')
        if byte == ord("\n") and content[position - 1] == ord("\r") and not quoted:
            yield content[start : position + 1]
            start = position + 1
