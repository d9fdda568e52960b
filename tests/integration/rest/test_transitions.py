"""Every transition for every role, from every status."""

from __future__ import annotations

import pytest

from tests.support.actors import Actor, Actors

STATUSES = ("requested", "confirmed", "on_the_way", "arrived", "completed", "cancelled")
ALLOWED = {
    ("requested", "confirmed"): {"owner", "worker", "staff"},
    ("confirmed", "on_the_way"): {"worker", "staff"},
    ("on_the_way", "arrived"): {"worker", "staff"},
    ("arrived", "completed"): {"worker", "staff"},
    ("requested", "cancelled"): {"owner", "staff"},
    ("confirmed", "cancelled"): {"owner", "staff"},
    ("on_the_way", "cancelled"): {"owner", "staff"},
    ("arrived", "cancelled"): {"owner", "staff"},
}


def expected(current: str, wanted: str, role: str) -> tuple[int, str]:
    """The status of the answer and its code; written from the API's text, not from the code."""
    if role in {"stranger", "other worker"} or (role == "worker" and current == "requested"):
        return 404, "not_found"  # nobody is assigned while it is only requested
    if wanted == current:
        return 200, ""
    if (current, wanted) not in ALLOWED:
        return 409, "illegal_transition"
    return (200, "") if role in ALLOWED[current, wanted] else (403, "permission_denied")


@pytest.mark.parametrize("current", STATUSES)
def test_matrix(actors: Actors, current: str) -> None:
    people: dict[str, Actor] = {
        "owner": actors.employer,
        "worker": actors.worker,
        "staff": actors.admin,
        "stranger": actors.stranger,
        "other worker": actors.other_worker,
    }
    untouched = actors.new_booking(current)
    before = actors.admin.booking(untouched), actors.admin.events(untouched)
    for wanted in STATUSES:
        for role, actor in people.items():
            status, code = expected(current, wanted, role)
            changes = status == 200 and wanted != current
            booking = actors.new_booking(current) if changes else untouched
            answer = actor.status(booking, wanted, expect=status)
            if code:
                assert answer["code"] == code, (wanted, role)
            elif changes:
                assert (answer["status"], answer["seq"]) == (wanted, before[0]["seq"] + 1)
                newest = actor.events(booking, since=before[0]["seq"])["results"]
                assert [(event["event_type"], event["actor"]) for event in newest] == [
                    (f"booking_{wanted}", actor.user.name)
                ]
            else:
                assert answer == before[0], (wanted, role)
    assert (actors.admin.booking(untouched), actors.admin.events(untouched)) == before


def test_an_eta_is_kept_and_told(actors: Actors) -> None:
    booking = actors.new_booking("confirmed")
    assert actors.worker.status(booking, "on_the_way", eta_minutes=12)["eta_minutes"] == 12
    assert actors.employer.events(booking)["results"][-1]["eta_minutes"] == 12
    assert actors.worker.status(booking, "arrived")["eta_minutes"] is None


def test_seq_makes_it_compare_and_set(actors: Actors) -> None:
    booking = actors.new_booking("confirmed")
    assert actors.worker.status(booking, "on_the_way", seq=2, expect=409)["code"] == "seq_mismatch"
    assert actors.worker.status(booking, "on_the_way", seq=3)["seq"] == 4
    assert actors.worker.status(booking, "arrived", seq=3, expect=409)["code"] == "seq_mismatch"
    assert actors.worker.booking(booking)["status"] == "on_the_way"


def test_a_compare_and_set_whose_answer_was_lost_may_be_repeated(actors: Actors) -> None:
    booking = actors.new_booking("confirmed")
    first = actors.worker.status(booking, "on_the_way", seq=3)
    assert actors.worker.status(booking, "on_the_way", seq=3) == first
    assert actors.worker.events(booking)["seq"] == 4
