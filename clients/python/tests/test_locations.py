"""Sending locations along a track, against a scripted REST server and a clock of the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunarmitra_realtime import Point, Progress, Session, SharingEndedError, TrackError, read_gpx, send_locations
from hunarmitra_realtime.command import main, progress_line
from hunarmitra_realtime.locations import place

TRACK = [Point(28.60, 77.2, 0), Point(28.62, 77.2, 10)]
GPX = '<gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{}</trkseg></trk></gpx>'


class World:
    """A server with scripted answers; time passes only in sleeps."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.renewals: list[httpx.Response] = []
        self.now = 0.0
        self.sent: list[float] = []
        self.tokens: list[str] = []
        self.times: list[float] = []
        self.progress: list[Progress] = []
        self.slept: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("auth/refresh/"):
            if self.renewals:
                return self.renewals.pop(0)
            return httpx.Response(200, json={"access": "new", "refresh": "newer"})
        self.sent.append(json.loads(request.content)["lat"])
        self.times.append(self.now)
        self.tokens.append(request.headers["Authorization"])
        found = self.answers.pop(0) if self.answers else accepted()
        if isinstance(found, Exception):
            raise found
        return found

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def run(self, *, faster: float = 1.0) -> None:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        async with Session("http://server", access="old", refresh="spent", client=client) as session:
            await send_locations(
                session,
                "b",
                TRACK,
                faster=faster,
                report=self.progress.append,
                sleep=self.sleep,
                clock=lambda: self.now,
            )


def accepted(next_in_ms: int = 4000) -> httpx.Response:
    return httpx.Response(200, json={"status": "success", "next_in_ms": next_in_ms})


def refused(status: int, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json={"detail": f"It is {code}.", "code": code}, headers=headers)


async def test_it_sends_where_the_track_is_at_the_servers_pace() -> None:
    world = World()
    await world.run()
    assert world.sent == [28.60, 28.608, 28.616, 28.62]
    assert world.slept == [4, 4, 4]
    assert [progress.part for progress in world.progress] == [0, 0.4, 0.8, 1]


async def test_a_faster_track_takes_less_time_at_the_same_pace() -> None:
    world = World()
    await world.run(faster=2)
    assert world.sent == [28.60, 28.616, 28.62]


async def test_429_waits_as_long_as_the_server_says() -> None:
    world = World(refused(429, "too_soon", {"Retry-After": "7"}))
    await world.run()
    assert world.slept[0] == 7
    assert world.sent[:2] == [28.60, 28.614]
    assert world.progress[0].problem == "It is too_soon."


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.Response(502, text="<html>"), httpx.Response(404, text="<html>")]
)
async def test_an_outage_backs_off_and_the_newest_location_follows(
    failure: httpx.Response | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.5)
    world = World(*[failure] * 7)
    await world.run()
    assert world.slept[:7] == [0.5, 1, 2, 4, 8, 15, 15]
    assert world.sent[7:] == [28.62]


async def test_an_outage_while_the_token_expires_backs_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.5)
    world = World(refused(401, "token_not_valid"), refused(401, "token_not_valid"))
    world.renewals = [httpx.Response(503, json={"detail": "Try again later.", "code": "unavailable"})]
    await world.run()
    assert world.progress[0].problem == "Try again later."
    assert world.slept[0] == 0.5
    assert world.tokens[-1] == "Bearer new"
    assert world.sent[-1] == 28.62


@pytest.mark.parametrize(("status", "code"), [(409, "not_tracked"), (403, "permission_denied"), (404, "not_found")])
async def test_the_end_of_the_booking_ends_it(status: int, code: str) -> None:
    world = World(refused(status, code))
    with pytest.raises(SharingEndedError) as ended:
        await world.run()
    assert ended.value.code == code
    assert len(world.sent) == 1


async def test_a_stale_location_does_no_harm() -> None:
    world = World(refused(409, "stale_position"))
    await world.run()
    assert world.slept[0] == 2
    assert world.sent[-1] == 28.62


