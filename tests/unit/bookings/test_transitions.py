"""The transitions of a booking: every pair of statuses with every set of roles, in one table."""

from __future__ import annotations

from itertools import chain, combinations, product

import pytest

from hunarmitra.bookings.transitions import TRANSITIONS, BookingRole, Verdict, judge
from hunarmitra.protocol.statuses import FINAL, TRACKED, Status

R, C, W, A, D, X = Status
OWNER, WORKER, STAFF = BookingRole

# Row: from; column: to. Who may: o owner, w assigned worker, s staff; "=" unchanged; "." never.
TABLE = {
    R: dict(zip(Status, ["=", "ows", ".", ".", ".", "os"], strict=True)),
    C: dict(zip(Status, [".", "=", "ws", ".", ".", "os"], strict=True)),
    W: dict(zip(Status, [".", ".", "=", "ws", ".", "os"], strict=True)),
    A: dict(zip(Status, [".", ".", ".", "=", "ws", "os"], strict=True)),
    D: dict(zip(Status, [".", ".", ".", ".", "=", "."], strict=True)),
    X: dict(zip(Status, [".", ".", ".", ".", ".", "="], strict=True)),
}
LETTERS = {"o": OWNER, "w": WORKER, "s": STAFF}
SETS_OF_PARTS = [frozenset(parts) for parts in chain.from_iterable(combinations(BookingRole, n) for n in range(4))]


@pytest.mark.parametrize(("current", "wanted"), list(product(Status, Status)))
def test_every_pair_for_every_set_of_parts(current: Status, wanted: Status) -> None:
    cell = TABLE[current][wanted]
    for parts in SETS_OF_PARTS:
        if cell == "=":
            expected = Verdict.UNCHANGED
        elif cell == ".":
            expected = Verdict.ILLEGAL
        else:
            allowed = {LETTERS[letter] for letter in cell}
            expected = Verdict.ALLOWED if allowed & parts else Verdict.FORBIDDEN
        assert judge(current, wanted, parts) is expected, f"{current} -> {wanted} by {set(parts)}"


def test_nothing_leaves_a_final_status_and_everything_can_reach_one() -> None:
    assert {D, X} == FINAL
    assert not [pair for pair in TRANSITIONS if pair[0] in FINAL]
    for status in set(Status) - FINAL:
        assert judge(status, Status.CANCELLED, frozenset(BookingRole)) is Verdict.ALLOWED


def test_locations_are_taken_from_confirmation_to_the_end() -> None:
    assert {C, W, A} == TRACKED
