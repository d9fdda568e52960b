"""The tokens of a session, and REST calls, against a fake server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from hunarmitra_realtime import RequestError, Session
from hunarmitra_realtime.session import is_loopback


class FakeApi:
    """Issue tokens with rotation: each refresh token is valid once."""

    def __init__(self) -> None:
        self.issued = 0
        self.requests: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # as a network does
        path = request.url.path.removeprefix("/api/v1/")
        self.requests.append(path)
        if path == "auth/token/":
            return self._issue()
        if path == "auth/refresh/":
            valid = json.loads(request.content)["refresh"] == f"refresh-{self.issued}"
            return self._issue() if valid else httpx.Response(401, json={"detail": "no", "code": "token_not_valid"})
        valid = request.headers.get("Authorization") == f"Bearer access-{self.issued}"
        return httpx.Response(200, json={"path": path}) if valid else httpx.Response(401, json={})

    def _issue(self) -> httpx.Response:
        self.issued += 1
        return httpx.Response(200, json={"access": f"access-{self.issued}", "refresh": f"refresh-{self.issued}"})


def session(api: FakeApi) -> Session:
    return Session("http://server/", client=httpx.AsyncClient(transport=httpx.MockTransport(api)))


async def test_sign_in_then_the_current_token_then_a_new_one() -> None:
    async with session(FakeApi()) as one:
        await one.sign_in("asha", "secret")
        assert await one.token(False) == "access-1"
        assert await one.token(True) == "access-2"
        assert await one.token(False) == "access-2"


async def test_concurrent_renewals_use_the_refresh_token_once() -> None:
    api = FakeApi()
    async with session(api) as one:
        await one.sign_in("asha", "secret")
        first, second = await asyncio.gather(one.token(True), one.token(True))
        assert (first, second) == ("access-2", "access-2")
    assert api.requests.count("auth/refresh/") == 1


async def test_a_get_renews_a_rejected_token_once() -> None:
    api = FakeApi()
    async with session(api) as one:
        await one.sign_in("asha", "secret")
        one._access = "spoilt"
        assert await one.get("bookings/") == {"path": "bookings/"}


async def test_an_ended_session_has_no_token() -> None:
    api = FakeApi()
    async with session(api) as one:
        await one.sign_in("asha", "secret")
        api.issued += 1  # somebody else used the refresh token
        assert await one.token(True) is None
        assert await one.token(False) is None
        requests = len(api.requests)
        assert await one.token(True) is None
        assert len(api.requests) == requests, "there is no refresh token to send"
        with pytest.raises(httpx.HTTPStatusError):
            await one.get("bookings/")


# ── sign_in ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_wrong_password_has_the_servers_words() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"detail": "No such user.", "code": "no_active_account"})

    async with scripted(answer) as one:
        with pytest.raises(RequestError, match=r"^No such user\.$") as caught:
            await one.sign_in("asha", "wrong")
    assert (caught.value.status, caught.value.code) == (401, "no_active_account")


@pytest.mark.parametrize("body", [{"hello": 1}, ["x"], None])
async def test_another_server_is_named(body: object) -> None:
    async with scripted(lambda _: httpx.Response(200, json=body)) as one:
        with pytest.raises(RequestError, match="http://server answers, but not as HunarMitra does"):
            await one.sign_in("asha", "secret")


async def test_a_kept_password_signs_in_again_when_the_session_has_ended() -> None:
    api = FakeApi()
    async with session(api) as one:
        await one.sign_in("asha", "secret", keep=True)
        api.issued += 1  # somebody else used the refresh token
        assert await one.call("GET", "bookings/") == {"path": "bookings/"}
    assert api.requests[1:] == ["bookings/", "auth/refresh/", "auth/token/", "bookings/"]


async def test_a_kept_password_that_no_longer_counts_ends_the_session() -> None:
    tokens = [httpx.Response(200, json={"access": "a", "refresh": "r"})]
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path.removeprefix("/api/v1/"))
        first = request.url.path.endswith("auth/token/") and tokens
        return tokens.pop() if first else httpx.Response(401, json={"detail": "No.", "code": "token_not_valid"})

    async with scripted(answer) as one:
        await one.sign_in("asha", "secret", keep=True)
        assert await one.token(True) is None
        with pytest.raises(RequestError, match="No."):
            await one.call("GET", "bookings/")
    assert paths == ["auth/token/", "auth/refresh/", "auth/token/", "bookings/"], "the password was tried once"


# ── call ────────────────────────────────────────────────────────────────────────────────────────────────────
def scripted(
    answer: Callable[[httpx.Request], httpx.Response], pauses: list[float] | None = None, *, access: str = ""
) -> Session:
    async def sleep(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Session("http://server", access=access, client=client, sleep=sleep)


def in_turn(*answers: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    """Answer a script; the last entry is repeated."""
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return answer


async def test_a_call_sends_and_returns_json() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        sent = (request.method, request.url.path, json.loads(request.content), request.headers["Authorization"])
        assert sent == ("PATCH", "/api/v1/bookings/b/status/", {"status": "arrived"}, "Bearer a")
        return httpx.Response(200, json={"seq": 5})

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with Session("http://server/", access="a", client=client) as one:
        assert await one.call("PATCH", "bookings/b/status/", {"status": "arrived"}) == {"seq": 5}


async def test_a_call_without_an_answers_body_returns_none() -> None:
    async with scripted(in_turn(httpx.Response(205))) as one:
        assert await one.call("POST", "auth/logout/", {}) is None


async def test_a_call_waits_as_long_as_429_says() -> None:
    busy = {"detail": "Too soon.", "code": "throttled"}
    pauses: list[float] = []
    answers = [httpx.Response(429, json=busy, headers={"Retry-After": "2"}), httpx.Response(429, json=busy)]
    async with scripted(in_turn(*answers, httpx.Response(200, json=1)), pauses) as one:
        assert await one.call("GET", "bookings/") == 1
    assert pauses == [2.0, 1.0]


@pytest.mark.parametrize("outage", [httpx.ConnectError("away"), httpx.ReadTimeout("lost"), httpx.Response(503)])
async def test_a_call_waits_for_a_server_that_is_away_for_a_moment(outage: httpx.Response | Exception) -> None:
    pauses: list[float] = []
    async with scripted(in_turn(outage, outage, httpx.Response(200, json=1)), pauses) as one:
        assert await one.call("GET", "bookings/") == 1
    assert pauses == [1, 2]


async def test_a_call_to_a_server_that_stays_away_fails() -> None:
    pauses: list[float] = []
    async with scripted(in_turn(httpx.ConnectError("away")), pauses) as one:
        with pytest.raises(httpx.ConnectError):
            await one.call("GET", "bookings/")
    assert pauses == [1, 2, 4, 8, 16]
    async with scripted(in_turn(httpx.Response(502, text="<html>"))) as one:
        with pytest.raises(RequestError, match="^Bad Gateway$") as caught:
            await one.call("GET", "bookings/")
    assert (caught.value.status, caught.value.code) == (502, "")


async def test_a_rejected_call_is_not_repeated() -> None:
    pauses: list[float] = []
    over = httpx.Response(409, json={"detail": "It is cancelled.", "code": "illegal_transition"})
    async with scripted(in_turn(over), pauses) as one:
        with pytest.raises(RequestError, match="It is cancelled") as caught:
            await one.call("PATCH", "bookings/b/status/", {"status": "arrived"})
    assert (caught.value.status, caught.value.code, pauses) == (409, "illegal_transition", [])


@pytest.mark.parametrize(
    ("url", "is_this_machine"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("https://api.example.org", False),
        ("http://[", False),
    ],
)
def test_a_proxy_is_never_asked_for_this_machine_itself(url: str, is_this_machine: bool) -> None:
    assert is_loopback(url) is is_this_machine
