"""A booking ordered twice over a bad connection is one booking."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.actors import Actors

pytestmark = pytest.mark.either_shape

ORDER = {"service": "plumbing", "lat": 28.6139, "lng": "77.2090", "estimated_price": "499.00"}


def test_a_repeated_key_gets_the_first_booking_and_says_so(actors: Actors) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    first = actors.employer.send("POST", "bookings/", ORDER, headers=headers)
    again = actors.employer.send("POST", "bookings/", {**ORDER, "lng": 77.209000}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert actors.employer.events(first.json()["id"])["seq"] == 1


def test_a_key_used_for_another_order_is_refused(actors: Actors) -> None:
    key = "order " + secrets.token_hex(4)
    actors.employer.call("POST", "bookings/", ORDER, expect=400, headers={"Idempotency-Key": key})
    key = key.replace(" ", "~")
    actors.employer.call("POST", "bookings/", ORDER, expect=201, headers={"Idempotency-Key": key})
    answer = actors.employer.call(
        "POST", "bookings/", {**ORDER, "service": "wiring"}, expect=409, headers={"Idempotency-Key": key}
    )
    assert answer["code"] == "idempotency_key_reused"
    actors.stranger.call("POST", "bookings/", ORDER, expect=201, headers={"Idempotency-Key": key})


def test_simultaneous_requests_with_one_key_make_one_booking(actors: Actors) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(actors.employer.send, "POST", "bookings/", ORDER, headers=headers) for _ in range(8)]
        answers = [future.result() for future in futures]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "ключ".encode()])
def test_a_key_is_1_to_200_visible_ascii_characters(actors: Actors, key: str | bytes) -> None:
    before = actors.employer.bookings()["count"]
    headers: dict[str, str] = {"Idempotency-Key": key}  # type: ignore[dict-item] # bytes are sent as they are
    answer = actors.employer.send("POST", "bookings/", ORDER, headers=headers)
    assert answer.status_code == 400
    assert list(answer.json().get("fields", {"Idempotency-Key": []})) == ["Idempotency-Key"]
    assert actors.employer.bookings()["count"] == before
    assert actors.employer.call(
        "POST", "bookings/", ORDER, expect=201, headers={"Idempotency-Key": "x" * 199 + secrets.choice("abc")}
    )
