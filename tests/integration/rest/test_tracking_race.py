"""Two hundred positions for one booking at once, over two http processes: exactly one is accepted."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.rest.conftest import http_processes
from tests.support.actors import Actors
from tests.support.postgres import PostgresServer
from tests.support.stack import Stack, fresh_postgres

POSTS = 200
INTERVAL = 60
"""Seconds for which one position holds: longer than by default, so that all are answered in time on any machine."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two_processes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory: Path = tmp_path_factory.mktemp(request.param)
    with ExitStack() as running:
        variables = {"TRACKING_MIN_INTERVAL": str(INTERVAL)}
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            variables["DATABASE_URL"] = fresh_postgres(server)
            running.callback(server.drop_database, variables["DATABASE_URL"])
        yield running.enter_context(http_processes(directory, variables, count=2))


async def post_at_once(stack: Stack, booking_id: str, token: str) -> tuple[list[tuple[int, str]], float, float]:
    """Statuses and heads; seconds until the last request was sent, and until the last answer was read."""
    body = json.dumps({"lat": 28.6139, "lng": 77.2090})
    request = (
        f"POST /api/v1/tracking/{booking_id}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()
    begun = time.monotonic()
    sent = begun

    async def post(number: int) -> bytes:
        nonlocal sent
        address = urlsplit(stack.base_urls[number % 2])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(request)
            sent = time.monotonic()
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    answers = await asyncio.gather(*(post(number) for number in range(POSTS)))
    answered = time.monotonic()
    heads = [answer.decode().partition("\r\n\r\n") for answer in answers]
    return [(int(head.split()[1]), head) for head, _, _ in heads], sent - begun, answered - begun


def test_exactly_one_of_200_simultaneous_locations_is_accepted(two_processes: Stack) -> None:
    people = Actors.of(two_processes)
    try:
        booking_id = people.new_booking("on_the_way")
        answers, sent, answered = asyncio.run(post_at_once(two_processes, booking_id, people.worker.token))
    finally:
        people.close()
    assert answered < INTERVAL, f"sent within {sent:.1f} s, answered only after {answered:.1f} s"
    assert Counter(status for status, _ in answers) == {200: 1, 429: POSTS - 1}
    waits = [int(re.findall(r"Retry-After: ([0-9]+)\r", f"{head}\r")[0]) for status, head in answers if status == 429]
    assert min(waits) >= 1
    assert max(waits) <= INTERVAL
