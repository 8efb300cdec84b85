"""Targets that write files, on the disk or in S3."""

from __future__ import annotations

import csv
import gzip
import io
import json
import typing as t
from decimal import Decimal

import pyarrow.parquet as pq
from typing_extensions import override

from tests.targets import store
from tests.targets.target import AS_TEXT, Settings, Target

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.comparison import Rows

csv.field_size_limit(1 << 30)


class Files(Target):
    """A target that writes files named for their stream into a folder."""

    suffix: t.ClassVar[str]

    def _files(self) -> list[Path]:
        """The oldest first."""
        return sorted(self.folder.glob(f"output/*.{self.suffix}"), key=lambda file: file.stat().st_mtime_ns)

    @override
    def read(self) -> Rows:
        rows: Rows = {}
        for file in self._files():
            with file.open(encoding="utf-8", newline="") as text:
                found = csv.DictReader(text) if self.suffix == "csv" else map(_parse, text)
                rows.setdefault(file.name.partition(".")[0], []).extend(found)
        return rows


class Jsonl(Files):
    environment = "jsonl"
    program = "target-jsonl"
    suffix = "jsonl"
    settings: t.ClassVar[Settings] = {"do_timestamp_file": False}

    @override
    def place(self) -> Settings:
        return {"destination_path": str(self.folder / "output")}


class Csv(Files):
    """Without a name that tells the run, each run would replace the files of the one before."""

    environment = "csv"
    program = "target-csv"
    suffix = "csv"
    settings: t.ClassVar[Settings] = {"file_naming_scheme": "{stream_name}.{timestamp}.csv", **AS_TEXT}

    @override
    def place(self) -> Settings:
        return {"output_path": str(self.folder / "output")}


class CsvAsInstalled(Csv):
    """The same with nothing set."""

    settings: t.ClassVar[Settings] = {}


class CsvSinger(Files):
    """The older target of the same name."""

    environment = "csv-singer"
    program = "target-csv"
    suffix = "csv"

    @override
    def place(self) -> Settings:
        return {"destination_path": str(self.folder / "output")}


class UniversalFile(Files):
    environment = "universal-file"
    program = "target-universal-file"
    suffix = "parquet"
    settings: t.ClassVar[Settings] = {"file_type": "parquet", **AS_TEXT}

    @override
    def place(self) -> Settings:
        return {"protocol": "local", "path": str(self.folder / "output")}


class Bucket(Target):
    """target-s3, in a folder of the bucket."""

    environment = "s3"
    program = "target-s3"
    form: t.ClassVar[str]

    @property
    def _prefix(self) -> str:
        return f"{self.folder.parent.name}-{self.folder.name}"

    @override
    def place(self) -> Settings:
        return {
            "format": {"format_type": self.form},
            "prefix": self._prefix,
            "cloud_provider": {
                "cloud_provider_type": "aws",
                "aws": {
                    "aws_bucket": store.BUCKET,
                    "aws_region": store.REGION,
                    "aws_access_key_id": store.ACCESS_KEY,
                    "aws_secret_access_key": store.SECRET_KEY,
                    "aws_endpoint_override": self.services.store.url,
                },
            },
        }

    @override
    def read(self) -> Rows:
        rows: Rows = {}
        for key, content in self.services.store.objects(f"{self._prefix}/"):
            stream = key.split("/")[1]
            if self.form == "parquet":
                found = pq.read_table(io.BytesIO(content)).to_pylist()
            else:
                found = [_parse(line) for line in gzip.decompress(content).splitlines()]
            rows.setdefault(stream, []).extend(found)
        return rows


class BucketJsonl(Bucket):
    form = "jsonl"


class BucketParquet(Bucket):
    form = "parquet"
    with_text = True


class BucketParquetAsInstalled(Bucket):
    """The same with nothing set."""

    form = "parquet"


def _parse(line: str | bytes) -> dict[str, t.Any]:
    parsed: dict[str, t.Any] = json.loads(line, parse_float=Decimal)
    return parsed
