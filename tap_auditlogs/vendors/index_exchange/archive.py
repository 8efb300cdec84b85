"""Stores the checksum-verified raw files in any fsspec file system."""

from __future__ import annotations

import shutil
import typing as t

from fsspec.core import url_to_fs  # type: ignore[import-untyped] # it has no types
from fsspec.utils import get_protocol  # type: ignore[import-untyped] # likewise

from tap_auditlogs.core.errors import TapError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_auditlogs.vendors.index_exchange.listing import ListedFile

_METADATA_KEY = "md5sum"
_BLOCK_BYTES = 8 << 20


class ArchiveError(TapError):
    """The archive cannot be read or written."""


class Archive:
    """A folder in an fsspec file system."""

    def __init__(self, url: str, options: Mapping[str, t.Any]) -> None:
        """Open the file system.

        Raises:
            ArchiveError: If its package is not installed or it cannot be opened.
        """
        self._protocol = get_protocol(url)
        try:
            self._files, root = url_to_fs(url, **options)
        except ImportError as error:
            hint = "Install tap-auditlogs[s3]" if self._protocol == "s3" else "Install the package that fsspec needs"
            msg = f"index_exchange.archive_url: the file system `{self._protocol}` is not installed. {hint}."
            raise ArchiveError(msg) from error
        except Exception as error:
            msg = f"index_exchange.archive_url: the archive cannot be opened: {type(error).__name__}"
            raise ArchiveError(msg) from error
        self._root = root.rstrip("/")

    def holds(self, file: ListedFile) -> bool:
        """Return whether this version of a file is stored.

        Raises:
            ArchiveError: If the archive cannot be read.
        """
        path = self._path(file)
        try:
            self._files.invalidate_cache()
            if not self._files.exists(path):
                return False
            return self._stored_md5(path) == file.md5
        except FileNotFoundError:
            return False
        except Exception as error:
            raise _error(path, "read", error) from error

    def keep(self, file: ListedFile, content: t.BinaryIO) -> None:
        """Store a file, given its bytes from the first on.

        Raises:
            ArchiveError: If it cannot be stored.
        """
        path = self._path(file)
        metadata = {"Metadata": {_METADATA_KEY: file.md5}} if self._has_metadata else {}
        try:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            # The file appears under its name only when it is complete.
            with self._files.transaction, self._files.open(path, "wb", **metadata) as target:
                shutil.copyfileobj(content, target, _BLOCK_BYTES)
            if not self._has_metadata:
                self._files.pipe_file(f"{path}.md5", f"{file.md5}\n".encode())
        except Exception as error:
            raise _error(path, "written", error) from error

    @property
    def _has_metadata(self) -> bool:
        return self._protocol in {"s3", "s3a"}

    def _stored_md5(self, path: str) -> str | None:
        if self._has_metadata:
            return t.cast("str | None", self._files.metadata(path, refresh=True).get(_METADATA_KEY))
        return t.cast("str", self._files.cat_file(f"{path}.md5").decode(errors="replace").strip())

    def _path(self, file: ListedFile) -> str:
        part = f".part-{file.key.part}" if file.in_parts else ""
        return f"{self._root}/{file.key.event_type}/{file.key.subscription_id}/{file.key.hour_text}{part}.gz"


def _error(path: str, what: str, error: Exception) -> ArchiveError:
    """Name only the type of the error: messages of file systems may contain signed URLs."""
    return ArchiveError(
        f"index_exchange: {path} cannot be {what} in the archive ({type(error).__name__}). "
        "Check index_exchange.archive_url, archive_options and the permissions"
    )
