"""Every row of the REST table: who may call it, and what it answers."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from tests.support.actors import Actor, Actors, seed
from tests.support.api import Api
from tests.support.stack import Stack

pytestmark = pytest.mark.either_shape

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
DELHI = (28.6139, 77.2090)


def names(people: Actors) -> dict[str, Actor]:
    return {
        "owner": people.employer,
        "worker": people.worker,
        "staff": people.admin,
        "stranger": people.stranger,
        "other worker": people.other_worker,
    }


def test_me_tells_id_name_and_role(actors: Actors) -> None:
    for actor, role in ((actors.employer, "employer"), (actors.worker, "worker"), (actors.admin, "admin")):
        assert actor.me() == {"id": actor.id, "name": actor.user.name, "role": role}


def test_workers_are_listed_for_staff_with_their_availability(actors: Actors, stack: Stack) -> None:
    booking = actors.new_booking("on_the_way")
    (idle,) = seed(stack, ["worker"])

    def available() -> dict[str, bool]:
        found: dict[str, bool] = {}
        page = 1
        while True:
            answer = actors.admin.call("GET", f"workers/?page_size=100&page={page}")
            assert set(answer) == {"count", "next", "previous", "results"}
            assert all(set(worker) == {"id", "name", "available"} for worker in answer["results"])
            found |= {worker["id"]: worker["available"] for worker in answer["results"]}
            if answer["next"] is None:
                return found
            page += 1

    assert available()[actors.worker.id] is False
    assert available()[idle.id] is True, "nobody assigned this worker anything yet"
    actors.employer.call("PATCH", f"bookings/{booking}/status/", {"status": "cancelled"})
    assert actors.admin.id not in available()
    for actor in (actors.employer, actors.worker):
        assert actor.workers(expect=403)["code"] == "permission_denied"


def test_a_ticket_is_issued_once_for_each_request(actors: Actors) -> None:
    answers = [actors.stranger.call("POST", "realtime/tickets/", {}, expect=201) for _ in range(2)]
    assert all(set(answer) == {"ticket", "expires_in"} and answer["expires_in"] == 30 for answer in answers)
    assert answers[0]["ticket"] != answers[1]["ticket"]
    assert actors.stranger.send("POST", "realtime/tickets/").status_code == 201, "no body is needed"


def test_a_created_booking_has_every_field_of_the_table(actors: Actors) -> None:
    booking = actors.employer.create_booking()
    assert list(booking) == [
        "id", "seq", "status", "service", "address", "lat", "lng", "preferred_time", "notes", "estimated_price",
        "eta_minutes", "owner", "worker", "created_at", "updated_at",
    ]  # fmt: skip
    assert str(uuid.UUID(booking["id"])) == booking["id"]
    assert (booking["seq"], booking["status"], booking["worker"], booking["eta_minutes"]) == (
        1,
        "requested",
        None,
        None,
    )
    assert (booking["lat"], booking["lng"], booking["estimated_price"]) == ("28.613900", "77.209000", "499.00")
    assert booking["preferred_time"] == "2030-01-03T11:00:00Z"
    assert booking["owner"] == {"id": actors.employer.id, "name": actors.employer.user.name}
    assert MOMENT.fullmatch(booking["created_at"])
    assert MOMENT.fullmatch(booking["updated_at"])
    assert actors.employer.booking(booking["id"]) == booking


def test_only_the_service_must_be_named(actors: Actors) -> None:
    booking = actors.employer.call("POST", "bookings/", {"service": "cleaning"}, expect=201)
    empty = {"lat": None, "lng": None, "preferred_time": None, "estimated_price": None, "notes": "", "address": ""}
    assert {name: booking[name] for name in empty} == empty


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"lat": 28.61391234567, "lng": -77}, {"lat": "28.613912", "lng": "-77.000000"}),
        ({"lat": "28.6139", "lng": "-0.0000001"}, {"lat": "28.613900", "lng": "0.000000"}),
        ({"estimated_price": 12.5}, {"estimated_price": "12.50"}),
        ({"preferred_time": "2030-01-03T16:30:00.25+05:30"}, {"preferred_time": "2030-01-03T11:00:00.250000Z"}),
        ({"notes": "  उबर 🛵  "}, {"notes": "उबर 🛵"}),
    ],
)
def test_numbers_and_times_are_normalised(actors: Actors, sent: dict[str, Any], kept: dict[str, Any]) -> None:
    booking = actors.employer.create_booking(**sent)
    assert {name: booking[name] for name in kept} == kept


def test_workers_do_not_create_bookings_and_staff_may(actors: Actors) -> None:
    assert actors.worker.create_booking(expect=403)["code"] == "permission_denied"
    assert actors.admin.create_booking()["owner"]["id"] == actors.admin.id


def test_a_booking_is_seen_by_its_people_and_is_404_for_others(actors: Actors) -> None:
    booking = actors.new_booking()
    for path in (f"bookings/{booking}/", f"bookings/{booking}/events/"):
        for name, actor in names(actors).items():
            answer = actor.send("GET", path)
            assert answer.status_code == (200 if name in {"owner", "worker", "staff"} else 404), name
    missing = actors.employer.booking(str(uuid.uuid4()), expect=404)
    assert actors.stranger.booking(booking, expect=404) == missing, "existence is not leaked"


def test_ids_in_paths_may_be_in_capitals(actors: Actors) -> None:
    """As Swift spells a UUID."""
    booking_id = actors.new_booking()
    spelled = booking_id.upper()
    assert actors.employer.booking(spelled)["id"] == booking_id
    assert actors.employer.events(spelled)["seq"] == 3
    assert actors.worker.status(spelled, "on_the_way")["id"] == booking_id
    assert actors.worker.track(spelled, 28.6, 77.2)["booking_id"] == booking_id
    assert actors.employer.location(spelled)["booking_id"] == booking_id
    told = actors.employer.notifications()["results"][0]["id"]
    assert actors.employer.mark_read(told.upper())["id"] == told


def test_lists_have_pages_newest_first_and_a_filter(actors: Actors, stack: Stack) -> None:
    fresh = Actors.of(stack)
    ids = [fresh.new_booking("requested") for _ in range(3)]
    fresh.employer.status(ids[0], "cancelled")
    first = fresh.employer.call("GET", "bookings/?page_size=2")
    assert first["count"] == 3
    assert [booking["id"] for booking in first["results"]] == [ids[2], ids[1]]
    assert first["previous"] is None
    assert first["next"].startswith(stack.base_url)
    second = fresh.employer.http.get(first["next"], headers={"Authorization": f"Bearer {fresh.employer.token}"})
    assert [booking["id"] for booking in second.json()["results"]] == [ids[0]]
    cancelled = fresh.employer.call("GET", "bookings/?status=cancelled")
    assert [booking["id"] for booking in cancelled["results"]] == [ids[0]]
    assert fresh.stranger.bookings()["results"] == []
    assert fresh.worker.bookings()["results"] == []
    assert fresh.admin.bookings()["count"] >= 3
    assert fresh.employer.call("GET", "bookings/?page=3&page_size=2", expect=404)["code"] == "not_found"
    for query, field in (
        ("status=lost", "status"),
        ("page=0", "page"),
        ("page=last", "page"),
        ("page_size=x", "page_size"),
    ):
        answer = fresh.employer.call("GET", f"bookings/?{query}", expect=400)
        assert list(answer["fields"]) == [field]
    fresh.close()


def test_assigning_confirms_tells_the_worker_and_takes_the_booking_from_the_worker_before(actors: Actors) -> None:
    booking = actors.new_booking("requested")
    assert actors.worker.booking(booking, expect=404)["code"] == "not_found"
    assigned = actors.admin.assign(booking, actors.worker.id)
    assert (assigned["status"], assigned["seq"]) == ("confirmed", 3)
    assert assigned["worker"] == {"id": actors.worker.id, "name": actors.worker.user.name}
    assert actors.admin.assign(booking, actors.worker.id)["seq"] == 3, "again changes nothing"
    events = actors.worker.events(booking)["results"]
    assert [event["event_type"] for event in events] == ["booking_requested", "booking_assigned", "booking_confirmed"]
    assert [event["status"] for event in events] == ["requested", "requested", "confirmed"]
    assert actors.admin.assign(booking, actors.other_worker.id)["seq"] == 4
    assert actors.worker.booking(booking, expect=404)["code"] == "not_found"
    assert actors.other_worker.booking(booking)["worker"]["id"] == actors.other_worker.id


def test_who_may_assign_and_whom(actors: Actors) -> None:
    booking = actors.new_booking()
    before = actors.employer.booking(booking)
    for name, actor in names(actors).items():
        if name != "staff":
            expect = 403 if name in {"owner", "worker"} else 404
            assert actor.assign(booking, actors.other_worker.id, expect=expect)
    for nobody in (str(uuid.uuid4()), actors.employer.id, actors.admin.id):
        answer = actors.admin.assign(booking, nobody, expect=400)
        assert list(answer["fields"]) == ["worker_id"]
    assert actors.employer.booking(booking) == before
    cancelled = actors.new_booking("cancelled")
    assert actors.admin.assign(cancelled, actors.worker.id, expect=409)["code"] == "booking_finished"


def test_the_event_log_is_numbered_and_can_be_read_from_a_number(actors: Actors) -> None:
    booking = actors.new_booking("completed")
    log = actors.employer.events(booking)
    assert (log["seq"], log["pruned_seq"]) == (6, 0)
    assert [event["seq"] for event in log["results"]] == [1, 2, 3, 4, 5, 6]
    last = log["results"][-1]
    assert last == {
        "type": "booking_status",
        "booking_id": booking,
        "status": "completed",
        "event_type": "booking_completed",
        "actor": actors.worker.user.name,
        "timestamp": last["timestamp"],
        "seq": 6,
    }
    assert MOMENT.fullmatch(last["timestamp"])
    assert actors.employer.events(booking, since=4)["results"] == log["results"][4:]
    assert actors.employer.events(booking, since=6)["results"] == []
    assert actors.employer.events(booking, since="9" * 18)["results"] == []
    for malformed in ("", "-1", "1.0", "x", "9" * 19, "9" * 3000, "%00", "١"):
        answer = actors.employer.events(booking, since=malformed, expect=400)
        assert list(answer["fields"]) == ["since"], malformed


def test_a_location_is_answered_as_documented_and_can_be_read(actors: Actors) -> None:
    booking = actors.new_booking()
    assert actors.employer.location(booking, expect=404)["code"] == "no_position"
    answer = actors.worker.track(booking, *DELHI, timestamp="2026-01-03T11:05:00Z")
    assert answer == {
        "status": "success",
        "message": "Location updated",
        "booking_id": booking,
        "location": {"lat": 28.6139, "lng": 77.2090, "timestamp": "2026-01-03T11:05:00Z"},
        "next_in_ms": answer["next_in_ms"],
    }
    assert answer["next_in_ms"] in {2000, 15_000}  # embedded, where nobody counts watchers, and distributed
    location = {
        "booking_id": booking,
        "lat": 28.6139,
        "lng": 77.2090,
        "timestamp": "2026-01-03T11:05:00Z",
        "actor": actors.worker.user.name,
    }
    for name, actor in names(actors).items():
        if name in {"owner", "worker", "staff"}:
            assert actor.location(booking) == location
        else:
            assert actor.location(booking, expect=404)
    actors.employer.status(booking, "cancelled")
    assert actors.employer.location(booking, expect=404)["code"] == "no_position"


def test_who_may_post_locations_and_when(actors: Actors) -> None:
    booking = actors.new_booking()
    for name, actor in names(actors).items():
        if name in {"owner", "stranger", "other worker"}:
            actor.track(booking, *DELHI, expect=403 if name == "owner" else 404)
    assert actors.admin.track(booking, *DELHI)["status"] == "success"
    for status in ("completed", "cancelled"):
        assert actors.worker.track(actors.new_booking(status), *DELHI, expect=409)["code"] == "not_tracked"
    requested = actors.new_booking("requested")
    assert actors.admin.track(requested, *DELHI, expect=409)["code"] == "not_tracked"


def test_a_second_location_within_two_seconds_is_429_with_whole_seconds(actors: Actors) -> None:
    booking, answer = actors.second_position_at_once()
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer.headers["Retry-After"] in {"1", "2"}
    assert actors.worker.location(booking)["lat"] == 28.6139


def test_notifications_reach_those_concerned_and_can_be_marked(actors: Actors, stack: Stack) -> None:
    fresh = Actors.of(stack)
    booking = fresh.new_booking("on_the_way")
    listed = fresh.employer.notifications()["results"]
    assert [item["seq"] for item in listed] == [3, 2, 1]
    assert [item["data"]["event_type"] for item in listed] == [
        "booking_on_the_way", "booking_confirmed", "booking_assigned",
    ]  # fmt: skip
    newest = listed[0]
    assert list(newest) == ["seq", "id", "title", "message", "data", "created_at", "read_at"]
    assert newest["data"] == {
        "booking_id": booking,
        "event_type": "booking_on_the_way",
        "status": "on_the_way",
        "seq": 4,
        "service": "plumbing",
        "worker": fresh.worker.user.name,
    }
    assert newest["read_at"] is None
    assert MOMENT.fullmatch(newest["created_at"])

    read = fresh.employer.mark_read(newest["id"])
    assert MOMENT.fullmatch(read["read_at"])
    assert fresh.employer.mark_read(newest["id"]) == read, "the first time stays"
    assert fresh.stranger.mark_read(newest["id"], expect=404)["code"] == "not_found"
    assert fresh.employer.mark_read(str(uuid.uuid4()), expect=404)

    def seqs(query: str) -> list[int]:
        return [item["seq"] for item in fresh.employer.call("GET", f"notifications/?{query}")["results"]]

    assert (seqs("unread=true"), seqs("unread=false"), seqs("page_size=1&page=2")) == ([2, 1], [3], [2])
    assert fresh.employer.call("GET", "notifications/?unread=yes", expect=400)["fields"].keys() == {"unread"}
    assert fresh.employer.mark_all_read() == {"updated": 2}
    assert fresh.employer.mark_all_read() == {"updated": 0}
    assert seqs("unread=true") == []
    assert fresh.stranger.notifications()["count"] == 0
    fresh.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "users/me/"), ("GET", "workers/"), ("POST", "realtime/tickets/"), ("GET", "bookings/"),
        ("POST", "bookings/"), ("GET", "bookings/{id}/"), ("PATCH", "bookings/{id}/status/"),
        ("POST", "bookings/{id}/assign/"), ("GET", "bookings/{id}/events/"), ("POST", "tracking/{id}/"),
        ("GET", "tracking/{id}/"), ("GET", "notifications/"), ("PATCH", "notifications/{id}/mark_read/"),
        ("PATCH", "notifications/mark_all_read/"),
    ],
)  # fmt: skip
def test_nothing_is_open_without_a_token(nobody: Api, method: str, path: str) -> None:
    answer = nobody.send(method, path.format(id=uuid.uuid4()), {})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
