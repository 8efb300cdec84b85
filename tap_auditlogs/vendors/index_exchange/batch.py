"""BATCH files of log rows."""

from __future__ import annotations

import typing as t
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.sdk_hooks import BaseBatchFileEncoding, StorageTarget

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_auditlogs.vendors.index_exchange import bulk

MOST_ROWS = 50_000
"""More rows in one file would only take more memory, here and in the target."""

_ENCODERS = 2


class BatchError(TapError):
    """A BATCH file cannot be written."""


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
    def _is_parquet(self) -> bool:
        return self.encoding.format == "parquet"

    @property
    def _is_gzip(self) -> bool:
        return self.encoding.compression == "gzip"

    def convert(self, content: t.BinaryIO, form: bulk.RowFormat) -> bulk.Conversion[t.Any]:
        """Begin to convert a file.

        Args:
            content: The gzip file.
            form: What to make of its rows.

        Returns:
            The conversion.
        """
        from tap_auditlogs.vendors.index_exchange import bulk  # noqa: PLC0415 - heavy, and not always installed

        if self._is_parquet:
            from tap_auditlogs.vendors.index_exchange.bulk import tables  # noqa: PLC0415 - as above

            return tables.table_pieces(content, form, most_rows=self._most_rows)
        return bulk.json_pieces(content, form, most_rows=self._most_rows, compress=self._is_gzip)

    def write(self, conversion: bulk.Conversion[t.Any], name: str) -> tuple[list[str], int]:
        """Write the files of one log file.

        Args:
            conversion: What `convert` began.
            name: How their names begin.

        Returns:
            Their URLs, and how many rows they have.

        Raises:
            BatchError: If a file cannot be written.
        """
        urls: list[str] = []
        rows = 0
        with ThreadPoolExecutor(_ENCODERS, thread_name_prefix="index-exchange-batch") as encoders:
            encoding: deque[Future[bytes]] = deque()
            for count, pieces in self._collect(conversion):
                if len(encoding) == _ENCODERS:  # no more than these are held in memory
                    urls.append(self._store(f"{name}-{len(urls)}", encoding.popleft().result()))
                encoding.append(encoders.submit(self._encode, pieces))
                rows += count
            for encoded in encoding:
                urls.append(self._store(f"{name}-{len(urls)}", encoded.result()))
        return urls, rows

    def _collect(self, conversion: bulk.Conversion[t.Any]) -> Iterator[tuple[int, list[t.Any]]]:
        """Collect pieces up to the rows of a file."""
        pieces: list[t.Any] = []
        rows = 0
        for _, converted in conversion.results():
            for count, piece in converted:
                if rows + count > self._most_rows:
                    yield rows, pieces
                    pieces, rows = [], 0
                pieces.append(piece)
                rows += count
        if pieces:
            yield rows, pieces

    def _encode(self, pieces: list[t.Any]) -> bytes:
        if not self._is_parquet:
            return b"".join(pieces)
        from tap_auditlogs.vendors.index_exchange.bulk import tables  # noqa: PLC0415 - as above

        return tables.to_parquet(pieces, gzip=self._is_gzip)

    def _store(self, name: str, data: bytes) -> str:
        """Write a file; one at a time, since the SDK opens stores for one thread only."""
        suffix = "parquet" if self._is_parquet else "jsonl.gz" if self._is_gzip else "jsonl"
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
