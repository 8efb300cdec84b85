"""What the compiler has no words for: instructions that it is told to emit."""

from __future__ import annotations

import typing as t
from functools import reduce

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tap_auditlogs.vendors.index_exchange.bulk.jit import Bytes, Integers, compiled

if t.TYPE_CHECKING:
    from collections.abc import Callable

WORD_BYTES: t.Final = 8
CHUNK_BYTES: t.Final = 64
_CHUNK = ir.VectorType(ir.IntType(8), CHUNK_BYTES)
_WIDE_BYTES: t.Final = 32
_WIDE = ir.VectorType(ir.IntType(8), _WIDE_BYTES)

TArray = t.TypeVar("TArray", bound=npt.NDArray[t.Any])


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


@intrinsic
def _copy_wide(_context: t.Any, source: t.Any, start: t.Any, target: t.Any, position: t.Any) -> t.Any:
    def generate(context: t.Any, builder: t.Any, signature: t.Any, arguments: t.Any) -> t.Any:
        source, start, target, position = arguments
        from_ = context.make_array(signature.args[0])(context, builder, source).data
        to = context.make_array(signature.args[2])(context, builder, target).data
        wide = builder.load(builder.bitcast(builder.gep(from_, [start]), _WIDE.as_pointer()), align=1)
        builder.store(wide, builder.bitcast(builder.gep(to, [position]), _WIDE.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(source, start, target, position), generate


@intrinsic
def _load_byte(_context: t.Any, data: t.Any, at: t.Any) -> t.Any:
    def generate(context: t.Any, builder: t.Any, signature: t.Any, arguments: t.Any) -> t.Any:
        bytes_ = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load(builder.gep(bytes_, [arguments[1]]))

    return types.uint8(data, at), generate


@intrinsic
def _store(_context: t.Any, values: t.Any, at: t.Any, _value: t.Any) -> t.Any:
    def generate(context: t.Any, builder: t.Any, signature: t.Any, arguments: t.Any) -> t.Any:
        integers = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        builder.store(arguments[2], builder.gep(integers, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(values, at, types.int64), generate


@intrinsic
def _load_word(_context: t.Any, data: t.Any, at: t.Any) -> t.Any:
    def generate(context: t.Any, builder: t.Any, signature: t.Any, arguments: t.Any) -> t.Any:
        first = builder.gep(context.make_array(signature.args[0])(context, builder, arguments[0]).data, [arguments[1]])
        return builder.load(builder.bitcast(first, ir.IntType(8 * WORD_BYTES).as_pointer()), align=1)

    return types.uint64(data, at), generate


def _mask_of(is_wanted: Callable[[t.Any, t.Any], t.Any]) -> t.Any:
    """Make what looks at 64 bytes at once: for each that is wanted, a bit is set in a number."""

    @intrinsic
    def mask(_context: t.Any, data: t.Any, at: t.Any) -> t.Any:
        def generate(context: t.Any, builder: t.Any, signature: t.Any, arguments: t.Any) -> t.Any:
            first = builder.gep(
                context.make_array(signature.args[0])(context, builder, arguments[0]).data, [arguments[1]]
            )
            chunk = builder.load(builder.bitcast(first, _CHUNK.as_pointer()), align=1)
            return builder.bitcast(is_wanted(builder, chunk), ir.IntType(CHUNK_BYTES))

        return types.uint64(data, at), generate

    return mask


def _is_any(builder: t.Any, chunk: t.Any, wanted: bytes) -> t.Any:
    found = [builder.icmp_unsigned("==", chunk, _CHUNK([byte] * CHUNK_BYTES)) for byte in wanted]
    return reduce(builder.or_, found)


@intrinsic
def _lowest_bit(_context: t.Any, mask: t.Any) -> t.Any:
    def generate(_context: t.Any, builder: t.Any, _signature: t.Any, arguments: t.Any) -> t.Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(mask), generate


@intrinsic
def _highest_bit(_context: t.Any, mask: t.Any) -> t.Any:
    def generate(_context: t.Any, builder: t.Any, _signature: t.Any, arguments: t.Any) -> t.Any:
        highest = mask.bitwidth - 1
        return builder.sub(ir.IntType(mask.bitwidth)(highest), builder.ctlz(arguments[0], ir.IntType(1)(1)))

    return types.int64(mask), generate


@intrinsic
def _count_bits(_context: t.Any, mask: t.Any) -> t.Any:
    def generate(_context: t.Any, builder: t.Any, _signature: t.Any, arguments: t.Any) -> t.Any:
        return builder.ctpop(arguments[0])

    return types.int64(mask), generate


# Names of their own, with the types that they have in compiled functions.
borrowed = t.cast("Callable[[TArray], TArray]", _borrowed)
"""Use an array without counting references to it, which would take longer than what is done with most cells.

Whoever called the outermost compiled function has to hold the array.
"""
_copy_bytes = t.cast("Callable[[Bytes, int, Bytes, int, int], None]", _copy)
_copy_32 = t.cast("Callable[[Bytes, int, Bytes, int], None]", _copy_wide)
load_byte = t.cast("Callable[[Bytes, int], np.uint8]", _load_byte)
"""Read a byte. Whether an index in brackets is negative is looked at each time, which takes half as long again."""
store = t.cast("Callable[[Integers, int, int], None]", _store)
"""Write a number at a position, likewise."""
load_word = t.cast("Callable[[Bytes, int], np.uint64]", _load_word)
"""Read the eight bytes from a position on, which have to be there, as one number."""
mask_of_separators = t.cast(
    "Callable[[Bytes, int], np.uint64]", _mask_of(lambda builder, chunk: _is_any(builder, chunk, b",\n\r"))
)
"""Look at the 64 bytes from a position on, which have to be there; a bit for each that ends a cell."""
mask_of_feeds = t.cast(
    "Callable[[Bytes, int], np.uint64]", _mask_of(lambda builder, chunk: _is_any(builder, chunk, b"\n"))
)
"""Likewise, for line feeds."""
mask_of_quotes = t.cast(
    "Callable[[Bytes, int], np.uint64]", _mask_of(lambda builder, chunk: _is_any(builder, chunk, b'"'))
)
"""Likewise, for quotes."""
mask_of_unusual = t.cast(
    "Callable[[Bytes, int], np.uint64]",
    _mask_of(
        lambda builder, chunk: builder.or_(
            builder.icmp_signed("<", chunk, _CHUNK([0] * CHUNK_BYTES)), _is_any(builder, chunk, b"\0")
        )
    ),
)
"""Likewise, for NUL and what is not ASCII."""
lowest_bit = t.cast("Callable[[np.uint64], int]", _lowest_bit)
"""Tell which bit is the lowest that is set; one has to be."""
highest_bit = t.cast("Callable[[np.uint64], int]", _highest_bit)
"""Tell which bit is the highest that is set; one has to be."""
count_bits = t.cast("Callable[[np.uint64], int]", _count_bits)
"""Tell how many bits are set."""


@compiled
def copy(source: Bytes, start: int, stop: int, target: Bytes, position: int) -> int:
    """Copy some bytes. A few more may be copied where there is room: what is behind them is still to be written.

    Most cells are short enough to be copied in one go, without a look at how long they are.

    Args:
        source: From these,
        start: from here,
        stop: up to here,
        target: to these,
        position: from here on.

    Returns:
        The position behind them.
    """
    size = stop - start
    if size <= _WIDE_BYTES and start + _WIDE_BYTES <= source.size and position + _WIDE_BYTES <= target.size:
        _copy_32(source, start, target, position)
    else:
        _copy_bytes(source, start, target, position, size)
    return position + size
