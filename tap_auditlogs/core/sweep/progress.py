"""Tells in the log how far a sweep is."""

from __future__ import annotations

import time
import typing as t
from datetime import timedelta

from tap_auditlogs.core.progress import Bar

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable

EVERY_SECONDS = 30.0


class ProgressLog:
    """Logs now and then how many objects are done, of how many, and how long the rest may take."""

    def __init__(
        self, logger: logging.Logger, object_type: str, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start the clock."""
        self._logger = logger
        self._object_type = object_type
        self._total = total
        self._clock = clock
        self._done = 0
        self._started = self._told = clock()
        self._bar = Bar(object_type, total=total, unit=" objects")

    def count(self) -> None:
        """Note that one more object is done."""
        self._done += 1
        self._bar.advance()
        if self._done == self._total:
            self._bar.close()
        now = self._clock()
        if now - self._told < EVERY_SECONDS:
            return
        self._told = now
        left = (now - self._started) / self._done * (self._total - self._done)
        self._logger.info(
            "%s: %d of %d objects done (%.0f %%), about %s left.",
            self._object_type,
            self._done,
            self._total,
            100 * self._done / self._total,
            timedelta(seconds=round(left)),
        )
