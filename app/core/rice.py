"""Golomb-Rice coding of a sorted set of numbers: near the fewest bytes a set of random numbers can take.

Each number is written as the gap after the one before (`number - before - 1`, the first after -1): the gap's
upper part in unary, as that many ones and a zero, then its lowest `parameter` bits. Bits fill bytes from the
most significant one; zeros fill the last byte. Reading refuses whatever `encode` does not write. Sources:
Golomb, "Run-length encodings" (1966); Rice (1979); docs/hashes.md.
"""

from collections.abc import Iterable, Iterator

_TIE, _TIE_OF = 481_212, 1_000_000
"""ln of the golden ratio: where two neighbouring parameters give the same size."""
_FLUSH = 4096
_WINDOW = 64


class Malformed(ValueError):
    """Bytes that are not the coding of that many numbers. The text says what is wrong with them."""


def parameter(count: int, width: int) -> int:
    """Bits of a gap that are written as they are, for `count` random numbers below 2 ** `width`.

    The smallest k with 2 ** k * count >= ln(golden ratio) * 2 ** width.
    """
    least = -(-(_TIE << width) // (_TIE_OF * max(1, count)))
    return min(width, (least - 1).bit_length())


def encode(values: Iterable[int], count: int, width: int) -> Iterator[bytes]:
    """The coding in chunks, of `count` numbers that come ascending, each once, below 2 ** `width`.

    Raises ValueError when they do not.
    """
    k = parameter(count, width)
    mask, ones = (1 << k) - 1, [((1 << q) - 1) << (k + 1) for q in range(16)]
    before, bits, length, seen = -1, 0, 0, 0
    for value in values:
        gap = value - before - 1
        if gap < 0:
            raise ValueError("the numbers are not ascending")
        before, seen = value, seen + 1
        q = gap >> k
        size = q + 1 + k
        unary = ones[q] if q < 16 else ((1 << q) - 1) << (k + 1)
        bits = bits << size | unary | gap & mask
        length += size
        if length >= _FLUSH:
            left = length & 7
            yield (bits >> left).to_bytes(length >> 3)
            bits, length = bits & (1 << left) - 1, left
    if seen != count or before >> width > 0:
        raise ValueError("there are more or fewer numbers than stated, or a number is too wide")
    if length:
        yield (bits << (-length & 7)).to_bytes((length + 7) >> 3)


def decode(data: bytes, count: int, width: int) -> list[int]:
    """The numbers, ascending. Raises Malformed. Time and memory are bounded by the length of `data`."""
    k = parameter(count, width)
    end = 8 * len(data)
    if count * (k + 1) > end:
        raise Malformed("there are fewer bytes than that many numbers take")
    mask, farthest = (1 << k) - 1, (1 << width) - 1 >> k
    values, before, at = [], -1, 0
    for _ in range(count):
        q, at = _unary(data, at, farthest)
        stop = at + k
        if stop > end:
            raise Malformed("the bytes end within a number")
        low = int.from_bytes(data[at >> 3 : (stop + 7) >> 3]) >> (-stop & 7) & mask
        before += (q << k | low) + 1
        values.append(before)
        at = stop
    if before >> width > 0:
        raise Malformed("a number is too wide")
    if end - at >= 8 or (at < end and data[-1] & (1 << end - at) - 1):
        raise Malformed("something follows the last number")
    return values


def _unary(data: bytes, at: int, farthest: int) -> tuple[int, int]:
    """How many ones start at bit `at`, and the bit after the zero that ends them."""
    start = at
    while True:
        window = data[at >> 3 : (at >> 3) + _WINDOW]
        size = 8 * len(window) - (at & 7)
        if size <= 0:
            raise Malformed("the bytes end within a number")
        zeros = ~int.from_bytes(window) & (1 << size) - 1
        at += size - zeros.bit_length()
        if at - start > farthest:
            raise Malformed("a number is too wide")
        if zeros:
            return at - start, at + 1
