"""The rate limits, shared by the processes through Redis, or each process's own without it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from tests.integration.rest.conftest import http_processes
from tests.integration.rest.test_admin import Browser
from tests.support import web
from tests.support.actors import Actors, seed
from tests.support.api import Api
from tests.support.redis import RedisServer
from tests.support.stack import Stack

HOURLY = 12
PER_MINUTE = 20


@pytest.fixture(params=["in memory", "redis"])
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """Two processes with Redis, one without."""
    with ExitStack() as running:
        variables = {
            "THROTTLE_USER_PER_HOUR": str(HOURLY),
            "THROTTLE_AUTH_PER_MINUTE": str(PER_MINUTE),
            "THROTTLE_LOGIN_PER_MINUTE": "3",
            "TRACKING_MIN_INTERVAL": "0",
        }
        if request.param == "redis":
            redis = running.enter_context(RedisServer(tmp_path))
            variables["REDIS_URL"] = redis.url
            stack = running.enter_context(http_processes(tmp_path, variables, count=2))
            stack.redis = redis
        else:
            stack = running.enter_context(http_processes(tmp_path, variables))
        yield stack


def throttled(answer: httpx.Response) -> bool:
    if answer.status_code != 429:
        return False
    assert answer.json()["code"] == "throttled"
    assert int(answer.headers["Retry-After"]) >= 1
    return True


def test_limits(limited: Stack) -> None:
    """One test, for starting the processes takes longer than all of it."""
    people = Actors.of(limited)
    booking_id = people.new_booking("on_the_way")  # 6 sign-ins so far, the worker's hour has two requests less

    statuses = [
        people.worker.send("POST", f"tracking/{booking_id}/", {"lat": 1, "lng": 1}).status_code for _ in range(30)
    ]
    assert 429 not in statuses, "posting positions has its own limit"

    def me(number: int) -> httpx.Response:
        url = f"{limited.base_urls[number % len(limited.http)]}/api/v1/users/me/"
        return web.get(url, headers={"Authorization": f"Bearer {people.stranger.token}"}, timeout=30)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(me, range(2 * HOURLY)))
    refused = [answer for answer in answers if throttled(answer)]
    assert len(refused) == HOURLY, "all that is over the limit, however many come at once"
    assert all(200 <= int(answer.headers["Retry-After"]) <= 3600 / HOURLY for answer in refused)
    assert people.employer.me(), "another user's hour is another's"

    user = seed(limited, ["worker"])[0]
    with closing(Api(limited.base_url)) as api:
        wrong = {"username": user.username, "password": "guess"}
        attempts = [api.send("POST", "auth/token/", wrong) for _ in range(4)]
        assert [answer.status_code for answer in attempts] == [401, 401, 401, 429]
        assert throttled(api.send("POST", "auth/token/", {**wrong, "password": user.password})), (
            "guessed right too late"
        )
        begun, verified = time.monotonic(), 0
        while not throttled(api.send("POST", "auth/verify/", {"token": "x"})):
            verified += 1
        assert verified < PER_MINUTE + (time.monotonic() - begun) * PER_MINUTE / 60
    people.close()

    if limited.redis is not None:
        limited.redis.kill()
        assert me(0).status_code == 200, "each process counts for itself again"


def test_signing_in_to_the_admin_counts_with_the_api(tmp_path: Path) -> None:
    with ExitStack() as running:
        stack = running.enter_context(http_processes(tmp_path, {"THROTTLE_LOGIN_PER_MINUTE": "3"}))
        admin, other = seed(stack, ["admin", "admin"])
        api = running.enter_context(closing(Api(stack.base_url)))
        browser = running.enter_context(closing(Browser(stack.base_url)))
        for _ in range(2):
            api.call("POST", "auth/token/", {"username": admin.username, "password": "guess"}, expect=401)
        guess = browser.submit("/admin/login/", username=admin.username, password="guess")
        assert "enter the correct username and password" in guess.text.lower()
        refused = browser.submit("/admin/login/", username=admin.username, password=admin.password)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert f"Too many attempts; try again in {refused.headers['Retry-After']} seconds." in refused.text
        assert throttled(api.send("POST", "auth/token/", {"username": admin.username, "password": admin.password}))
        browser.sign_in(other)
