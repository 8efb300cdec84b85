"""Rows into cells, and cells into values: compiled, and with the outcomes of `reading`.

Positions are those of bytes. A cell is where its text starts and where it stops, the quotes around it left out; in
a quoted cell every quote stands twice. Blank cells do not get here, except as text.
"""

from __future__ import annotations

import typing as t

import numpy as np

from tap_auditlogs.vendors.index_exchange.bulk.intrinsics import (
    CHUNK_BYTES,
    copy,
    count_bits,
    highest_bit,
    load_byte,
    lowest_bit,
    mask_of_feeds,
    mask_of_quotes,
    mask_of_separators,
    mask_of_unusual,
    store,
)
from tap_auditlogs.vendors.index_exchange.bulk.jit import compiled

if t.TYPE_CHECKING:
    from tap_auditlogs.vendors.index_exchange.bulk.jit import Bytes, Integers

MISFIT: t.Final = -1
"""The text is not of its column's type."""
IRREGULAR: t.Final = -2
"""Only the ordinary path can be trusted with it."""

LARGEST_ESCAPE: t.Final = 6
"""Bytes of JSON that a byte of text becomes at most."""
TYPED_SIZE: t.Final = 72
"""Bytes of JSON that a number or a time becomes at most."""

_LF, _CR, _COMMA, _QUOTE, _BACKSLASH = 10, 13, 44, 34, 92
_PLUS, _MINUS, _POINT, _ZERO, _NINE, _COLON = 43, 45, 46, 48, 57, 58
_SPACE, _UPPER_E, _LOWER_E, _UPPER_T, _LOWER_U, _UPPER_Z = 32, 69, 101, 84, 117, 90
_NONE, _ONE, _LAST = np.uint64(0), np.uint64(1), np.uint64(63)

_MOST_DIGITS = 4_000
_LARGEST_NUMBER = 64
_MOST_EXPONENT_DIGITS = 3
_INTEGER_DIGITS = 19
_TENTH_OF_LOWEST = -922337203685477580
_LOWEST = -(2**63)

SCALE: t.Final = 18
"""A decimal is two whole numbers: what stands before the point, and 18 digits behind it."""
_POWERS_OF_TEN = np.array([10**power for power in range(SCALE)], np.int64)

_SHORTEST_TIME = len("2026-11-20 05:00:00")
_MICROSECOND_DIGITS = 6
_MOST_FRACTION_DIGITS = 9
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


# Rows


@compiled
def find_rows(data: Bytes) -> tuple[int, int]:
    """Find where the last whole row ends: with the last line feed that is not within quotes.

    Args:
        data: From the start of a row on.

    Returns:
        The position behind it, and how many rows end there or before; 0 and 0 if none does.
    """
    rows = 0
    end = 0
    is_quoted = _NONE
    for at in range(0, data.size, CHUNK_BYTES):
        quoted = _mask_of_quoted(_quotes(data, at)) ^ is_quoted
        feeds = _feeds(data, at) & ~quoted
        if feeds:
            rows += count_bits(feeds)
            end = at + highest_bit(feeds) + 1
        is_quoted = _all_like_last(quoted)
    return end, rows


@compiled
def split_row(data: Bytes, at: int, starts: Integers, stops: Integers) -> int:
    """Find the cells of a row.

    Args:
        data: Ends with a line feed.
        at: Where the row starts.
        starts: Takes where its cells start; has one place per column.
        stops: Takes where they stop.

    Returns:
        Where the next row starts. Negative if the row has more or fewer cells, or is not plain CSV.
    """
    last_cell = starts.size - 1
    cell = 0
    start = at
    is_quoted = has_closed = _NONE
    may_open = _ONE
    for chunk in range(at, data.size, CHUNK_BYTES):
        quotes = _quotes(data, chunk)
        quoted = _mask_of_quoted(quotes) ^ is_quoted
        separators = _separators(data, chunk) & ~quoted
        opening = quotes & quoted
        closing = quotes & ~quoted
        # A quote opens at the start of a cell, and closes at its end; one that stands twice closes, and opens again.
        before_opening, after_closing = separators | closing, separators | opening
        odd = opening & ~((before_opening << _ONE) | may_open) | ((closing << _ONE) | has_closed) & ~after_closing
        is_quoted = _all_like_last(quoted)
        may_open, has_closed = before_opening >> _LAST, closing >> _LAST
        separators &= _mask_below(odd)
        while separators:
            at = chunk + lowest_bit(separators)
            separators &= separators - _ONE
            around = int(load_byte(data, start) == _QUOTE)
            store(starts, cell, start + around)
            store(stops, cell, at - around)
            if load_byte(data, at) != _COMMA:
                if load_byte(data, at) == _CR:
                    at += 1
                    if at == data.size or data[at] != _LF:
                        return IRREGULAR
                return at + 1 if cell == last_cell else IRREGULAR
            if cell == last_cell:
                return IRREGULAR
            cell += 1
            start = at + 1
        if odd:
            return IRREGULAR
    return IRREGULAR


