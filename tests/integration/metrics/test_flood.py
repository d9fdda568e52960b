"""Whatever clients send makes no new series, and nothing of it is in any."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import uuid
from itertools import product

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.integration.metrics.conftest import Measured
from tests.support.metrics import Scrape
from tests.support.sockets import Socket

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW")
MARK = "fl00d" + secrets.token_hex(8)
HOSTS = ("127.0.0.1", f"{MARK}.example.org")


def paths() -> list[str]:
    booking = uuid.uuid4()
    return [
        "/", "/api/v1/bookings/", f"/api/v1/bookings/{booking}/", f"/api/v1/tracking/{booking}/",
        f"/api/v1/notifications/{booking}/mark_read/", f"/api/v1/{MARK}/", f"/{MARK}/{booking}", "/api/v1/bookings",
        f"/admin/{MARK}/", f"/admin/bookings/booking/{booking}/change/", f"/static/{MARK}.js", "/static/../etc/passwd",
        f"/api/v1/bookings/?token={MARK}", "/%00", "/" + "x" * 4000,
    ]  # fmt: skip


@pytest.mark.slow
async def test_a_flood_of_names_makes_no_series(measured: Measured) -> None:
    http, ws = measured.http(), measured.ws()
    async with httpx.AsyncClient(base_url=measured.gunicorn.url, trust_env=False, timeout=30) as client:
        for method, path, host in product(METHODS, paths(), HOSTS):
            headers = {
                "User-Agent": f"{MARK} {uuid.uuid4()}",
                "Authorization": f"Bearer {MARK}",
                "X-Forwarded-For": f"{MARK}, 10.0.0.1",
                "Host": host,
            }
            await client.request(method, path, headers=headers)
    name = "hunarmitra_http_requests_total"
    assert measured.http().total(name) - http.total(name) == len(METHODS) * len(paths()) * len(HOSTS), (
        "every request is counted"
    )
    booking = await asyncio.to_thread(measured.actors.new_booking, "requested")
    for code in (1000, 1001, 1003, 3000, *range(4000, 4040)):
        socket = await Socket.connect(measured.stack.booking_url(booking), token=measured.actors.employer.token)
        await socket.joined()
        await socket.send({"type": f"{MARK}{code}"})
        await socket.close(code)
    for path in (f"/ws/{MARK}/", f"/ws/bookings/{MARK}/", f"/ws/bookings/{uuid.uuid4()}/"):
        with contextlib.suppress(InvalidStatus):
            await (await Socket.connect(measured.server.ws_url + path, token=MARK)).closed()
    for before, after in ((http, measured.http()), (ws, measured.ws())):
        assert after.ours() == before.ours()
        assert MARK not in after.text
        check_secrets(measured, after)
    assert measured.ws()("hunarmitra_ws_closes_total", code="other") >= 20


def check_secrets(measured: Measured, scrape: Scrape) -> None:
    for who in (measured.actors.employer, measured.actors.worker, measured.actors.admin):
        for secret in (who.token, who.refresh_token, who.user.password, who.user.username, who.id):
            assert secret not in scrape.text
