"""Loads one stream at the end of input: spooled rows to CSV, CSV to Pigment."""

from __future__ import annotations

import logging
import typing as t
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.core.progress import Bar
from tap_auditlogs.core.scratch import ScratchFolder
from tap_auditlogs.vendors.pigment.target.csv_file import CsvFile

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_auditlogs.vendors.pigment.target.imports import ImportClient
    from tap_auditlogs.vendors.pigment.target.spool import RowSpool

logger = logging.getLogger(__name__)

_MEGABYTE = 1_000_000


class StreamLoad:
    """What is to be done with the records of one stream.

    Attributes:
        stream: The stream.
        schema: Its latest schema.
        spool: Its records.
    """

    def __init__(self, stream: str, schema: Mapping[str, t.Any], spool: RowSpool, config: Mapping[str, t.Any]) -> None:
        self.stream = stream
        self.schema = schema
        self.spool = spool
        self._config = config
        self._configuration: str | None = config["import_configurations"].get(stream)

    def finish(self, client: ImportClient | None) -> None:
        """Write the CSV and import it.

        Raises:
            TapError: If that fails; then the CSV is kept, and the message says where.
        """
        if folder := self._config.get("csv_folder"):
            self._import(self._write(Path(folder)), client)
            return
        with ScratchFolder("target-pigment-") as scratch:
            csv_file = self._write(scratch.path)
            try:
                self._import(csv_file, client)
            except TapError:
                scratch.keep()
                raise

    def _write(self, folder: Path) -> CsvFile:
        max_chunk_bytes = int(self._config["max_chunk_megabytes"] * _MEGABYTE)
        csv_file = CsvFile(folder / f"{quote(self.stream, safe=' ')}.csv", max_chunk_bytes=max_chunk_bytes)
        csv_file.write(self.spool, self.spool.columns.in_order(self._config["column_order"], self.schema))
        logger.info("Stream `%s`: %d rows, %d bytes of CSV.", self.stream, self.spool.rows, csv_file.size)
        self.spool.close()
        return csv_file

    def _import(self, csv_file: CsvFile, client: ImportClient | None) -> None:
        if client is None or self._configuration is None:
            return
        try:
            self._send(csv_file, client, self._configuration)
        except TapError as error:
            msg = f"{str(error).rstrip('.')}. The CSV is kept in {csv_file.path}."
            raise TapError(msg) from error

    def _send(self, csv_file: CsvFile, client: ImportClient, configuration: str) -> None:
        with closing(Bar(self.stream, total=csv_file.size)) as bar:
            for number, chunk in enumerate(csv_file.chunks(bar.advance_to), 1):
                import_id = client.push(self.stream, configuration, chunk)
                logger.info("Stream `%s`: import %d has %d bytes: %s", self.stream, number, len(chunk), import_id)
                if self._config["wait_for_imports"]:
                    client.wait(self.stream, configuration, import_id)
