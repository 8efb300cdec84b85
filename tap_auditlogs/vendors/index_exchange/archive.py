"""Keeps the verified raw files in any fsspec store, as the vendor's first sample script does in S3."""

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
    """The store does not do what it is asked."""


class Archive:
    """A folder in a store."""

    def __init__(self, url: str, options: Mapping[str, t.Any]) -> None:
        """Open the store.

        Args:
            url: An fsspec URL.
            options: Of its file system.

        Raises:
            ArchiveError: If its file system is not there.
        """
        self._protocol = get_protocol(url)
        try:
            self._files, root = url_to_fs(url, **options)
        except ImportError as error:
            hint = "Install tap-auditlogs[s3]" if self._protocol == "s3" else "Install the package that fsspec needs"
            msg = f"index_exchange.archive_url: the store `{self._protocol}` is not installed. {hint}."
            raise ArchiveError(msg) from error
        except Exception as error:
            msg = f"index_exchange.archive_url: the store cannot be opened: {type(error).__name__}"
            raise ArchiveError(msg) from error
        self._root = root.rstrip("/")

    def holds(self, file: ListedFile) -> bool:
        """Tell whether a file is there in this version.

        Args:
            file: The file.

        Returns:
            Whether its md5 is the one noted beside it.

        Raises:
            ArchiveError: If the store cannot be asked.
        """
        path = self._path(file)
        try:
            self._files.invalidate_cache()
            if not self._files.exists(path):
                return False
            return self._noted_md5(path) == file.md5
        except FileNotFoundError:
            return False
        except Exception as error:
            raise _error(path, "asked for", error) from error

    def keep(self, file: ListedFile, content: t.BinaryIO) -> None:
        """Store a file.

        Args:
            file: The file.
            content: Its bytes, from the first on.

        Raises:
            ArchiveError: If it cannot be stored.
        """
        path = self._path(file)
        metadata = {"Metadata": {_METADATA_KEY: file.md5}} if self._has_metadata else {}
        try:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            # Nothing is to be seen under the name before all of it is there.
            with self._files.transaction, self._files.open(path, "wb", **metadata) as target:
                shutil.copyfileobj(content, target, _BLOCK_BYTES)
            if not self._has_metadata:
                self._files.pipe_file(f"{path}.md5", f"{file.md5}\n".encode())
        except Exception as error:
            raise _error(path, "written", error) from error

    @property
    def _has_metadata(self) -> bool:
        return self._protocol in {"s3", "s3a"}

    def _noted_md5(self, path: str) -> str | None:
        if self._has_metadata:
            return t.cast("str | None", self._files.metadata(path, refresh=True).get(_METADATA_KEY))
        return t.cast("str", self._files.cat_file(f"{path}.md5").decode(errors="replace").strip())

    def _path(self, file: ListedFile) -> str:
        part = f".part-{file.key.part}" if file.in_parts else ""
        return f"{self._root}/{file.key.event_type}/{file.key.subscription_id}/{file.key.hour_text}{part}.gz"


def _error(path: str, what: str, error: Exception) -> ArchiveError:
    """Tell what failed; the messages of stores may hold signed URLs, so only their kind is told."""
    return ArchiveError(
        f"index_exchange: {path} cannot be {what} in the archive ({type(error).__name__}). "
        "Check index_exchange.archive_url, archive_options and the permissions"
    )
