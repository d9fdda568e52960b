"""Two hundred positions for one booking at once, over two http processes: exactly one is accepted."""

from __future__ import annotations

import asyncio
import json
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
ATTEMPTS = 5


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two_processes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory: Path = tmp_path_factory.mktemp(request.param)
    with ExitStack() as running:
        database: dict[str, str] = {}
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            database["DATABASE_URL"] = fresh_postgres(server)
            running.callback(server.drop_database, database["DATABASE_URL"])
        yield running.enter_context(http_processes(directory, database, count=2))


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


def test_exactly_one_of_200_simultaneous_positions_is_accepted(two_processes: Stack) -> None:
    people = Actors.of(two_processes)
    took = 0.0
    try:
        for _ in range(ATTEMPTS):
            booking_id = people.new_booking("on_the_way")
            answers, sent, answered = asyncio.run(post_at_once(two_processes, booking_id, people.worker.token))
            took = answered
            statuses = Counter(status for status, _ in answers)
            assert set(statuses) == {200, 429}
            waits = [head for status, head in answers if status == 429]
            assert all("Retry-After: 1\r\n" in f"{head}\r\n" or "Retry-After: 2\r\n" in f"{head}\r\n" for head in waits)
            if sent < 1 and answered < 2:
                assert statuses == {200: 1, 429: POSTS - 1}
                return
            # This machine was too busy to answer all within the two seconds that one position holds for.
            assert statuses[200] <= 1 + answered / 2
        pytest.fail(f"none of {ATTEMPTS} attempts was answered within 2 s; the last took {took:.1f} s")
    finally:
        people.close()
