"""The demo's worker with a scripted server: over the connection, at the server's pace, and what is told at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self
from uuid import UUID

import httpx
import pytest
from hunarmitra_realtime import RequestError, Session

from hunarmitra.demo import journey as module
from hunarmitra.demo.journey import Journey, JourneyError, Step

BOOKING = UUID("7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c11")
SITE = (28.6315, 77.2167)
PACE_MS = 200
"""The shortest that the client obeys."""


class Stream:
    """The booking's connection."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        self.answer = answer
        self.locations: list[tuple[float, float]] = []

    def __call__(self, *_: object, **__: object) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def discard(self) -> None:
        pass

    async def send_location(self, location: dict[str, Any]) -> dict[str, Any] | None:
        self.locations.append((location["lat"], location["lng"]))
        return self.answer(location)


class Rest:
    """The booking, as REST shows and changes it."""

    def __init__(self, status: str = "confirmed", refusal: httpx.Response | None = None) -> None:
        self.status, self.refusal = status, refusal
        self.requests: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/")
        self.requests.append(f"{request.method} {path}")
        if path.startswith("tracking/"):
            return httpx.Response(404, json={"detail": "No location yet.", "code": "not_found"})
        if request.method == "PATCH":
            if self.refusal and self.status == "on_the_way":
                return self.refusal
            self.status = json.loads(request.content)["status"]
        return httpx.Response(200, json={"status": self.status, "lat": str(SITE[0]), "lng": str(SITE[1])})


def accepted(_: dict[str, Any]) -> dict[str, Any]:
    return {"type": "location_accepted", "next_in_ms": PACE_MS}


def over(_: dict[str, Any]) -> dict[str, Any]:
    return {"type": "error", "code": "not_tracked", "message": "Over."}


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    async def run(rest: Rest, stream: Stream, *, steps: int, interval: float | None = None) -> list[Step]:
        monkeypatch.setattr(module, "BookingStream", stream)
        monkeypatch.setattr(module, "STEP_SECONDS", 0.02)
        told: list[Step] = []
        client = httpx.AsyncClient(transport=httpx.MockTransport(rest))
        async with Session("http://server", access="a", client=client) as session:
            journey = Journey(session, "http://server", BOOKING, steps=steps, interval=interval)
            await journey.check()
            await journey.run(told.append)
        return told

    return run


async def test_every_point_goes_over_the_connection_at_a_given_interval(drive: Any) -> None:
    rest, stream = Rest(), Stream(accepted)
    told = await drive(rest, stream, steps=5, interval=0.01)
    assert [step.text for step in told if step.place is None] == ["on the way", "arrived", "completed"]
    assert [step.done for step in told if step.place is not None] == [1, 2, 3, 4, 5]
    assert len(stream.locations) == 5
    assert stream.locations[-1] == SITE
    assert "POST" not in " ".join(rest.requests)


async def test_at_the_servers_pace_only_the_newest_point_is_sent(drive: Any) -> None:
    stream = Stream(accepted)
    told = await drive(Rest(), stream, steps=60)
    done = [step.done for step in told if step.place is not None]
    assert len(done) == len(stream.locations)
    assert 2 <= len(done) < 60, "the way takes 1.2 s, and the server asks for five locations a second"
    assert done == sorted(done)
    assert done[-1] == 60
    assert stream.locations[-1] == SITE


async def test_a_rejected_point_is_sent_again_when_the_server_says(drive: Any) -> None:
    answers = [{"type": "error", "code": "too_soon", "message": "Too soon.", "retry_in_ms": PACE_MS}]
    stream = Stream(lambda location: answers.pop() if answers else accepted(location))
    told = await drive(Rest(), stream, steps=2, interval=0.01)
    assert stream.locations[0] == stream.locations[1]
    assert [step.text for step in told if step.waits] == ["Too soon."]


async def test_a_booking_that_was_cancelled_on_the_way_says_so(drive: Any) -> None:
    refusal = httpx.Response(409, json={"detail": "The booking is cancelled.", "code": "illegal_transition"})
    with pytest.raises(RequestError, match="The booking is cancelled") as caught:
        await drive(Rest(refusal=refusal), Stream(over), steps=3)
    assert caught.value.status == 409


async def test_a_server_that_stays_away_on_the_way_ends_it(drive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", -1)
    busy = {"type": "error", "code": "unavailable", "message": "Try again.", "retry_in_ms": PACE_MS}
    with pytest.raises(JourneyError, match="No location was accepted for -1 s: Try again"):
        await drive(Rest(), Stream(lambda _: busy), steps=3)


@pytest.mark.parametrize("status", ["completed", "cancelled", "requested"])
async def test_nothing_is_done_for_a_booking_that_is_not_under_way(drive: Any, status: str) -> None:
    rest, stream = Rest(status), Stream(accepted)
    with pytest.raises(JourneyError, match=status):
        await drive(rest, stream, steps=3)
    assert rest.requests == [f"GET bookings/{BOOKING}/"]
