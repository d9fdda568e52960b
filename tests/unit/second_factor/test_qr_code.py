"""QR codes, compared with those of the package `qrcode` 8.2 (error correction L, mask 0, bytes)."""

from __future__ import annotations

import hashlib

import pytest

from hunarmitra.second_factor.qr_code import Rows, qr_code, svg_path

FINDER = ["#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"]


def text_of(rows: Rows) -> list[str]:
    return ["".join("#" if dark else "." for dark in row) for row in rows]


def data_of(length: int) -> bytes:
    return bytes(97 + 7 * index % 26 for index in range(length))


@pytest.mark.parametrize(
    ("length", "size", "digest"),
    [
        (1, 21, "5dcb66b40ad9dfbb"),
        (14, 21, "a80acb481c3f13c4"),
        (60, 33, "b2394c71e855c893"),
        (120, 41, "5875747a2b4f5da7"),
        (300, 61, "c8222ca018dfbb98"),
        (700, 89, "1d76073df1659712"),
        (1500, 129, "6cae2cba88bef801"),
        (2953, 177, "94a20ef213f569f5"),
    ],
)
def test_the_modules_are_those_of_another_implementation(length: int, size: int, digest: str) -> None:
    rows = text_of(qr_code(data_of(length)))
    assert len(rows) == size
    assert hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] == digest


def test_three_corners_have_the_finder() -> None:
    rows = text_of(qr_code(b"otpauth://totp/HunarMitra:admin"))
    assert [row[:7] for row in rows[:7]] == [row[-7:] for row in rows[:7]] == [row[:7] for row in rows[-7:]] == FINDER


def test_more_bytes_than_the_largest_code_has_are_an_error() -> None:
    assert len(qr_code(bytes(2953))) == 177
    with pytest.raises(ValueError, match="2954 bytes are too many"):
        qr_code(bytes(2954))


def test_the_path_has_each_run_of_dark_modules_once() -> None:
    assert svg_path([[True, True, False, True], [False, True, False, False]]) == (
        "M0 0h2v1h-2zM3 0h1v1h-1zM1 1h1v1h-1z"
    )
