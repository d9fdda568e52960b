"""QR codes (ISO/IEC 18004), as much as a URL on a screen needs: bytes, error correction L, mask 0.

A standard code has that of eight masks which is easiest to read. Readers accept each, and a screen is easy to read.
Numbers of sections and tables are those of ISO/IEC 18004:2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

Rows = list[list[bool]]
"""True is dark."""

_Grid = list[list[bool | None]]
"""None: a module for data."""

_CHECK_CODEWORDS: Final = (
    *(7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28),
    *(28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30),
)
"""Codewords of error correction in a block, for versions 1 to 40 (table 9)."""

_BLOCKS: Final = (
    *(1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8),
    *(8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25),
)
"""Blocks, for the same versions (table 9)."""

_FORMAT: Final = 0b111011111000100
"""Error correction L and mask 0, with check bits (section 7.9)."""


def qr_code(data: bytes) -> Rows:
    """Return the modules of the smallest code of these bytes, without its quiet zone of four modules.

    Raises ValueError for more than 2,953 bytes.
    """
    for version in range(1, 41):
        count_bits = 8 if version < 10 else 16
        capacity = _codewords(version) - _CHECK_CODEWORDS[version - 1] * _BLOCKS[version - 1]
        if 4 + count_bits + 8 * len(data) <= 8 * capacity:
            break
    else:
        raise ValueError(f"{len(data)} bytes are too many for a QR code")
    grid = _function_patterns(version)
    _place(grid, _with_checks(_data_codewords(data, count_bits, capacity), version))
    return [[bool(module) for module in row] for row in grid]


def svg_path(rows: Rows) -> str:
    """Return the dark modules as the ``d`` of a path; a module has the size 1."""
    return "".join(f"M{begin} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for begin, length in _runs(row))


def _runs(row: Sequence[bool]) -> Iterator[tuple[int, int]]:
    begin = None
    for x, dark in enumerate([*row, False]):
        if dark and begin is None:
            begin = x
        elif not dark and begin is not None:
            yield begin, x - begin
            begin = None


def _codewords(version: int) -> int:
    """Return how many codewords a code has, data and checks (table 1)."""
    modules = (16 * version + 128) * version + 64
    if version >= 2:
        each_way = version // 7 + 2
        modules -= (25 * each_way - 10) * each_way - 55
    if version >= 7:
        modules -= 36
    return modules // 8


def _data_codewords(data: bytes, count_bits: int, capacity: int) -> bytes:
    """Return mode, length, data, end and padding (section 7.4)."""
    bits = f"0100{len(data):0{count_bits}b}" + "".join(f"{byte:08b}" for byte in data)
    bits += "0" * min(4, 8 * capacity - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = bytes(int(bits[begin : begin + 8], 2) for begin in range(0, len(bits), 8))
    return words + (b"\xec\x11" * capacity)[: capacity - len(words)]


def _with_checks(data: bytes, version: int) -> bytes:
    """Divide the data into blocks, and interleave these with their checks (section 7.6)."""
    number, checks = _BLOCKS[version - 1], _CHECK_CODEWORDS[version - 1]
    short, longer = divmod(len(data), number)
    divisor = _divisor(checks)
    blocks, begin = [], 0
    for index in range(number):
        end = begin + short + (index >= number - longer)
        blocks.append(data[begin:end])
        begin = end
    interleaved = bytes(block[place] for place in range(short + 1) for block in blocks if place < len(block))
    remainders = [_remainder(block, divisor) for block in blocks]
    return interleaved + bytes(remainder[place] for place in range(checks) for remainder in remainders)


def _multiply(left: int, right: int) -> int:
    """Multiply in the field of 256 elements with the polynomial 0x11D."""
    product = 0
    for bit in range(7, -1, -1):
        product = (product << 1) ^ ((product >> 7) * 0x11D)
        product ^= ((right >> bit) & 1) * left
    return product


def _divisor(degree: int) -> list[int]:
    """Return the generator polynomial (annex A) without its first coefficient, which is 1."""
    coefficients = [0] * (degree - 1) + [1]
    root = 1
    for _ in range(degree):
        for index in range(degree):
            following = coefficients[index + 1] if index + 1 < degree else 0
            coefficients[index] = _multiply(coefficients[index], root) ^ following
        root = _multiply(root, 2)
    return coefficients


def _remainder(block: bytes, divisor: Sequence[int]) -> list[int]:
    remainder = [0] * len(divisor)
    for byte in block:
        factor = byte ^ remainder[0]
        shifted = [*remainder[1:], 0]
        remainder = [each ^ _multiply(coefficient, factor) for each, coefficient in zip(shifted, divisor, strict=True)]
    return remainder


def _function_patterns(version: int) -> _Grid:
    """Return a grid with everything but data (section 6.3)."""
    size = 17 + 4 * version
    grid: _Grid = [[None] * size for _ in range(size)]
    for place in range(size):
        grid[6][place] = grid[place][6] = place % 2 == 0
    centers = _alignment_centers(version, size)
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    for x, y in ((x, y) for x in centers for y in centers if (x, y) not in corners):
        _squares(grid, x, y, 2, light=(1,))
    for x, y in ((3, 3), (size - 4, 3), (3, size - 4)):
        _squares(grid, x, y, 4, light=(2, 4))
    _place_format(grid, size)
    if version >= 7:
        _place_version(grid, size, version)
    return grid


def _squares(grid: _Grid, x: int, y: int, reach: int, *, light: tuple[int, ...]) -> None:
    """Draw squares around a center; ``light`` are the distances of light ones."""
    size = len(grid)
    for row in range(max(0, y - reach), min(size, y + reach + 1)):
        for column in range(max(0, x - reach), min(size, x + reach + 1)):
            grid[row][column] = max(abs(row - y), abs(column - x)) not in light


def _alignment_centers(version: int, size: int) -> list[int]:
    """Return rows and columns of alignment patterns (annex E)."""
    if version == 1:
        return []
    number = version // 7 + 2
    step = (version * 8 + number * 3 + 5) // (number * 4 - 4) * 2
    return [6, *sorted(size - 7 - step * index for index in range(number - 1))]


def _place_format(grid: _Grid, size: int) -> None:
    first = [*((8, row) for row in (0, 1, 2, 3, 4, 5, 7, 8)), (7, 8), *((column, 8) for column in range(5, -1, -1))]
    second = [*((size - 1 - index, 8) for index in range(8)), *((8, size - 7 + index) for index in range(7))]
    for places in (first, second):
        for bit, (x, y) in enumerate(places):
            grid[y][x] = bool(_FORMAT >> bit & 1)
    grid[size - 8][8] = True


def _place_version(grid: _Grid, size: int, version: int) -> None:
    remainder = version
    for _ in range(12):
        remainder = (remainder << 1) ^ ((remainder >> 11) * 0x1F25)
    bits = version << 12 | remainder
    for bit in range(18):
        far, near = size - 11 + bit % 3, bit // 3
        grid[near][far] = grid[far][near] = bool(bits >> bit & 1)


def _place(grid: _Grid, codewords: bytes) -> None:
    """Place the codewords in columns of two modules, upwards and downwards in turn, with mask 0 (section 7.7.3)."""
    size = len(grid)
    bits = (word >> bit & 1 for word in codewords for bit in range(7, -1, -1))
    upwards = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for row in range(size - 1, -1, -1) if upwards else range(size):
            for column in (right, right - 1):
                if grid[row][column] is None:
                    grid[row][column] = bool(next(bits, 0)) != ((row + column) % 2 == 0)
        upwards = not upwards