@compiled
def _mask_of_quoted(quotes: np.uint64) -> np.uint64:
    """Set the bits from each opening quote up to the one before the closing quote: of how many before it is odd."""
    for power in range(6):
        quotes ^= quotes << np.uint64(1 << power)
    return quotes


@compiled
def _all_like_last(mask: np.uint64) -> np.uint64:
    return np.uint64(np.int64(mask) >> np.int64(_LAST))


@compiled
def _mask_below(mask: np.uint64) -> np.uint64:
    """Set the bits below the lowest that is set; all if none is."""
    return (mask - _ONE) & ~mask


@compiled
def _quotes(data: Bytes, at: int) -> np.uint64:
    if at + CHUNK_BYTES <= data.size:
        return mask_of_quotes(data, at)
    return _mask_of_last(data, at, _QUOTE, _QUOTE, _QUOTE)


@compiled
def _feeds(data: Bytes, at: int) -> np.uint64:
    if at + CHUNK_BYTES <= data.size:
        return mask_of_feeds(data, at)
    return _mask_of_last(data, at, _LF, _LF, _LF)


@compiled
def _separators(data: Bytes, at: int) -> np.uint64:
    if at + CHUNK_BYTES <= data.size:
        return mask_of_separators(data, at)
    return _mask_of_last(data, at, _COMMA, _LF, _CR)


@compiled
def _mask_of_last(data: Bytes, at: int, first: int, second: int, third: int) -> np.uint64:
    """Look at the bytes from a position to the end, fewer than a mask has bits, for one of three."""
    mask = _NONE
    for place in range(data.size - 1, at - 1, -1):
        byte = data[place]
        mask = (mask << _ONE) | np.uint64(byte == first or byte == second or byte == third)
    return mask


@compiled
def find_text_end(data: Bytes) -> int:
    """Find the first byte that is not UTF-8, or NUL.

    Args:
        data: The bytes.

    Returns:
        Its position; their number if there is none.
    """
    at = 0
    while at < data.size:
        if at + CHUNK_BYTES <= data.size:
            mask = mask_of_unusual(data, at)
            if not mask:
                at += CHUNK_BYTES
                continue
            at += lowest_bit(mask)
        size = _character_size(data, at)
        if size == 0:
            return at
        at += size
    return at


@compiled
def _character_size(data: Bytes, at: int) -> int:
    """Return how many bytes the character at a position has, or 0 if it is none."""
    first = data[at]
    if first == 0:
        return 0
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    size = 2 + int(first >= 0xE0) + int(first >= 0xF0)
    if at + size > data.size:
        return 0
    second = data[at + 1]
    lowest = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    highest = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
    if second < lowest or second > highest:
        return 0
    for place in range(at + 2, at + size):
        if data[place] & 0xC0 != 0x80:
            return 0
    return size


# Text


@compiled
def has_to_escape(data: Bytes) -> bool:
    """Tell whether there is a character that JSON escapes, apart from quotes and the ends of lines.

    Args:
        data: Some rows.

    Returns:
        Whether there is.
    """
    found = np.uint8(0)
    for place in range(data.size):
        byte = data[place]
        found = np.uint8(found | (byte == _BACKSLASH) | ((byte < _SPACE) & (byte != _LF) & (byte != _CR)))
    return bool(found)


@compiled
def write_text(data: Bytes, start: int, stop: int, out: Bytes, at: int, plain: bool) -> int:
    """Write a cell as a JSON string.

    Args:
        data: The rows.
        start: Where the cell starts.
        stop: Where it stops.
        out: Takes the JSON.
        at: From here on.
        plain: Whether nothing outside of quotes has to be escaped.

    Returns:
        The position behind it.
    """
    out[at] = _QUOTE
    at += 1
    if plain and (start == 0 or data[start - 1] != _QUOTE):
        at = copy(data, start, stop, out, at)
    else:
        while start < stop:
            byte = data[start]
            start += 1 + (byte == _QUOTE)
            if byte == _QUOTE or byte == _BACKSLASH:
                out[at] = _BACKSLASH
                out[at + 1] = byte
                at += 2
            elif byte < _SPACE:
                at = _write_control(byte, out, at)
            else:
                out[at] = byte
                at += 1
    out[at] = _QUOTE
    return at + 1


@compiled
def _write_control(byte: int, out: Bytes, at: int) -> int:
    digit = byte & 15
    out[at] = _BACKSLASH
    out[at + 1] = _LOWER_U
    out[at + 2] = _ZERO
    out[at + 3] = _ZERO
    out[at + 4] = _ZERO + (byte >> 4)
    out[at + 5] = digit + _ZERO if digit < 10 else digit - 10 + 97
    return at + LARGEST_ESCAPE


