"""What a client may send wrongly: each with its answer, and nothing changed."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.actors import Actor, Actors
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.stack import Stack

DEEP = b"[" * 30_000
HUGE = b"9" * 10_000
MEBIBYTE = 1024 * 1024


@contextmanager
def unchanged(actors: Actors, booking_id: str) -> Iterator[None]:
    """The booking, its log, its position and how many there are."""

    def state() -> tuple[Any, ...]:
        location = actors.employer.send("GET", f"tracking/{booking_id}/").json()
        count = actors.employer.bookings()["count"]
        return actors.employer.booking(booking_id), actors.employer.events(booking_id), location, count

    before = state()
    yield
    assert state() == before


@pytest.fixture(scope="module")
def booking(actors: Actors) -> str:
    return actors.new_booking("confirmed")


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The body of an error, which is JSON and has the one shape."""
    assert answer.headers["Content-Type"] == "application/json"
    error: dict[str, Any] = answer.json()
    assert set(error) == ({"detail", "code", "fields"} if answer.status_code == 400 else {"detail", "code"})
    assert all(isinstance(error[name], str) and error[name] for name in ("detail", "code"))
    return error


def raw(api: Api, method: str, path: str, content: bytes, kind: str = "application/json") -> httpx.Response:
    return api.send(method, path, content=content, headers={"Content-Type": kind})


UNREADABLE = {
    "nothing but a brace": b"{",
    "single quotes": b"{'lat': 1}",
    "trailing comma": b'{"lat": 1,}',
    "NaN": b'{"lat": NaN, "lng": 1}',
    "Infinity": b'{"lat": 1, "lng": Infinity}',
    "minus Infinity": b'{"lat": -Infinity, "lng": 1}',
    "invalid UTF-8": b'{"service": "\xff\xfe"}',
    "UTF-16": '{"service": "x"}'.encode("utf-16"),
    "nested too deeply": DEEP,
    "an integer of 10,000 digits": b'{"lat": ' + HUGE + b', "lng": 1}',
    "two documents": b"{}{}",
}


@pytest.mark.either_shape
@pytest.mark.parametrize("what", UNREADABLE)
def test_a_body_that_is_no_json_is_400(actors: Actors, booking: str, what: str) -> None:
    with unchanged(actors, booking):
        for actor, method, path in (
            (actors.worker, "POST", f"tracking/{booking}/"),
            (actors.worker, "PATCH", f"bookings/{booking}/status/"),
            (actors.admin, "POST", f"bookings/{booking}/assign/"),
            (actors.employer, "POST", "bookings/"),
            (actors.employer, "POST", "auth/token/"),
            (actors.employer, "POST", "auth/logout/"),
        ):
            answer = raw(actor, method, path, UNREADABLE[what])
            error = error_of(answer)
            assert (answer.status_code, error["code"], error["fields"]) == (400, "parse_error", {}), (path, error)


@pytest.mark.either_shape
@pytest.mark.parametrize("body", [[], [1], "x", 1, True, None, 1.5])
def test_a_body_that_is_no_object_is_400(actors: Actors, booking: str, body: Any) -> None:
    with unchanged(actors, booking):
        for method, path in (("POST", f"tracking/{booking}/"), ("PATCH", f"bookings/{booking}/status/")):
            answer = raw(actors.worker, method, path, json.dumps(body).encode())
            assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid")


