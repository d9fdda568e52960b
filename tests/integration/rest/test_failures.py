"""Limits of failed requests, of bursts of writes and of unfinished bookings. Requests that succeed are not limited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from tests.integration.rest.conftest import http_processes
from tests.support import web
from tests.support.actors import Actors
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.shell import Shell
from tests.support.stack import Stack, fresh_postgres

FAILURES = 6
WRITES = 10
OPEN = 4
HOUR = 3600
BODY = {"lat": 28.6139, "lng": 77.209}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Stack]:
    """Two processes on PostgreSQL that count in Redis."""
    directory = tmp_path_factory.mktemp("limited")
    with ExitStack() as running:
        redis = running.enter_context(RedisServer(directory))
        variables = {
            "DATABASE_URL": fresh_postgres(postgres_server),
            "REDIS_URL": redis.url,
            "THROTTLE_FAILURES_PER_MINUTE": str(FAILURES),
            "THROTTLE_WRITES_PER_MINUTE": str(WRITES),
            "BOOKINGS_OPEN_MAX": str(OPEN),
            "TRACKING_MIN_INTERVAL": "0",
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        yield running.enter_context(http_processes(directory, variables, count=2))


@pytest.fixture
def people(limited: Stack) -> Iterator[Actors]:
    actors = Actors.of(limited)
    yield actors
    actors.close()


class Client:
    """Requests from an address, to both processes in turn."""

    def __init__(self, stack: Stack, address: str) -> None:
        self._urls = stack.base_urls
        self._address = address
        self._number = 0

    def send(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        self._number += 1
        return web.request(
            method,
            f"{self._urls[self._number % len(self._urls)]}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}", "X-Forwarded-For": self._address},
            timeout=60,
        )

    def statuses(self, count: int, *request: Any) -> list[int]:
        answers = [self.send(*request) for _ in range(count)]
        for answer in answers:
            if answer.status_code == 429:
                assert answer.json() == {
                    "detail": "Too many failed requests; try again after the seconds in Retry-After.",
                    "code": "throttled",
                }
                assert 1 <= int(answer.headers["Retry-After"]) <= 60 / FAILURES + 1
        return [answer.status_code for answer in answers]


def expired_copy(encoded: str) -> str:
    """Return the token with an expiry an hour ago, signed again."""
    from datetime import timedelta

    from hunarmitra.accounts.tokens import AccessToken

    token: Any = AccessToken(encoded)  # type: ignore[arg-type]
    token.set_exp(lifetime=-timedelta(hours=1))
    return str(token)


def statuses_and_queries(token: str, count: int) -> list[list[int]]:
    """Read the bookings several times; return the status and the number of queries of each request."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client, found = Client(SERVER_NAME="127.0.0.1"), []
    for _ in range(count):
        with CaptureQueriesContext(connection) as captured:
            answer = client.get("/api/v1/bookings/", headers={"authorization": f"Bearer {token}"})
        found.append([answer.status_code, len(captured.captured_queries)])
    connection.close()
    return found


def limited_from(statuses: list[int], failed: int) -> None:
    """The first ones fail as ever, later ones mostly with 429. Units return while a slow machine counts."""
    assert set(statuses) == {failed, 429}
    assert statuses[:FAILURES] == [failed] * FAILURES
    assert statuses[FAILURES] == 429


