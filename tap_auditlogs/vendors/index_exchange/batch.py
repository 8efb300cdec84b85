"""BATCH files of log rows."""

from __future__ import annotations

import typing as t
import zlib

from upath import UPath

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.sdk_hooks import BaseBatchFileEncoding, StorageTarget

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_auditlogs.vendors.index_exchange import bulk

MOST_ROWS = 50_000
"""More rows in one file would only take more memory, here and in the target."""
_COMPRESSION_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS


class BatchError(TapError):
    """A BATCH file cannot be written."""


class _CollectedFile:
    """The pieces of a file. Lines are compressed as they come, since those of a whole file take much memory."""

    def __init__(self, compressor: t.Any = None) -> None:
        self.rows = 0
        self._compressor = compressor
        self._pieces: list[t.Any] = []

    def add(self, rows: int, piece: t.Any) -> None:
        self.rows += rows
        self._pieces.append(self._compressor.compress(piece) if self._compressor else piece)

    def finish(self) -> tuple[int, list[t.Any]]:
        """Return how many rows it has, and its pieces."""
        if self._compressor:
            self._pieces.append(self._compressor.flush())
        return self.rows, self._pieces


class BatchFiles:
    """Writes the files that BATCH messages name.

    A file is named for the version of the log file it is made of, so that a run that was cut short leaves nothing
    behind that the next one does not write over.

    Attributes:
        encoding: Of the files, as BATCH messages tell it.
    """

    def __init__(self, settings: Mapping[str, t.Any]) -> None:
        """Prepare.

        Args:
            settings: `batch_config`, valid.
        """
        encoding, storage = settings["encoding"], settings["storage"]
        compression = encoding.get("compression")
        self.encoding = BaseBatchFileEncoding(encoding["format"], "gzip" if compression == "gzip" else None)
        self._storage = StorageTarget.from_dict(dict(storage))
        self._most_rows = min(settings.get("batch_size") or MOST_ROWS, MOST_ROWS)

    @property
    def is_parquet(self) -> bool:
        """Whether the files are Parquet files."""
        return self.encoding.format == "parquet"

    @property
    def _is_gzip(self) -> bool:
        return self.encoding.compression == "gzip"

    def write(self, file: bulk.RegularFile, form: bulk.RowFormat, name: str) -> tuple[list[str], int]:
        """Write the files of one log file.

        Args:
            file: The log file.
            form: What to make of its rows.
            name: How the names of the files begin.

        Returns:
            Their URLs, and how many rows they have.

        Raises:
            IrregularFileError: If the log file needs the row-by-row parser; then no file is left.
            BatchError: If a file cannot be written.
        """
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

        make_pieces: t.Any = bulk.tables if self.is_parquet else bulk.json_lines
        urls: list[str] = []
        rows = 0
        try:
            for count, data in bulk.in_order(self._encode, self._collect(make_pieces(file, form, self._most_rows))):
                urls.append(self._store(f"{name}-{len(urls)}", data))
                rows += count
        except bulk.IrregularFileError:
            self._remove(urls)
            raise
        return urls, rows

    def _collect(self, pieces: Iterable[tuple[int, t.Any]]) -> Iterator[tuple[int, list[t.Any]]]:
        """Collect pieces up to the rows of a file."""
        file = self._new_file()
        for count, piece in pieces:
            if file.rows + count > self._most_rows:
                yield file.finish()
                file = self._new_file()
            file.add(count, piece)
        if file.rows:
            yield file.finish()

    def _new_file(self) -> _CollectedFile:
        if self.is_parquet or not self._is_gzip:
            return _CollectedFile()
        from isal import isal_zlib  # noqa: PLC0415 - as above

        return _CollectedFile(isal_zlib.compressobj(_COMPRESSION_LEVEL, wbits=_GZIP))

    def _encode(self, collected: tuple[int, list[t.Any]]) -> tuple[int, bytes]:
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - as above

        rows, pieces = collected
        if self.is_parquet:
            return rows, bulk.to_parquet(pieces, gzip=self._is_gzip)
        return rows, b"".join(pieces)

    def _remove(self, urls: Iterable[str]) -> None:
        for url in urls:
            UPath(url, **self._storage.params).unlink()

    def _store(self, name: str, data: bytes) -> str:
        """Write a file; one at a time, since the SDK opens stores for one thread only."""
        suffix = "parquet" if self.is_parquet else "jsonl.gz" if self._is_gzip else "jsonl"
        filename = f"{self._storage.prefix or ''}{name}.{suffix}"
        try:
            with self._storage.open(filename, "wb") as target:
                target.write(data)
            return self._storage.get_url(filename)
        except ImportError as error:
            msg = "batch_config.storage.root: its store is not installed. For S3, install tap-auditlogs[s3]"
            raise BatchError(msg) from error
        # Stores raise errors of their own; their messages may hold signed URLs, so only their kind is told.
        except Exception as error:
            msg = f"{filename} cannot be written to batch_config.storage.root ({type(error).__name__})"
            raise BatchError(msg) from error
