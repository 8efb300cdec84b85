"""Compilation of the few loops that go through every byte of a file."""

from __future__ import annotations

import hashlib
import os
import typing as t
from contextlib import suppress
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
from numba.core import cgutils, types
from numba.extending import intrinsic

if t.TYPE_CHECKING:
    from collections.abc import Callable

Bytes: t.TypeAlias = npt.NDArray[np.uint8]
Integers: t.TypeAlias = npt.NDArray[np.int64]
Flags: t.TypeAlias = npt.NDArray[np.bool_]

TFunction = t.TypeVar("TFunction", bound="Callable[..., t.Any]")
TArray = t.TypeVar("TArray", bound=npt.NDArray[t.Any])


def _cache_folder() -> Path | None:
    """Find a folder for machine code: that of NUMBA_CACHE_DIR, next to the source, or in the user's cache.

    It is named for the source. The compiler's own check sees only the file of the function, not those of the
    functions that it calls. None if no such folder can be written.
    """
    source = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
    name = f"compiled-{hashlib.sha256(source).hexdigest()[:16]}"
    configured = numba.config.CACHE_DIR  # type: ignore[attr-defined] # numba sets it from the environment
    for parent in (configured, Path(__file__).with_name("__pycache__"), "~/.cache/tap-auditlogs"):
        if not parent:
            continue
        folder = Path(parent).expanduser() / name
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return None


_CACHE_FOLDER = _cache_folder()
if _CACHE_FOLDER is not None:
    numba.config.CACHE_DIR = str(_CACHE_FOLDER)  # type: ignore[attr-defined] # as above


def compiled(function: TFunction) -> TFunction:
    """Compile a function when it is first called; it then runs without holding up other threads.

    The machine code is kept for the next process, where there is a place to keep it. Otherwise every process compiles
    anew, which takes some seconds.

    Args:
        function: Uses numbers and arrays of them only, and divides by constants only.

    Returns:
        The same, compiled.
    """
    compile_ = numba.njit(nogil=True, forceinline=True, error_model="numpy", cache=_CACHE_FOLDER is not None)
    return t.cast("TFunction", compile_(function))


@intrinsic
def _borrowed(_context: t.Any, array: t.Any) -> t.Any:
    def generate(context: t.Any, builder: t.Any, signature: t.Any, arguments: t.Any) -> t.Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)  # type: ignore[no-untyped-call] # numba has few types
        return view._getvalue()  # noqa: SLF001 - numba's own name for it

    return array(array), generate


@intrinsic
def _copy(_context: t.Any, source: t.Any, start: t.Any, target: t.Any, position: t.Any, size: t.Any) -> t.Any:
    def generate(context: t.Any, builder: t.Any, signature: t.Any, arguments: t.Any) -> t.Any:
        source, start, target, position, size = arguments
        from_ = context.make_array(signature.args[0])(context, builder, source).data
        to = context.make_array(signature.args[2])(context, builder, target).data
        cgutils.raw_memcpy(builder, builder.gep(to, [position]), builder.gep(from_, [start]), size, 1)  # type: ignore[no-untyped-call] # likewise
        return context.get_dummy_value()

    return types.void(source, start, target, position, size), generate


# Names of their own, with the types that they have in compiled functions.
borrowed = t.cast("Callable[[TArray], TArray]", _borrowed)
"""Use an array without counting references to it, which would take longer than what is done with most cells.

Whoever called the outermost compiled function has to hold the array.
"""
_copy_bytes = t.cast("Callable[[Bytes, int, Bytes, int, int], None]", _copy)


@compiled
def copy(source: Bytes, start: int, stop: int, target: Bytes, position: int) -> int:
    """Copy some bytes; a loop over so few takes nine times as long.

    Args:
        source: From these,
        start: from here,
        stop: up to here,
        target: to these,
        position: from here on.

    Returns:
        The position behind them.
    """
    _copy_bytes(source, start, target, position, stop - start)
    return position + stop - start


def as_array(data: bytes | memoryview) -> Bytes:
    """See bytes as numbers, without a copy.

    Args:
        data: The bytes.

    Returns:
        As many numbers.
    """
    return np.frombuffer(data, np.uint8)
