"""The vendor's second sample script beside the hourly table, on the same file: every difference is explained."""

from __future__ import annotations

import gzip
import typing as t
from collections import Counter
from decimal import Decimal

import pytest

from auditlogs_sandbox.vendors.index_exchange.generator import generate_file
from tap_auditlogs.vendors.index_exchange import bulk
from tap_auditlogs.vendors.index_exchange.totals import Names, hourly_records

if t.TYPE_CHECKING:
    from pathlib import Path

pd = pytest.importorskip("pandas", reason="in the dependency group `stores`")

DIMENSIONS = ("partner_id", "site_id", "supply_source", "dsp_id", "trading_desk_id")
DSPS = {51: "Example DSP", 58: "Other"}
BUYERS = {(51, 301): "Desk 1", (51, 302): "Desk 2"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return generate_file(tmp_path / "hour.gz", 20_000).path


def groups_of_script(path: Path) -> dict[tuple[t.Any, ...], tuple[int, float, float, t.Any, t.Any]]:
    from tests.benchmarks.index_exchange_script import hourly  # noqa: PLC0415 - needs pandas

    dsps = pd.DataFrame([{"dsp_id": key, "dsp_name": name} for key, name in DSPS.items()])
    buyers = pd.DataFrame(
        [{"dsp_id": dsp, "trading_desk_id": desk, "buyer_name": name} for (dsp, desk), name in BUYERS.items()]
    )
    found = {}
    for row in hourly(path, dsps, buyers).itertuples(index=False):
        key = tuple(_plain(getattr(row, name)) for name in DIMENSIONS)
        names = [None if pd.isna(name) else name for name in (row.dsp_name, row.buyer_name)]
        assert key not in found
        found[key] = (row.impressions, row.net_revenue, row.gross_revenue, *names)
    return found


def _plain(value: t.Any) -> t.Any:
    """Pandas has made floats of integer columns that have blanks."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_every_difference_to_the_vendors_script_is_explained(path: Path) -> None:
    script = groups_of_script(path)
    with path.open("rb") as content:
        totals = bulk.total_rows(bulk.RegularFile(content), DIMENSIONS)
    records = hourly_records(totals, DIMENSIONS, {}, Names(DSPS, BUYERS))
    ours = {
        tuple(record[name] for name in DIMENSIONS): record for record in records if not record["additional_properties"]
    }
    complete = {key: record for key, record in ours.items() if None not in key}

    # 1. Groups without a blank are in both, with equal counts and names, and sums that differ by less than 1e-9,
    #    which is what adding up floats costs.
    assert complete.keys() == script.keys()
    for key, (impressions, net, gross, dsp_name, buyer_name) in script.items():
        record = complete[key]
        assert record["impressions"] == impressions
        assert abs(float(record["net_revenue"]) - net) < 1e-9
        assert abs(float(record["gross_revenue"]) - gross) < 1e-9
        assert (record["dsp_name"], record["buyer_name"]) == (dsp_name, buyer_name)

    # 2. The script leaves out every row with a blank in a dimension; here they are groups of their own.
    dropped = [record for key, record in ours.items() if None in key]
    assert dropped
    assert sum(impressions for impressions, *_ in script.values()) == 20_000 - sum(r["impressions"] for r in dropped)
    assert sum(record["impressions"] for record in records) == 20_000

    # 3. `-1` and blank are different groups, also to the script, which has only the former.
    assert any(-1 in key for key in script)
    assert any(-1 in key for key in complete)


def test_sums_are_exact(path: Path) -> None:
    with path.open("rb") as content:
        records = hourly_records(bulk.total_rows(bulk.RegularFile(content), DIMENSIONS), DIMENSIONS, {}, Names({}, {}))
    with gzip.open(path, "rt", newline="") as file:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    for name in ("net_revenue", "gross_revenue"):
        cells = [cell for cell in frame[name] if cell]
        assert sum(record[name] for record in records) == sum(map(Decimal, cells))
    assert Counter(frame["partner_id"]).total() == sum(record["impressions"] for record in records)
