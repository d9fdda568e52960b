"""Faults of the clients themselves, within their process."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Final, Self
from unittest.mock import patch

from hunarmitra_realtime import link

from tests.e2e.chaos.watching_client import WatchingClient

SHARE: Final = 0.1
"""The part of the clients that a fault concerns."""
SKEWS: Final = (-7200, -90, 90, 7200)
"""Seconds that a clock is wrong."""


def some(clients: Iterable[WatchingClient], generator: random.Random) -> list[WatchingClient]:
    """Choose live clients."""
    live = [client for client in clients if client.connection is not None]
    return generator.sample(live, max(1, round(len(live) * SHARE))) if live else []


async def slow(victims: Iterable[WatchingClient], seconds: float) -> None:
    """Let clients read only for a moment every two seconds."""
    end = time.monotonic() + seconds
    chosen = list(victims)
    while time.monotonic() < end:
        held = [client.connection.transport for client in chosen if client.connection is not None]
        for transport in held:
            transport.pause_reading()
        await asyncio.sleep(2)
        for transport in held:
            transport.resume_reading()
        await asyncio.sleep(0.05)


def half_dead(victims: Iterable[WatchingClient]) -> None:
    """Let clients read nothing any more on connections that stay open, as after a change of the network."""
    for client in victims:
        if client.connection is not None:
            client.deaf_on = client.connection
            client.connection.transport.pause_reading()


def lost_network(victims: Iterable[WatchingClient]) -> None:
    """Reset connections, without a goodbye."""
    for client in victims:
        if client.connection is not None:
            client.connection.transport.abort()


@contextmanager
def skewed(generator: random.Random) -> Iterator[None]:
    """Set the wall clock of the published client in this process wrong."""
    wrong = generator.choice(SKEWS)
    right = time.time

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=wrong)

    with patch.object(link, "datetime", Wrong), patch.object(time, "time", lambda: right() + wrong):
        yield
