"""Temporary folders."""

from __future__ import annotations

import shutil
import tempfile
import typing as t
from pathlib import Path

from tap_auditlogs.core.interrupts import interrupts

if t.TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class ScratchFolder:
    """A temporary folder, removed at the end of its `with` block, or when a signal ends the process within it.

    Attributes:
        path: The folder.
    """

    def __init__(self, prefix: str) -> None:
        self._is_kept = False
        with interrupts.scratch_lock:
            self.path = Path(tempfile.mkdtemp(prefix=prefix))
            interrupts.scratch.add(self.path)

    def keep(self) -> None:
        """Do not remove the folder."""
        self._is_kept = True
        interrupts.scratch.discard(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._is_kept:
            shutil.rmtree(self.path, ignore_errors=True)
            interrupts.scratch.discard(self.path)