@pytest.mark.either_shape
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "lat"),
        (b'{"lat": 1}', "lng"),
        (b'{"lat": null, "lng": 1}', "lat"),
        (b'{"lat": "28.6", "lng": 1}', "lat"),
        (b'{"lat": true, "lng": 1}', "lat"),
        (b'{"lat": [1], "lng": 1}', "lat"),
        (b'{"lat": {"a": 1}, "lng": 1}', "lat"),
        (b'{"lat": 1e400, "lng": 1}', "lat"),
        (b'{"lat": 1, "lng": -1e400}', "lng"),
        (b'{"lat": 90.000001, "lng": 1}', "lat"),
        (b'{"lat": 1, "lng": -180.1}', "lng"),
        (b'{"lat": ' + b"9" * 4000 + b', "lng": 1}', "lat"),
        (b'{"lat": 1, "lng": 1, "timestamp": 1767438300}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "yesterday"}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": ""}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "2026-01-03"}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "2026-01-03T11:05:00"}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "2026-13-03T11:05:00Z"}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "2126-01-03T11:05:00Z"}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "9999-12-31T23:59:59-01:00"}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "0001-01-01T00:00:00+01:00"}', "timestamp"),
        (b'{"lat": 1, "lng": 1, "timestamp": "2026-01-03T11:05:00Z\\u0000"}', "timestamp"),
    ],
)
def test_a_wrong_location_is_400_and_names_the_field(actors: Actors, booking: str, body: bytes, field: str) -> None:
    with unchanged(actors, booking):
        answer = raw(actors.worker, "POST", f"tracking/{booking}/", body)
        assert answer.status_code == 400
        assert field in error_of(answer)["fields"]


@pytest.mark.either_shape
def test_a_naive_timestamp_is_told_what_is_missing(actors: Actors, booking: str) -> None:
    answer = actors.worker.track(booking, 1, 1, timestamp="2026-01-03T11:05:00", expect=400)
    assert "offset" in answer["fields"]["timestamp"][0]


@pytest.mark.either_shape
def test_a_location_older_than_the_last_is_409(actors: Actors) -> None:
    booking_id = actors.new_booking()
    actors.worker.track(booking_id, 1, 1, timestamp="2026-01-03T11:05:00Z")

    older = _after_the_interval(actors, booking_id, "2026-01-03T16:34:59.999999+05:30")
    assert (older.status_code, error_of(older)["code"]) == (409, "stale_position")
    assert actors.worker.location(booking_id)["lat"] == 1


@pytest.mark.either_shape
def test_a_location_of_the_last_ones_time_is_taken(actors: Actors) -> None:
    """A phone that has no newer fix says the same again, and so does one that got no answer."""
    booking_id = actors.new_booking()
    actors.worker.track(booking_id, 1, 1, timestamp="2026-01-03T11:05:00Z")
    assert _after_the_interval(actors, booking_id, "2026-01-03T16:35:00+05:30").status_code == 200
    assert actors.worker.location(booking_id)["lat"] == 2


def _after_the_interval(actors: Actors, booking_id: str, timestamp: str) -> httpx.Response:
    def posted() -> httpx.Response | None:
        answer = actors.worker.send("POST", f"tracking/{booking_id}/", {"lat": 2, "lng": 2, "timestamp": timestamp})
        return None if answer.status_code == 429 else answer

    answer = eventually(posted)
    assert answer is not None
    return answer


@pytest.mark.either_shape
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"service": ""}, "service"), ({"service": "   "}, "service"), ({"service": None}, "service"),
        ({"service": 5}, "service"), ({"service": True}, "service"), ({"service": ["x"]}, "service"),
        ({"service": "x" * 121}, "service"), ({"service": "a\x00b"}, "service"), ({"service": "\ud800"}, "service"),
        ({"address": "x" * 401}, "address"), ({"address": None}, "address"), ({"notes": "x" * 2001}, "notes"),
        ({"notes": {"a": 1}}, "notes"), ({"lat": 91}, "lat"), ({"lat": "north"}, "lat"), ({"lat": "NaN"}, "lat"),
        ({"lat": "1e2"}, "lat"), ({"lat": "٤٥"}, "lat"), ({"lat": True}, "lat"), ({"lng": "Infinity"}, "lng"),
        ({"lng": None}, "lng"), ({"estimated_price": -1}, "estimated_price"),
        ({"estimated_price": "1.001"}, "estimated_price"), ({"estimated_price": 1e11}, "estimated_price"),
        ({"estimated_price": []}, "estimated_price"), ({"preferred_time": "soon"}, "preferred_time"),
        ({"preferred_time": "2030-01-03T11:00:00"}, "preferred_time"), ({"preferred_time": 5}, "preferred_time"),
    ],
)  # fmt: skip
def test_a_wrong_order_is_400_and_names_the_field(
    actors: Actors, booking: str, change: dict[str, Any], field: str
) -> None:
    order = {"service": "plumbing", "lat": 1, "lng": 1, **change}
    with unchanged(actors, booking):
        answer = raw(actors.employer, "POST", "bookings/", json.dumps(order).encode())
        assert answer.status_code == 400
        assert list(error_of(answer)["fields"]) == [field]


