"""Draws charts in a process of its own, while the queries of the next ones run."""

from __future__ import annotations

import typing as t
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

if t.TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

_EMPTY: t.Final = {"data": {"values": []}, "mark": "bar", "encoding": {}}


def draw_svg(spec: dict[str, t.Any], version: str) -> str:
    """Draw a Vega-Lite chart."""
    import vl_convert  # noqa: PLC0415 - only the drawing process loads it

    return vl_convert.vegalite_to_svg(spec, vl_version=version)


class Renderer:
    """The drawing process; it starts before the first chart, since its JavaScript engine takes longest to load."""

    def __init__(self, version: str) -> None:
        self._version = version

    def __enter__(self) -> t.Self:
        # Not forked: DuckDB has threads.
        self._pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
        self.draw(_EMPTY)
        return self

    def draw(self, spec: dict[str, t.Any]) -> Future[str]:
        """Begin to draw a chart as SVG."""
        return self._pool.submit(draw_svg, spec, self._version)

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
