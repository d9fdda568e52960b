"""A system of one test, which may break it: the stack, its users, and orders to its processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import psycopg

from tests.support.actors import Actors
from tests.support.api import Api
from tests.support.eventually import eventually_async
from tests.support.faults import Faults
from tests.support.postgres import PostgresServer
from tests.support.sockets import Frame, Socket
from tests.support.stack import WITHOUT_PATIENCE, Stack, distributed_stack, embedded_stack

P = ParamSpec("P")
T = TypeVar("T")


async def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call (REST, SQL) while the test's connections continue to read."""
    return await asyncio.to_thread(function, *args, **kwargs)


@dataclass
class Scene:
    stack: Stack
    actors: Actors
    faults: Faults

    async def watch(self, booking_id: str, *, pod: int = 0, since: int | None = None, who: Api | None = None) -> Socket:
        """Connect to the booking, as its owner unless `who` is given; the connection has not joined yet."""
        url = self.stack.booking_url(booking_id, pod)
        return await Socket.connect(url, token=(who or self.actors.employer).token, since=since)

    async def new_booking(self, status: str = "on_the_way") -> str:
        return await off_loop(self.actors.new_booking, status)

    async def watch_all(self, bookings: Sequence[str], stack: AsyncExitStack) -> list[tuple[str, Socket]]:
        """Connect and join as the owner, for each booking on each of the two pods, until `stack` ends."""
        watched = []
        for booking_id in bookings:
            for pod in (0, 1):
                socket = await stack.enter_async_context(await self.watch(booking_id, pod=pod))
                await socket.joined()
                watched.append((booking_id, socket))
        return watched

    async def until_live(self, booking_id: str, sockets: Sequence[Socket], timeout: float) -> None:
        """Wait until published messages reach the connections at once again, not only events read from the database."""

        async def live() -> bool:
            await off_loop(self.actors.admin.track, booking_id, 28.0, 77.0)
            return all(socket.frames[-1]["type"] == "location_update" for socket in sockets)

        await eventually_async(live, timeout, "a position arrives live")

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement on the stack's PostgreSQL; return the rows, if there are any."""
        with psycopg.connect(self.stack.environment["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def insert_events(self, booking_id: str, count: int, actor: str = "Test") -> int:
        """Insert the events of `count` handovers that were never published; return the newest event's number."""
        rows = self.sql(
            "UPDATE bookings_booking SET seq = seq + %s WHERE id = %s RETURNING seq, status", count, booking_id
        )
        newest, status = rows[0]
        self.sql(
            "INSERT INTO bookings_bookingevent"
            " (booking_id, seq, event_type, status, actor, clears_location, created_at)"
            " SELECT %s, seq, 'booking_assigned', %s, %s, false, now() - interval '1 minute'"
            " FROM generate_series(%s::bigint, %s::bigint) seq",
            booking_id, status, actor, newest - count + 1, newest,
        )  # fmt: skip
        return int(newest)

    def unpublished(self, booking_id: str) -> list[int]:
        """Return the unpublished events of the booking."""
        rows = self.sql(
            "SELECT seq FROM bookings_bookingevent WHERE booking_id = %s AND published_at IS NULL ORDER BY seq",
            booking_id,
        )
        return [row[0] for row in rows]


class Arrival:
    """Waits until a ws process has received everything published so far."""

    def __init__(self, system: Scene, booking_id: str, sockets: list[Socket]) -> None:
        self._system = system
        self._booking_id = booking_id
        self._sockets = sockets

    @classmethod
    async def at(cls, system: Scene, booking_id: str, pods: tuple[int, ...], stack: AsyncExitStack) -> Arrival:
        sockets = []
        for pod in pods:
            socket = await stack.enter_async_context(await system.watch(booking_id, pod=pod))
            await socket.joined()
            sockets.append(socket)
        return cls(system, booking_id, sockets)

    async def wait(self) -> None:
        await off_loop(self._system.actors.worker.track, self._booking_id, 28.0, 77.0)
        for socket in self._sockets:
            await socket.next_of("location_update")


@contextmanager
def scene(directory: Path, postgres: PostgresServer, **options: Any) -> Iterator[Scene]:
    """Start a scene; `options` are those of `distributed_stack`. It has no location limit and one http worker."""
    with ExitStack() as running:
        faults = Faults(directory / "faults")
        running.callback(faults.release_all)
        given: dict[str, Any] = {"TRACKING_MIN_INTERVAL": "0", **WITHOUT_PATIENCE, **faults.environment, **options}
        stack = running.enter_context(distributed_stack(directory, postgres, **given))
        actors = Actors.of(stack)
        running.callback(actors.close)
        yield Scene(stack, actors, faults)


@contextmanager
def embedded_scene(directory: Path, **options: Any) -> Iterator[Scene]:
    """Start a scene with one process; `options` are those of `embedded_stack`."""
    with ExitStack() as running:
        faults = Faults(directory / "faults")
        running.callback(faults.release_all)
        given: dict[str, Any] = {"TRACKING_MIN_INTERVAL": "0", **faults.environment, **options}
        stack = running.enter_context(embedded_stack(directory, **given))
        actors = Actors.of(stack)
        running.callback(actors.close)
        yield Scene(stack, actors, faults)


def positions(frames: list[Frame]) -> list[Frame]:
    """Return every location that a connection received: that of the snapshot, if any, then the updates in order."""
    shown = []
    for frame in frames:
        if frame["type"] == "connection_established" and frame["location"]:
            shown.append(frame["location"])
        elif frame["type"] == "location_update":
            shown.append(frame)
    return shown
