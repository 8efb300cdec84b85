"""Progress bars on standard error where it is a terminal; elsewhere nothing is shown."""

from __future__ import annotations

import sys
import typing as t
from contextlib import ExitStack, contextmanager

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tqdm import tqdm


class Bar:
    """One bar; without a terminal it takes the calls and shows nothing."""

    def __init__(self, bar: tqdm[t.NoReturn] | None = None) -> None:
        self._bar = bar

    def advance_to(self, position: int) -> None:
        """Show how much is done; a lower position than before means that work is repeated."""
        if self._bar is not None:
            self._bar.update(position - self._bar.n)


class Progress:
    """While it is entered, log lines appear above the bars."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()
        self._stack = ExitStack()

    def __enter__(self) -> t.Self:
        if self._is_shown:
            from tqdm.contrib.logging import logging_redirect_tqdm  # noqa: PLC0415 - only needed at a terminal

            self._stack.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    @contextmanager
    def bar(self, label: str, *, total: int | None = None, unit: str = "B") -> Iterator[Bar]:
        """Show a bar, or a count if no total is known."""
        if not self._is_shown:
            yield Bar()
            return
        from tqdm import tqdm  # noqa: PLC0415 - only needed at a terminal

        with tqdm(desc=label, total=total, unit=unit, unit_scale=True, file=sys.stderr, dynamic_ncols=True) as bar:
            yield Bar(bar)
