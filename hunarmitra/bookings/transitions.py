"""Which status may follow which, and who may bring it about: the pure table of a booking's life."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    ON_THE_WAY = "on_the_way"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Part(StrEnum):
    """The part that a user has in a booking; one user may have several."""

    OWNER = "owner"
    WORKER = "worker"
    STAFF = "staff"


FINAL: Final = frozenset({Status.COMPLETED, Status.CANCELLED})
TRACKED: Final = frozenset({Status.CONFIRMED, Status.ON_THE_WAY, Status.ARRIVED})
"""While in one of these, the assigned worker's position may be posted and seen."""

_DOING_THE_WORK: Final = frozenset({Part.WORKER, Part.STAFF})
_CALLING_OFF: Final = frozenset({Part.OWNER, Part.STAFF})

TRANSITIONS: Final[dict[tuple[Status, Status], frozenset[Part]]] = {
    (Status.REQUESTED, Status.CONFIRMED): frozenset(Part),
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


def judge(current: Status, wanted: Status, parts: frozenset[Part]) -> Verdict:
    """Whether ``wanted`` may follow ``current`` when someone with these parts asks for it."""
    if current == wanted:
        return Verdict.UNCHANGED
    allowed = TRANSITIONS.get((current, wanted))
    if allowed is None:
        return Verdict.ILLEGAL
    return Verdict.ALLOWED if allowed & parts else Verdict.FORBIDDEN