def test_locations_for_bookings_of_others_are_limited_and_valid_ones_are_not(limited: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    carrier = Client(limited, "203.0.113.7")
    post = ("POST", f"tracking/{booking}/", people.other_worker.token, BODY)
    limited_from(carrier.statuses(30, *post), 404)
    valid = ("POST", f"tracking/{booking}/", people.worker.token, BODY)
    assert carrier.statuses(20, *valid) == [200] * 20, "others failed, not this worker"
    assert Client(limited, "203.0.113.8").statuses(1, *post)[0] in (404, 429)
    other = people.new_booking("on_the_way")
    elsewhere = ("POST", f"tracking/{other}/", people.other_worker.token, BODY)
    assert Client(limited, "203.0.113.9").statuses(1, *elsewhere) == [404], "another address has its own limit"


def test_invalid_tokens_are_limited_and_valid_and_expired_ones_are_not(limited: Stack, people: Actors) -> None:
    carrier = Client(limited, "2001:db8:0:7::1")
    limited_from(carrier.statuses(2 * FAILURES, "GET", "users/me/", "eyJ.eyJ.x"), 401)
    neighbour = Client(limited, "2001:db8:0:7:ffff::2")
    assert neighbour.send("GET", "users/me/", "wrong").status_code == 429, "one subscriber has the whole /64"
    assert neighbour.send("GET", "users/me/", people.employer.token).status_code == 200
    with Shell(limited, SERVICES="http") as shell:
        expired = shell.call(expired_copy, encoded=people.employer.token)
    assert carrier.statuses(2 * FAILURES, "GET", "users/me/", expired) == [401] * 2 * FAILURES


def test_revoked_tokens_are_limited_and_cost_no_query_above_the_limit(limited: Stack, people: Actors) -> None:
    token = people.stranger.token
    people.stranger.logout()
    carrier = Client(limited, "203.0.113.20")
    limited_from(carrier.statuses(3 * FAILURES, "GET", "bookings/", token), 401)
    assert carrier.send("GET", "bookings/", people.employer.token).status_code == 200
    with Shell(limited, SERVICES="http", THROTTLE_FAILURES_PER_MINUTE="1", REDIS_URL="") as shell:
        found = shell.call(statuses_and_queries, token=token, count=3)
    assert found == [[401, 1], [429, 1], [429, 0]]


def test_rejected_locations_of_a_user_are_limited(limited: Stack, people: Actors) -> None:
    booking = people.new_booking("completed")
    path = f"tracking/{booking}/"
    limited_from(Client(limited, "203.0.113.30").statuses(2 * FAILURES, "POST", path, people.worker.token, BODY), 409)
    bad = Client(limited, "203.0.113.31").send("POST", path, people.admin.token, {"lat": 91, "lng": 0})
    assert bad.status_code == 400, "another user has another limit"


def test_a_burst_of_writes_is_limited_and_reading_is_not(limited: Stack, people: Actors) -> None:
    staff = people.admin
    body = {"service": "plumbing", "notes": "x" * 2000}

    def create(number: int) -> httpx.Response:
        url = f"{limited.base_urls[number % 2]}/api/v1/bookings/"
        authorization = {"Authorization": f"Bearer {staff.token}"}
        return web.post(url, json=body, headers=authorization, timeout=60)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(60)))
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) == {201, 429}
    assert counts[201] >= WRITES
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "throttled"
    assert int(refused.headers["Retry-After"]) >= 1
    assert counts[429] > 30, "what returns within the burst does not allow all of it"
    assert staff.send("GET", "bookings/").status_code == 200
    assert people.stranger.create_booking(), "another user has another limit"


def test_unfinished_bookings_of_an_owner_are_limited_however_many_are_created_at_once(
    limited: Stack, people: Actors
) -> None:
    def create(number: int) -> httpx.Response:
        api = people.employer.at(limited.base_urls[number % 2])
        with closing(api):
            return api.send("POST", "bookings/", {"service": "plumbing"}, headers={"Idempotency-Key": f"k{number}"})

    with ThreadPoolExecutor(8) as pool:
        answers = dict(enumerate(pool.map(create, range(OPEN + 4))))
    created = {number: answer.json()["id"] for number, answer in answers.items() if answer.status_code == 201}
    refused = [answer for answer in answers.values() if answer.status_code == 409]
    assert (len(created), len(refused)) == (OPEN, 4)
    assert refused[0].json() == {
        "detail": f"You have {OPEN} unfinished bookings, which is the limit. Complete or cancel one of them first.",
        "code": "too_many_open",
    }
    number, booking_id = next(iter(created.items()))
    assert create(number).json()["id"] == booking_id, "a repeated request creates nothing"
