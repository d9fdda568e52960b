"""What answers in front of Django answers as Django does."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.support import web
from tests.support.actors import Actors
from tests.support.stack import Stack

BODY: dict[str, Any] = {"lat": 28.6139, "lng": 77.209}
FRONT = {"Content-Type": "application/json"}
DJANGO = {"Content-Type": "application/json; charset=utf-8"}
"""The wrapper leaves every other spelling to Django."""


def post(stack: Stack, token: str, booking: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    url = f"{stack.base_url}/api/v1/tracking/{booking}/"
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return web.post(url, content=body, headers={**authorization, "X-Request-ID": "one", **headers}, timeout=60)


def both(
    stack: Stack, actors: Actors, body: bytes, *, token: str | None = None, status: str = "on_the_way"
) -> list[httpx.Response]:
    """The answers in front of Django and by Django, each for a booking that had no location before."""
    token = actors.worker.token if token is None else token
    return [post(stack, token, actors.new_booking(status), body, headers) for headers in (FRONT, DJANGO)]


def shape(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body, without what differs between any two requests."""
    own = {"date", "server", "content-length", "connection"}
    body = json.loads(answer.content)
    if answer.status_code == 200:
        body["location"]["timestamp"] = body["booking_id"] = ""
    headers = {name.lower(): value.lower() for name, value in answer.headers.items() if name.lower() not in own}
    return answer.status_code, headers, body


def test_an_accepted_location_is_answered_alike(actors: Actors, stack: Stack) -> None:
    body = json.dumps({**BODY, "accuracy": 5, "heading": 0, "speed": 1.5}).encode()
    front, django = both(stack, actors, body)
    assert shape(front) == shape(django)
    assert front.status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"lat": 91}, {"lat": "28.6"}, {"lat": True}, {"lat": None}, {"lng": 10**400}, {"timestamp": "yesterday"},
        {"timestamp": "2026-01-03T11:05:00"}, {"timestamp": 5}, {"timestamp": None},
        {"timestamp": "9999-01-01T00:00:00Z"}, {"timestamp": "2020-01-01T00:00:00Z"},
        {"accuracy": -1}, {"accuracy": None}, {"heading": 360}, {"speed": "1"},
        {"unknown": [1]},
    ],
    ids=str,
)  # fmt: skip
def test_a_strange_location_is_answered_alike(actors: Actors, stack: Stack, change: dict[str, Any]) -> None:
    answers = both(stack, actors, json.dumps({**BODY, **change}).encode())
    assert shape(answers[0]) == shape(answers[1])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"null", b'"x"', b"\xff", b'{"lat": NaN, "lng": 1}', b"[" * 3000, b" " * 5000], ids=repr
)
def test_a_body_that_is_not_a_location_is_answered_alike(actors: Actors, stack: Stack, body: bytes) -> None:
    answers = both(stack, actors, body)
    assert shape(answers[0]) == shape(answers[1])
    assert answers[0].status_code == 400


def test_users_who_may_not_post_are_answered_alike(actors: Actors, stack: Stack) -> None:
    body = json.dumps(BODY).encode()
    for token, status in (
        ("", 401), ("nonsense", 401), (actors.employer.token, 403), (actors.other_worker.token, 404),
        (actors.admin.token, 200),
    ):  # fmt: skip
        answers = both(stack, actors, body, token=token)
        assert [answer.status_code for answer in answers] == [status, status]
        assert shape(answers[0]) == shape(answers[1])
    unknown = str(uuid.uuid4())
    answers = [post(stack, actors.worker.token, unknown, body, headers) for headers in (FRONT, DJANGO)]
    assert shape(answers[0]) == shape(answers[1])
    assert post(stack, actors.worker.token, actors.new_booking("on_the_way").upper(), body, FRONT).status_code == 200


def test_a_booking_that_is_over_is_answered_alike(actors: Actors, stack: Stack) -> None:
    answers = both(stack, actors, json.dumps(BODY).encode(), status="completed")
    assert shape(answers[0]) == shape(answers[1])
    assert answers[0].json()["code"] == "not_tracked"


def test_a_page_of_another_origin_and_a_foreign_host_are_djangos(actors: Actors, stack: Stack) -> None:
    booking = actors.new_booking("on_the_way")
    body = json.dumps(BODY).encode()
    page = post(stack, actors.worker.token, booking, body, {**FRONT, "Origin": "https://elsewhere.example"})
    assert page.status_code == 200
    assert "access-control-allow-origin" not in page.headers
    foreign = post(stack, actors.worker.token, booking, body, {**FRONT, "Host": "elsewhere.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (400, "bad_request")
    packed = post(stack, actors.worker.token, booking, gzip.compress(body), {**FRONT, "Content-Encoding": "gzip"})
    assert packed.status_code in {400, 415}
