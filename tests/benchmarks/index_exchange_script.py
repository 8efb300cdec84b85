"""The vendor's second sample script, "Hourly Aggregations to AWS via Python", for Python 3 and a local file.

Retyped from the vendor's page of code examples: the same pandas calls in the same order. The token, the list, the
download and the upload are left out; the mappings are given.
"""

from __future__ import annotations

import sys
import typing as t
from collections import OrderedDict
from datetime import datetime
from pathlib import Path

import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore] # in the group `stores` only

DIMENSIONS = ["hour", "partner_id", "site_id", "supply_source", "dsp_id", "trading_desk_id"]


def truncate_hour(timestamp_str: str) -> str:
    """Truncates an hour by eliminating minutes and seconds."""
    timestamp_obj = datetime.strptime(timestamp_str, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - as in the script
    return timestamp_obj.strftime("%Y-%m-%d %H:00")


def timestamp_to_hour(df: t.Any) -> t.Any:
    """Reformats the timestamp column of a DataFrame by truncating the hour."""
    df["timestamp"] = df["timestamp"].apply(truncate_hour)
    return df.rename(columns={"timestamp": "hour"})


def aggregate_audit_log(df: t.Any, dimensions: list[str]) -> t.Any:
    """Counts rows and sums revenues."""
    measure_aggregations = OrderedDict(
        [("event_opportunity", "size"), ("net_revenue", "sum"), ("gross_revenue", "sum")]
    )
    measures = list(measure_aggregations.keys())
    return (
        df[dimensions + measures]
        .groupby(dimensions, as_index=False)
        .agg(measure_aggregations)
        .rename(columns={"event_opportunity": "impressions"})
    )


def hourly(path: Path, dsps: t.Any, buyers: t.Any) -> t.Any:
    """Aggregates a file as the script does.

    Args:
        path: The gzip file.
        dsps: The mapping of platforms, as a DataFrame.
        buyers: The mapping of buyers, as a DataFrame.

    Returns:
        A DataFrame.
    """
    log_df = pd.read_csv(path, compression="gzip")
    return (
        log_df.pipe(timestamp_to_hour)
        .pipe(aggregate_audit_log, dimensions=DIMENSIONS)
        .sort_values(by=["partner_id", "site_id", "impressions"], ascending=[True, True, False])
        .merge(dsps, how="left", on="dsp_id")
        .merge(buyers, how="left", on=["dsp_id", "trading_desk_id"])
    )


if __name__ == "__main__":
    ONE_DSP = pd.DataFrame([{"dsp_id": 51, "dsp_name": "a"}])
    ONE_BUYER = pd.DataFrame([{"dsp_id": 51, "trading_desk_id": 301, "buyer_name": "a"}])
    hourly(Path(sys.argv[1]), ONE_DSP, ONE_BUYER).to_csv("/dev/null", index=False)