@pytest.mark.either_shape
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"), ({"status": ""}, "status"), ({"status": None}, "status"), ({"status": 1}, "status"),
        ({"status": ["arrived"]}, "status"), ({"status": "flying"}, "status"), ({"status": "\ud800"}, "status"),
        ({"status": "on_the_way\x00"}, "status"), ({"status": "x" * 10_000}, "status"),
        ({"status": "on_the_way", "eta_minutes": 0}, "eta_minutes"),
        ({"status": "on_the_way", "eta_minutes": -1}, "eta_minutes"),
        ({"status": "on_the_way", "eta_minutes": 1.5}, "eta_minutes"),
        ({"status": "on_the_way", "eta_minutes": "5"}, "eta_minutes"),
        ({"status": "on_the_way", "eta_minutes": True}, "eta_minutes"),
        ({"status": "on_the_way", "eta_minutes": 10**100}, "eta_minutes"),
        ({"status": "on_the_way", "seq": -1}, "seq"), ({"status": "on_the_way", "seq": "3"}, "seq"),
        ({"status": "on_the_way", "seq": 10**18}, "seq"), ({"status": "on_the_way", "seq": 10**4000}, "seq"),
        ({"status": "on_the_way", "seq": [3]}, "seq"),
    ],
)  # fmt: skip
def test_a_wrong_status_change_is_400_and_names_the_field(
    actors: Actors, booking: str, body: dict[str, Any], field: str
) -> None:
    with unchanged(actors, booking):
        answer = raw(actors.worker, "PATCH", f"bookings/{booking}/status/", json.dumps(body).encode())
        assert answer.status_code == 400
        assert list(error_of(answer)["fields"]) == [field]


@pytest.mark.either_shape
@pytest.mark.parametrize("worker_id", [None, "", "x", 1, 10**400, True, [], {}, "9" * 10_000, "a\x00b", "\ud800"])
def test_a_wrong_worker_is_400(actors: Actors, booking: str, worker_id: Any) -> None:
    with unchanged(actors, booking):
        body = json.dumps({"worker_id": worker_id}).encode()
        answer = raw(actors.admin, "POST", f"bookings/{booking}/assign/", body)
        assert answer.status_code == 400
        assert list(error_of(answer)["fields"]) == ["worker_id"]


@pytest.mark.either_shape
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("auth/token/", {}), ("auth/token/", {"username": "x"}), ("auth/token/", {"username": "x", "password": 5}),
        ("auth/token/", {"username": "x\x00", "password": "x"}),
        ("auth/token/", {"username": "\ud800", "password": "x"}),
        ("auth/token/", {"username": "x" * 151, "password": "x"}),
        ("auth/token/", {"username": "x", "password": "x" * 1025}),
        ("auth/refresh/", {}), ("auth/refresh/", {"refresh": None}), ("auth/refresh/", {"refresh": ""}),
        ("auth/verify/", {"token": 5}), ("auth/verify/", {"token": ["x"]}), ("auth/logout/", {"refresh": {}}),
    ],
)  # fmt: skip
def test_wrong_credentials_of_a_wrong_kind_are_400(nobody: Api, path: str, body: Any) -> None:
    answer = raw(nobody, "POST", path, json.dumps(body).encode())
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "invalid"


@pytest.mark.either_shape
@pytest.mark.parametrize(
    "identifier", ["x", "1", "9" * 3000, "%00", "%2e%2e", "a" * 36, "0" * 32, "00000000-0000-0000-0000-00000000000g"]
)
def test_an_id_that_is_no_uuid_is_404(actors: Actors, identifier: str) -> None:
    for method, path in (
        ("GET", "bookings/{}/"), ("PATCH", "bookings/{}/status/"), ("POST", "bookings/{}/assign/"),
        ("GET", "bookings/{}/events/"), ("POST", "tracking/{}/"), ("GET", "tracking/{}/"),
        ("PATCH", "notifications/{}/mark_read/"),
    ):  # fmt: skip
        answer = actors.admin.send(method, path.format(identifier), {} if method != "GET" else None)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found"), (method, path)


