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
from numba.core.caching import FunctionCache

if t.TYPE_CHECKING:
    from collections.abc import Callable

Bytes: t.TypeAlias = npt.NDArray[np.uint8]
Integers: t.TypeAlias = npt.NDArray[np.int64]
Words: t.TypeAlias = npt.NDArray[np.uint64]
Flags: t.TypeAlias = npt.NDArray[np.bool_]

TFunction = t.TypeVar("TFunction", bound="Callable[..., t.Any]")


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
        with suppress(OSError, RuntimeError):  # the latter if nobody knows of a home
            folder = Path(parent).expanduser() / name
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return None


_CACHE_FOLDER = _cache_folder()
if _CACHE_FOLDER is not None:
    numba.config.CACHE_DIR = str(_CACHE_FOLDER)  # type: ignore[attr-defined] # as above


class _Cache(FunctionCache):
    """Keeps machine code if it can, and finds it if it is sound; otherwise it is compiled anew."""

    def load_overload(self, signature: t.Any, *args: t.Any) -> t.Any:
        with suppress(Exception):  # reading a damaged file may raise anything
            found: t.Any = super().load_overload(signature, *args)  # type: ignore[no-untyped-call] # numba has few types
            # Two processes that save at the same time may give two versions of a function the same file.
            if found is not None and found.signature.args == signature:
                return found
        return None

    def save_overload(self, *args: t.Any) -> None:
        with suppress(Exception):  # the disk is full, or what is there already is damaged
            super().save_overload(*args)  # type: ignore[no-untyped-call] # numba has few types


def compiled(function: TFunction) -> TFunction:
    """Compile a function when it is first called; it then runs without holding up other threads.

    The machine code is kept for the next process, where there is a place to keep it. Otherwise every process compiles
    anew, which takes some seconds.

    Args:
        function: Uses numbers and arrays of them only, and divides by constants only.

    Returns:
        The same, compiled.
    """
    dispatcher: t.Any = numba.njit(nogil=True, forceinline=True, error_model="numpy")(function)
    if _CACHE_FOLDER is not None:
        with suppress(RuntimeError):  # it cannot be written after all
            dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call] # noqa: SLF001 - as `cache=True` does
    return t.cast("TFunction", dispatcher)


def as_array(data: bytes | memoryview) -> Bytes:
    """See bytes as numbers, without a copy.

    Args:
        data: The bytes.

    Returns:
        As many numbers.
    """
    return np.frombuffer(data, np.uint8)
