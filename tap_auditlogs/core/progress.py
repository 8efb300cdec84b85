"""Progress bars on standard error where it is a terminal; elsewhere nothing is shown and the log says it all."""

from __future__ import annotations

import logging
import sys
import typing as t
from contextlib import contextmanager

from singer_sdk.metrics import Counter
from typing_extensions import override

from tap_auditlogs.core.redaction import redact_all_logging

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from tqdm import tqdm


Item = t.TypeVar("Item")


class Bar:
    """A bar, or a running count if no total is known; without a terminal it shows nothing."""

    def __init__(self, label: str, *, total: int | None = None, unit: str = "B") -> None:
        self._bar: tqdm[t.NoReturn] | None = None
        if is_terminal():
            from tqdm import tqdm  # noqa: PLC0415 - only needed at a terminal

            self._bar = tqdm(
                desc=label,
                total=total,
                unit=unit,
                unit_scale=unit == "B",
                file=sys.stderr,
                dynamic_ncols=True,
                mininterval=0.2,
            )

    def advance(self, steps: int = 1) -> None:
        """Show that more is done; less than nothing if work has to be repeated."""
        if self._bar is not None:
            self._bar.update(steps)

    def counted(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on; one is done when the next is asked for."""
        for item in items:
            yield item
            self.advance()

    def advance_to(self, position: int) -> None:
        """Show how much is done."""
        if self._bar is not None:
            self._bar.update(position - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is; what is shown later stands below it."""
        if self._bar is not None:
            self._bar.close()


class RecordCounter(Counter):
    """The SDK's counter of a stream's records, shown as a bar as well."""

    def __init__(self, counter: Counter, stream: str) -> None:
        super().__init__(counter.metric, counter.tags, counter.log_interval)
        self._stream = stream
        self._bar: Bar | None = None

    @override
    def __enter__(self) -> t.Self:
        self._bar = Bar(self._stream, unit=" records")
        return super().__enter__()

    @override
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        super().__exit__(exc_type, exc_val, exc_tb)

    @override
    def increment(self, value: int = 1) -> None:
        if self._bar is not None:
            self._bar.advance(value)
        super().increment(value)


def is_terminal() -> bool:
    """Whether a person looks at standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def logs_above_bars() -> Iterator[None]:
    """Write log lines above the bars instead of through them, masked as before."""
    console = [handler for handler in logging.root.handlers if getattr(handler, "stream", None) is sys.stderr]
    if not is_terminal() or not console:
        yield
        return
    from tqdm.contrib.logging import logging_redirect_tqdm  # noqa: PLC0415 - only needed at a terminal

    with logging_redirect_tqdm():
        redact_all_logging()
        yield
