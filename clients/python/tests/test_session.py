"""The tokens of a session, and REST calls, against a fake server."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from hunarmitra_realtime import Session


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
