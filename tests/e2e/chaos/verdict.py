"""What must hold after the faults: a pure function of the clients' logs, the acknowledged writes and the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Self

Entry = tuple[int, str]
"""An event of a log: its seq and the status after it."""

FINAL: Final = frozenset({"completed", "cancelled"})
UNANSWERED: Final = "refresh without an answer"
SIGNED_IN: Final = "signed in again"
"""Outcomes in `Clients.answers`. The first may cause the second, because the server ends a session whose refresh is
repeated too late (`JWT_REFRESH_GRACE`)."""


@dataclass(frozen=True)
class Watched:
    """What one client saw of one booking."""

    client: str
    booking: str
    log: Sequence[Entry]
    locations: Sequence[tuple[int, float]]
    """The locations it showed, in order: the seq of the last event at that time, and the location's time."""
    problem: str = ""
    """Why it does not watch any more, or has no complete log; empty if it was complete."""


@dataclass(frozen=True)
class Acknowledged:
    """A write to which REST answered 2xx: the booking's status and seq in the answer."""

    booking: str
    status: str
    seq: int


@dataclass
class Clients:
    """The reports of all client processes."""

    watched: list[Watched] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    """How often each status of HTTP, or kind of failure, was the outcome of a request."""
    refused: list[str] = field(default_factory=list)
    """Answers that say that a request was wrong. Every request was right."""
    locations: int = 0
    """Locations that REST accepted."""

    @classmethod
    def of(cls, reports: Iterable[Mapping[str, Any]]) -> Self:
        """Read what the processes printed."""
        whole = cls()
        for report in reports:
            for item in report["watched"]:
                log = [(int(seq), str(status)) for seq, status in item["log"]]
                locations = [(int(seq), float(at)) for seq, at in item["locations"]]
                whole.watched.append(Watched(item["client"], item["booking"], log, locations, item["problem"]))
            whole.acknowledged += [Acknowledged(**item) for item in report["acknowledged"]]
            whole.answers.update(report["answers"])
            whole.refused += report["refused"]
            whole.locations += report["locations"]
        return whole


def violations(clients: Clients, database: Mapping[str, Sequence[Entry]]) -> list[str]:
    """Return a sentence for each promise that was broken. `database` has the log of each booking."""
    return [
        *(said for booking, log in database.items() for said in _numbers(booking, log)),
        *(said for watched in clients.watched for said in _watching(watched, database.get(watched.booking, ()))),
        *(said for write in clients.acknowledged for said in _writing(write, database.get(write.booking))),
        *(f"a correct request was refused: {said}" for said in clients.refused),
        *(
            f"{count} requests had the outcome {name}"
            for name, count in sorted(clients.answers.items())
            if name == "500"
        ),
        *_sessions(clients.answers),
    ]


def _sessions(answers: Mapping[str, int]) -> Iterable[str]:
    ended, unanswered = answers.get(SIGNED_IN, 0), answers.get(UNANSWERED, 0)
    if ended > unanswered:
        yield f"{ended} sessions ended, and only {unanswered} refreshes had no answer"


def _numbers(booking: str, log: Sequence[Entry]) -> Iterable[str]:
    if [seq for seq, _ in log] != list(range(1, len(log) + 1)):
        yield f"booking {booking}: the database's numbers have a gap: {log}"


def _watching(watched: Watched, expected: Sequence[Entry]) -> Iterable[str]:
    who = f"client {watched.client}, booking {watched.booking}"
    if watched.problem:
        yield f"{who}: {watched.problem}"
    if list(watched.log) != list(expected):
        yield f"{who}: its log is {list(watched.log)}, the database's is {list(expected)}"
    for (_, before), (_, after) in pairwise(watched.locations):
        if after < before:
            yield f"{who}: a location of {after:.3f} was shown after one of {before:.3f}"
    ends = [seq for seq, status in expected if status in FINAL]
    late = [at for seq, at in watched.locations if ends and seq >= ends[0]]
    if late:
        yield f"{who}: {len(late)} locations were shown after the end of the booking"


def _writing(write: Acknowledged, log: Sequence[Entry] | None) -> Iterable[str]:
    if log is None:
        yield f"booking {write.booking}: created and acknowledged, and not in the database"
    elif (write.seq, write.status) not in log:
        said = f"{write.status} was acknowledged as event {write.seq}"
        yield f"booking {write.booking}: {said}; the database has {list(log)}"
