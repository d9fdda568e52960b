"""The transition table: which status may follow which, and which roles may make the change."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hunarmitra.protocol.statuses import FINAL, Status


class BookingRole(StrEnum):
    """What a user is to one booking; a user may have several of these roles."""

    OWNER = "owner"
    WORKER = "worker"
    STAFF = "staff"


_DOING_THE_WORK: Final = frozenset({BookingRole.WORKER, BookingRole.STAFF})
_CALLING_OFF: Final = frozenset({BookingRole.OWNER, BookingRole.STAFF})

TRANSITIONS: Final[dict[tuple[Status, Status], frozenset[BookingRole]]] = {
    (Status.REQUESTED, Status.CONFIRMED): frozenset(BookingRole),
    (Status.CONFIRMED, Status.ON_THE_WAY): _DOING_THE_WORK,
    (Status.ON_THE_WAY, Status.ARRIVED): _DOING_THE_WORK,
    (Status.ARRIVED, Status.COMPLETED): _DOING_THE_WORK,
    **{(status, Status.CANCELLED): _CALLING_OFF for status in Status if status not in FINAL},
}


class Verdict(StrEnum):
    UNCHANGED = "unchanged"
    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    ILLEGAL = "illegal"


def judge(current: Status, wanted: Status, roles: frozenset[BookingRole]) -> Verdict:
    """Judge a change from ``current`` to ``wanted`` by a user with these roles."""
    if current == wanted:
        return Verdict.UNCHANGED
    allowed = TRANSITIONS.get((current, wanted))
    if allowed is None:
        return Verdict.ILLEGAL
    return Verdict.ALLOWED if allowed & roles else Verdict.FORBIDDEN