async def test_the_token_is_renewed_once() -> None:
    world = World(refused(401, "token_not_valid"))
    await world.run()
    assert world.tokens[:3] == ["Bearer old", "Bearer new", "Bearer new"]
    assert world.sent[:2] == [28.60, 28.60]


FOLDER = Path(__file__).parents[2] / "conformance"
SCENARIOS = [
    pytest.param(scenario, id=scenario["name"]) for scenario in json.loads((FOLDER / "locations.json").read_text())
]


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_client_does_what_the_scenario_says(scenario: dict[str, Any]) -> None:
    answer = scenario["answer"]
    content: dict[str, Any] = {"text": answer["text"]} if "text" in answer else {"json": answer["body"]}
    world = World(httpx.Response(answer["status"], headers=answer.get("headers"), **content))
    if scenario.get("ended"):
        with pytest.raises(SharingEndedError):
            await world.run()
        assert len(world.sent) == 1
        return
    await world.run()
    seconds = world.times[1]
    if "next_after" in scenario:
        assert seconds == scenario["next_after"]
    else:
        assert seconds <= scenario["next_within"]
    if "tokens" in scenario:
        assert world.tokens[:2] == [f"Bearer {token}" for token in scenario["tokens"]]


def gpx(folder: Path, points: str) -> Path:
    file = folder / "track.gpx"
    file.write_text(GPX.format(points))
    return file


def test_a_gpx_file_with_times(tmp_path: Path) -> None:
    file = gpx(
        tmp_path,
        '<trkpt lat="28.60" lon="77.2"><ele>216</ele><time>2026-01-03T11:00:00Z</time></trkpt>'
        '<trkpt lat="28.61" lon="77.2"><time>2026-01-03T11:00:30Z</time></trkpt>'
        '<trkpt lat="28.62" lon="77.2"><time>2026-01-03T11:00:20Z</time></trkpt>',
    )
    assert read_gpx(file) == [Point(28.60, 77.2, 0), Point(28.61, 77.2, 30), Point(28.62, 77.2, 30)]


def test_a_gpx_file_without_times_is_driven_at_eight_metres_a_second(tmp_path: Path) -> None:
    file = gpx(tmp_path, '<trkpt lat="28.60" lon="77.2"/><trkpt lat="28.61" lon="77.2"/>')
    assert read_gpx(file)[1].seconds == pytest.approx(1112 / 8, rel=0.01)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "missing.gpx", "No such file"),
        (lambda folder: gpx(folder, ""), "no <trkpt> or <rtept>"),
        (lambda folder: gpx(folder, "<trkpt>"), "mismatched tag"),
        (lambda folder: gpx(folder, '<trkpt lat="x" lon="77"/>'), "could not convert"),
        (lambda folder: gpx(folder, '<trkpt lat="91" lon="77"/>'), "not degrees"),
        (lambda folder: gpx(folder, "<!DOCTYPE gpx>"), "no DOCTYPE"),
    ],
)
def test_a_wrong_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Path], words: str
) -> None:
    file = make(tmp_path)
    with pytest.raises(TrackError, match=words):
        read_gpx(file)
    assert main(["send-locations", "b", str(file)]) == 2
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["0", "-1", "inf", "nan", "x"])
def test_a_wrong_factor_is_rejected(wrong: str) -> None:
    with pytest.raises(SystemExit):
        main(["send-locations", "b", "track.gpx", "--faster", wrong])


def test_the_place_between_two_points_of_the_same_time() -> None:
    points = [Point(1, 1, 0), Point(2, 2, 5), Point(3, 3, 5)]
    assert place(points, 5) == points[2]
    assert place(points, 9) == points[2]


def test_the_progress_bar() -> None:
    shown = progress_line(Progress(0.5, Point(28.61, 77.2, 5), 2, ""))
    assert shown == f"[{'#' * 15}{'-' * 15}]  50%  28.61000, 77.20000  sent; next in 2.0 s"
    assert "It is too_soon.; next in 7.0 s" in progress_line(Progress(0, TRACK[0], 7, "It is too_soon."))