def test_an_id_of_10000_digits_is_404_where_the_server_takes_such_a_line(actors: Actors, stack: Stack) -> None:
    answer = actors.admin.send("GET", f"bookings/{'9' * 10_000}/")
    assert answer.status_code == (404 if stack.kind == "embedded" else 414), "gunicorn reads lines of up to 8,190 bytes"


@pytest.mark.parametrize("size", [65_537, MEBIBYTE])
def test_a_body_over_the_limit_is_413_however_it_comes(actors: Actors, booking: str, size: int) -> None:
    body = b'{"status": "on_the_way", "x": "' + b"x" * size + b'"}'

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    headers = {"Content-Type": "application/json"}
    with unchanged(actors, booking):
        path = f"bookings/{booking}/status/"
        for content in (body, chunks()):
            answer = actors.worker.send("PATCH", path, content=content, headers=headers)
            assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")


def test_a_compressed_body_is_415(actors: Actors, booking: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(b'{"status": "on_the_way"}')
    with unchanged(actors, booking):
        answer = actors.worker.send("PATCH", f"bookings/{booking}/status/", content=body, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")


def test_a_body_in_chunks_is_read(actors: Actors) -> None:
    booking_id = actors.new_booking("confirmed")
    chunks = iter([b'{"status": ', b'"on_the_way"', b"}"])
    answer = actors.worker.send(
        "PATCH", f"bookings/{booking_id}/status/", content=chunks, headers={"Content-Type": "application/json"}
    )
    assert answer.json()["status"] == "on_the_way"


@pytest.mark.either_shape
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""]
)
def test_another_content_type_is_415(actors: Actors, booking: str, kind: str) -> None:
    with unchanged(actors, booking):
        answer = raw(actors.worker, "PATCH", f"bookings/{booking}/status/", b'{"status": "on_the_way"}', kind)
        assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")


@pytest.mark.either_shape
def test_unknown_fields_are_ignored(actors: Actors) -> None:
    booking = actors.employer.create_booking(id=str(uuid.uuid4()), status="completed", seq=9, owner="x", worker="y")
    assert (booking["status"], booking["seq"], booking["owner"]["id"]) == ("requested", 1, actors.employer.id)


@pytest.mark.either_shape
def test_the_limits_are_judged_before_the_rights(actors: Actors, booking: str) -> None:
    """Nothing of a booking's existence shows in how a stranger's wrong request is answered."""
    stranger: Actor = actors.stranger
    for booking_id in (booking, str(uuid.uuid4())):
        assert stranger.status(booking_id, "flying", expect=400)
        assert stranger.status(booking_id, "on_the_way", expect=404)


@pytest.mark.either_shape
@pytest.mark.parametrize("character", ["\t", "\x1b", "\x7f", "\x85", "\u202a", "\u202e", "\u2066", "\u2069"], ids=ascii)
@pytest.mark.parametrize("field", ["service", "address", "notes"])
def test_hidden_characters_are_named_and_refused(actors: Actors, field: str, character: str) -> None:
    answer = actors.employer.send("POST", "bookings/", json={"service": "Tap", field: f"a{character}b"})
    assert answer.status_code == 400
    assert f"U+{ord(character):04X}" in error_of(answer)["fields"][field][0]


@pytest.mark.either_shape
def test_only_notes_have_lines_and_joiners_are_text(actors: Actors) -> None:
    order = {"service": "\u0915\u094d\u200d\u0937", "notes": "one\ntwo\r\nthree"}
    answer = actors.employer.send("POST", "bookings/", json=order)
    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in order} == order
    for field in ("service", "address"):
        answer = actors.employer.send("POST", "bookings/", json={"service": "Tap", field: "a\nb"})
        assert "U+000A" in error_of(answer)["fields"][field][0]