@compiled
def copy_text(data: Bytes, start: int, stop: int, out: Bytes, at: int) -> int:
    """Copy the text of a cell, a doubled quote as one.

    Args:
        data: The rows.
        start: Where the cell starts.
        stop: Where it stops.
        out: Takes the text.
        at: From here on.

    Returns:
        The position behind it.
    """
    if start == 0 or data[start - 1] != _QUOTE:
        return copy(data, start, stop, out, at)
    while start < stop:
        byte = data[start]
        out[at] = byte
        at += 1
        start += 1 + (byte == _QUOTE)
    return at


# Integers


@compiled
def parse_integer(data: Bytes, start: int, stop: int) -> tuple[bool, int]:
    """Read an integer: a sign and digits, within 64 bits.

    Args:
        data: The rows.
        start: Where the cell starts.
        stop: Where it stops.

    Returns:
        Whether it is one, and which.
    """
    is_negative = data[start] == _MINUS
    if is_negative or data[start] == _PLUS:
        start += 1
    if start == stop or stop - start > _MOST_DIGITS:
        return False, 0
    start = _skip_zeros(data, start, stop)
    if stop - start > _INTEGER_DIGITS:
        return False, 0
    value = 0  # the negative of it, since there is one more of those
    for place in range(start, stop):
        digit = int(data[place]) - _ZERO
        if digit < 0 or digit > 9:
            return False, 0
        if value < _TENTH_OF_LOWEST or (value == _TENTH_OF_LOWEST and digit > 8):
            return False, 0
        value = value * 10 - digit
    if is_negative:
        return True, value
    return value != _LOWEST, -value


@compiled
def _skip_zeros(data: Bytes, start: int, stop: int) -> int:
    while start < stop - 1 and data[start] == _ZERO:
        start += 1
    return start


@compiled
def write_integer(data: Bytes, start: int, stop: int, out: Bytes, at: int) -> int:
    """Write a cell as a JSON integer.

    Args:
        data: The rows.
        start: Where the cell starts.
        stop: Where it stops.
        out: Takes the JSON.
        at: From here on.

    Returns:
        The position behind it, or MISFIT.
    """
    is_integer, value = parse_integer(data, start, stop)
    if not is_integer:
        return MISFIT
    if value < 0:
        out[at] = _MINUS
        at += 1
    start += data[start] == _MINUS or data[start] == _PLUS
    return copy(data, _skip_zeros(data, start, stop), stop, out, at)


@compiled
def write_row_number(number: int, out: Bytes, at: int) -> int:
    """Write a whole number.

    Args:
        number: Not negative.
        out: Takes its digits.
        at: From here on.

    Returns:
        The position behind it.
    """
    size = 1
    rest = number // 10
    while rest:
        size += 1
        rest //= 10
    for place in range(at + size - 1, at - 1, -1):
        out[place] = _ZERO + number % 10
        number //= 10
    return at + size


# Numbers


@compiled
def _scan_digits(data: Bytes, at: int, stop: int) -> int:
    while at < stop and _ZERO <= data[at] <= _NINE:
        at += 1
    return at


@compiled
def _scan_number(data: Bytes, start: int, stop: int) -> tuple[int, int, int, int]:
    """Find the parts of a number: start and end of its whole digits, of the fraction's, and of the exponent.

    The fraction starts behind the whole digits and a point, if it is not empty; the exponent takes the rest.
    All is MISFIT if it is no number.
    """
    misfit = (MISFIT, MISFIT, MISFIT, MISFIT)
    if stop - start > _LARGEST_NUMBER:
        return misfit
    start += data[start] == _MINUS or data[start] == _PLUS
    whole_end = _scan_digits(data, start, stop)
    fraction = fraction_end = whole_end
    if whole_end < stop and data[whole_end] == _POINT:
        fraction = whole_end + 1
        fraction_end = _scan_digits(data, fraction, stop)
    if whole_end == start and fraction_end == fraction:
        return misfit
    if fraction_end < stop:
        at = fraction_end
        if data[at] != _UPPER_E and data[at] != _LOWER_E:
            return misfit
        at += 1
        at += at < stop and (data[at] == _MINUS or data[at] == _PLUS)
        end = _scan_digits(data, at, stop)
        if end == at or end < stop or end - at > _MOST_EXPONENT_DIGITS:
            return misfit
    return start, whole_end, fraction, fraction_end


