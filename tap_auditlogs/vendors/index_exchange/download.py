"""Downloads files ahead of their reader: each to an unnamed temporary file, checked against its md5."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import typing as t
from collections import deque

from tap_auditlogs.core.errors import ApiError, ProtocolError, TapError
from tap_auditlogs.core.http.retry import MAX_TRIES
from tap_auditlogs.core.workers import Workers

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from tap_auditlogs.vendors.index_exchange.client import IndexExchangeClient
    from tap_auditlogs.vendors.index_exchange.listing import ListedFile

MD5_TRIES = 3
LARGEST_FILE = 64 << 30
"""Compressed bytes. The vendor documents no limit; real files are far smaller."""


class Md5Error(ProtocolError):
    """The bytes do not match the listed md5."""


class _CancelledError(TapError):
    """The pass has ended while this file was being downloaded."""


class Downloader:
    """Downloads one file.

    Attributes:
        is_hurried: Whether to make one attempt only, since several downloads in a row have failed.
    """

    def __init__(self, client: IndexExchangeClient) -> None:
        self.is_hurried = False
        self._client = client
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make running downloads end with their next bytes."""
        self._cancelled.set()

    def download(self, file: ListedFile) -> t.BinaryIO:
        """Download a file and verify its md5.

        Returns:
            Its bytes, from the first on, in a temporary file that has no name and so never outlives the process.

        Raises:
            Md5Error: If the md5 differs in each of three attempts.
            ApiError: If the download fails.
            TapError: If the bytes cannot be stored.
        """
        content = _temporary_file()
        try:
            self._fill(content, file)
        except BaseException:
            content.close()
            raise
        content.seek(0)
        return content

    def _fill(self, content: t.BinaryIO, file: ListedFile) -> None:
        for _ in range(MD5_TRIES):
            sink = _Sink(content, self._cancelled)
            tries = 1 if self.is_hurried else MAX_TRIES
            self._client.fetch_file(file.url, sink.open, what=f"file {file.key}", tries=tries)
            if sink.md5 == file.md5:  # index-exchange-05: of the bytes as stored
                return
        msg = f"its bytes do not match the listed md5, in {MD5_TRIES} attempts"
        raise Md5Error(msg, where=f"index_exchange: file {file.key}", advice="The next run tries again")


class _Sink:
    """Writes and hashes the bytes of one attempt after another."""

    def __init__(self, content: t.BinaryIO, cancelled: threading.Event) -> None:
        self._content = content
        self._cancelled = cancelled
        self._digest = hashlib.md5(usedforsecurity=False)
        self._size = 0

    @property
    def md5(self) -> str:
        return self._digest.hexdigest()

    def open(self) -> Callable[[bytes], None]:
        if self._cancelled.is_set():
            raise _CancelledError
        self._digest = hashlib.md5(usedforsecurity=False)
        self._size = 0
        self._content.seek(0)
        self._content.truncate()
        return self._take

    def _take(self, data: bytes) -> None:
        if self._cancelled.is_set():
            raise _CancelledError
        self._size += len(data)
        if self._size > LARGEST_FILE:
            raise ApiError(f"the file is larger than {LARGEST_FILE >> 30} GiB", where="index_exchange")
        self._digest.update(data)
        try:
            self._content.write(data)
        except OSError as error:
            raise _storage_error(error) from error


def _temporary_file() -> t.BinaryIO:
    try:
        return t.cast("t.BinaryIO", tempfile.TemporaryFile(buffering=0))
    except OSError as error:
        raise _storage_error(error) from error


def _storage_error(error: OSError) -> TapError:
    return TapError(
        f"index_exchange: a download cannot be stored in the temporary folder: {os.strerror(error.errno or 0)}. "
        "Free some space, or name another folder in TMPDIR."
    )


def _close(download: Future[t.BinaryIO]) -> None:
    if download.exception() is None:
        download.result().close()


class Task(t.Protocol):
    """Something that may need a download."""

    @property
    def download(self) -> ListedFile | None:
        """The file to download; None if its bytes are not needed."""


TTask = t.TypeVar("TTask", bound=Task)


class Prefetcher(t.Generic[TTask]):
    """Yields tasks in order while the files of the next ones are being downloaded."""

    def __init__(self, downloader: Downloader, ahead: int) -> None:
        self._downloader = downloader
        self._ahead = ahead
        self._workers = Workers(ahead, name="index-exchange-download")
        self._pending: deque[tuple[TTask, Future[t.BinaryIO] | None]] = deque()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel the running downloads."""
        self._downloader.cancel()
        self._workers.close()
        for _, download in self._pending:
            if download is not None:
                download.add_done_callback(_close)

    def results(self, tasks: Iterable[TTask]) -> Iterator[tuple[TTask, Future[t.BinaryIO] | None]]:
        """Yield each task with its download, which may still be running; None for a task that needs no bytes."""
        waiting = iter(tasks)
        while True:
            while len(self._pending) <= self._ahead and (task := next(waiting, None)) is not None:
                file = task.download
                self._pending.append(
                    (task, None if file is None else self._workers.submit(self._downloader.download, file))
                )
            if not self._pending:
                return
            yield self._pending.popleft()
