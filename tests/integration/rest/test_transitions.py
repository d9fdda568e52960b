"""Changes of a status over REST: each verdict's answer. `tests/services/test_bookings.py` has every transition."""

from __future__ import annotations

import pytest

from tests.support.actors import Actor, Actors

pytestmark = pytest.mark.either_shape


@pytest.mark.parametrize(
    ("current", "wanted", "role", "status", "code"),
    [
        ("confirmed", "on_the_way", "worker", 200, ""),
        ("confirmed", "confirmed", "worker", 200, ""),
        ("confirmed", "on_the_way", "owner", 403, "permission_denied"),
        ("confirmed", "on_the_way", "stranger", 404, "not_found"),
        ("confirmed", "completed", "staff", 409, "illegal_transition"),
        ("completed", "cancelled", "owner", 409, "illegal_transition"),
    ],
)
def test_each_verdict_has_its_answer(
    actors: Actors, current: str, wanted: str, role: str, status: int, code: str
) -> None:
    people: dict[str, Actor] = {
        "owner": actors.employer,
        "worker": actors.worker,
        "staff": actors.admin,
        "stranger": actors.stranger,
    }
    booking = actors.new_booking(current)
    before = actors.admin.booking(booking), actors.admin.events(booking)
    answer = people[role].status(booking, wanted, expect=status)
    if status == 200 and wanted != current:
        assert (answer["status"], answer["seq"]) == (wanted, before[0]["seq"] + 1)
        newest = actors.admin.events(booking, since=before[0]["seq"])["results"]
        assert [(event["event_type"], event["actor"]) for event in newest] == [
            (f"booking_{wanted}", people[role].user.name)
        ]
        return
    if code:
        assert answer["code"] == code
    else:
        assert answer == before[0]
    assert (actors.admin.booking(booking), actors.admin.events(booking)) == before


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