@compiled
def write_number(data: Bytes, start: int, stop: int, out: Bytes, at: int) -> int:
    """Write a cell as a JSON number with all its digits.

    Args:
        data: The rows.
        start: Where the cell starts.
        stop: Where it stops.
        out: Takes the JSON.
        at: From here on.

    Returns:
        The position behind it, or MISFIT.
    """
    whole, whole_end, fraction, fraction_end = _scan_number(data, start, stop)
    if whole == MISFIT:
        return MISFIT
    if data[start] == _MINUS:
        out[at] = _MINUS
        at += 1
    if whole == whole_end:
        out[at] = _ZERO
        at += 1
    else:
        at = copy(data, _skip_zeros(data, whole, whole_end), whole_end, out, at)
    if fraction_end > fraction:
        out[at] = _POINT
        at = copy(data, fraction, fraction_end, out, at + 1)
    return copy(data, fraction_end, stop, out, at)


@compiled
def parse_decimal(data: Bytes, start: int, stop: int) -> tuple[int, int, int]:
    """Read a number of up to 18 digits before the point and 18 behind it.

    Args:
        data: The rows.
        start: Where the cell starts.
        stop: Where it stops.

    Returns:
        0, MISFIT or IRREGULAR (a number with other digits); what stands before the point; and what stands behind it
        in units of 1e-18, with the same sign.
    """
    whole, whole_end, _, fraction_end = _scan_number(data, start, stop)
    if whole == MISFIT:
        return MISFIT, 0, 0
    exponent = 0
    if fraction_end < stop:
        _, exponent = parse_integer(data, fraction_end + 1, stop)
    units = 0
    parts = 0
    power = whole_end - whole + exponent
    for place in range(whole, fraction_end):
        if data[place] == _POINT:
            continue
        power -= 1
        digit = int(data[place]) - _ZERO
        if digit == 0:
            continue
        if power >= SCALE or power < -SCALE:
            return IRREGULAR, 0, 0
        if power >= 0:
            units += digit * int(_POWERS_OF_TEN[power])
        else:
            parts += digit * int(_POWERS_OF_TEN[power + SCALE])
    if data[start] == _MINUS:
        return 0, -units, -parts
    return 0, units, parts


# Times


@compiled
def _read_two(data: Bytes, at: int) -> int:
    """Read two digits; negative if they are none."""
    tens = int(data[at]) - _ZERO
    ones = int(data[at + 1]) - _ZERO
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -100_000
    return tens * 10 + ones


@compiled
def _days_of(year: int, month: int) -> int:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return int(_DAYS[month - 1]) + (month == 2 and is_leap)


@compiled
def write_time(data: Bytes, start: int, stop: int, out: Bytes, at: int) -> int:
    """Write a time as JSON, in the fixed-width form.

    Args:
        data: The rows.
        start: Where the cell starts.
        stop: Where it stops.
        out: Takes the JSON.
        at: From here on.

    Returns:
        The position behind it; MISFIT; or IRREGULAR if it has an offset or the hour 24.
    """
    if stop - start < _SHORTEST_TIME:
        return MISFIT
    if data[start + 4] != _MINUS or data[start + 7] != _MINUS:
        return MISFIT
    if data[start + 13] != _COLON or data[start + 16] != _COLON:
        return MISFIT
    if data[start + 10] != _SPACE and data[start + 10] != _UPPER_T:
        return MISFIT
    year = _read_two(data, start) * 100 + _read_two(data, start + 2)
    month = _read_two(data, start + 5)
    day = _read_two(data, start + 8)
    hour = _read_two(data, start + 11)
    minute = _read_two(data, start + 14)
    second = _read_two(data, start + 17)
    if min(year, month, day, hour, minute, second) < 0:
        return MISFIT
    fraction = fraction_end = start + _SHORTEST_TIME
    if fraction < stop and data[fraction] == _POINT:
        fraction += 1
        fraction_end = _scan_digits(data, fraction, stop)
        if fraction_end == fraction or fraction_end - fraction > _MOST_FRACTION_DIGITS:
            return MISFIT
    if fraction_end < stop and not (fraction_end + 1 == stop and data[fraction_end] == _UPPER_Z):
        # It may be an offset; whether it is a good one the ordinary path finds out.
        return IRREGULAR if data[fraction_end] == _PLUS or data[fraction_end] == _MINUS else MISFIT
    if hour == 24:
        return IRREGULAR
    if year == 0 or month == 0 or month > 12 or day == 0 or day > _days_of(year, month):
        return MISFIT
    if hour > 24 or minute > 59 or second > 59:
        return MISFIT
    out[at] = _QUOTE
    date_end = copy(data, start, start + _SHORTEST_TIME, out, at + 1)
    out[at + 11] = _UPPER_T
    out[date_end] = _POINT
    end = date_end + 1 + _MICROSECOND_DIGITS
    for place in range(date_end + 1, end):
        is_given = fraction < fraction_end
        out[place] = data[fraction] if is_given else _ZERO
        fraction += is_given
    out[end] = _UPPER_Z
    out[end + 1] = _QUOTE
    return end + 2
