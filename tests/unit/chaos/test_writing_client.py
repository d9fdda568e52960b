"""The chaos test's users sign in again when the server has ended their session, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
from hunarmitra_realtime import Point

from tests.e2e.chaos.verdict import SIGNED_IN, UNANSWERED
from tests.e2e.chaos.writing_client import Account, Ledger, WritingClient

ENDED = httpx.Response(401, json={"code": "token_not_valid", "detail": "no"})
TRACK = [Point(28.6, 77.2, 0.0), Point(28.7, 77.3, 0.0)]


def worker(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[WritingClient, Ledger]:
    ledger = Ledger()
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    account = Account("7", "ravi", "secret", "old", "used")
    return WritingClient("http://test", account, http, ledger), ledger


async def test_a_worker_whose_session_has_ended_signs_in_again_and_drives_on() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/auth/token/"):
            assert json.loads(request.content) == {"username": "ravi", "password": "secret"}
            return httpx.Response(200, json={"access": "new", "refresh": "new"})
        known = request.headers.get("Authorization") == "Bearer new"
        return httpx.Response(202, json={"next_in_ms": 0}) if known else ENDED

    driving, ledger = worker(answer)
    await driving.drive("b", TRACK)
    assert ledger.refused == []
    assert ledger.locations == 1
    assert ledger.answers[SIGNED_IN] == 1
    assert ledger.answers[UNANSWERED] == 0


async def test_a_refused_location_of_a_session_that_goes_on_is_told() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"code": "forbidden", "detail": "not yours"})

    driving, ledger = worker(answer)
    await driving.drive("b", TRACK)
    assert ledger.refused == ["forbidden: not yours (a location of b)"]
    assert ledger.answers[SIGNED_IN] == 0


async def test_a_refresh_without_an_answer_is_counted() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/auth/refresh/"):
            raise httpx.ReadTimeout("lost")
        return ENDED

    writing, ledger = worker(answer)
    await writing._renew()
    assert ledger.answers[UNANSWERED] == 1
    assert ledger.answers[SIGNED_IN] == 0
