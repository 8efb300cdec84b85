"""The rows of one stream on disk, until the last of them has told which columns there are."""

from __future__ import annotations

import tempfile
import typing as t

import msgspec

from tap_auditlogs.core.errors import TapError
from tap_auditlogs.vendors.pigment.target.columns import Columns

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_auditlogs.vendors.pigment.target.columns import Cells

_BUFFER_BYTES = 1 << 20


class RowSpool:
    """Takes records one by one and gives their cells back in the same order.

    The file has no name, so that nothing is left of it however the process ends.

    Attributes:
        columns: The columns of the rows so far.
        rows: How many rows there are.
    """

    def __init__(self, stream: str, key_properties: Sequence[str]) -> None:
        self.stream = stream
        self.key_properties = key_properties
        self.columns = Columns(stream)
        self.rows = 0
        self._file = tempfile.TemporaryFile(buffering=_BUFFER_BYTES, prefix="target-pigment-")  # noqa: SIM115 - lives as long as the spool
        self._encoder = msgspec.json.Encoder()

    def add(self, record: Mapping[str, t.Any]) -> None:
        """Write a record's row.

        Raises:
            TapError: If the record cannot be flattened, or the disk takes no more.
        """
        try:
            self._file.write(self._encoder.encode(self.columns.flatten(record)) + b"\n")
        except RecursionError as error:
            msg = f"Stream `{self.stream}`: record {self.rows + 1} is nested too deep to become columns."
            raise TapError(msg) from error
        except OSError as error:
            raise _disk_error(self.stream, error) from error
        self.rows += 1

    def __iter__(self) -> Iterator[Cells]:
        """Yield each row's cells, one for every column that any row has."""
        width = len(self.columns)
        try:
            self._file.seek(0)  # writes what is buffered
            decode = msgspec.json.Decoder(list[str | None]).decode
            for line in self._file:
                cells = decode(line)
                cells.extend([None] * (width - len(cells)))
                yield cells
        except OSError as error:
            raise _disk_error(self.stream, error) from error

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


def _disk_error(stream: str, error: OSError) -> TapError:
    msg = (
        f"Stream `{stream}`: the rows cannot be kept in {tempfile.gettempdir()} ({error.strerror}). "
        "Free some space there, or name another folder in TMPDIR."
    )
    return TapError(msg)
