"""A right that ends between the receipt of a connection's location and its statement: the location is not stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, closing

import pytest

from tests.support.api import Api
from tests.support.postgres import PostgresServer
from tests.support.scene import Arrival, Scene, off_loop, positions, scene
from tests.support.sockets import Frame, Socket

pytestmark = pytest.mark.usefixtures("over_rarely")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("gathered"), postgres_server) as running:
        yield running


def end(system: Scene, ending: str, booking_id: str, phone: Api) -> None:
    if ending == "session revoked":
        phone.logout()
    elif ending == "worker reassigned":
        system.actors.admin.assign(booking_id, system.actors.other_worker.id)
    else:
        system.actors.employer.status(booking_id, "cancelled")


async def answered(socket: Socket, latitude: float) -> Frame:
    await socket.send({"type": "location", "lat": latitude, "lng": 77.0})
    [*_, frame] = await socket.frames_until(lambda frame: frame["type"] in {"location_accepted", "error"})
    return frame


@pytest.mark.parametrize("ending", ["session revoked", "worker reassigned", "booking cancelled"])
async def test_a_right_that_ends_while_a_location_is_gathered_stores_none(system: Scene, ending: str) -> None:
    booking_id, other = await system.new_booking(), await system.new_booking()
    worker, admin = system.actors.worker.user, system.actors.admin
    async with AsyncExitStack() as stack:
        phone = stack.enter_context(closing(Api.login(system.stack.base_url, worker.username, worker.password)))
        arrival = await Arrival.at(system, other, (0, 1), stack)
        watchers = [
            await stack.enter_async_context(await system.watch(booking_id, pod=pod, who=admin)) for pod in (0, 1)
        ]
        sender = await stack.enter_async_context(await system.watch(booking_id, who=phone))
        next_sender = await stack.enter_async_context(await system.watch(other, who=admin))
        for socket in (*watchers, sender, next_sender):
            await socket.joined()
        fault = system.faults.arm("gathered, not stored")
        await sender.send({"type": "location", "lat": 28.1, "lng": 77.0})
        await fault.reached_by_one()
        await off_loop(end, system, ending, booking_id, phone)
        fault.release()
        # One batch is stored at a time.
        assert (await answered(next_sender, 28.5))["type"] == "location_accepted"
        await arrival.wait()
        for socket in watchers:
            await socket.synchronized()
            assert positions(socket.frames) == []
        if ending == "booking cancelled":
            [*_, rejected] = await sender.frames_until(lambda frame: frame["type"] == "error")
            assert rejected["code"] == "not_tracked"
        else:
            assert (await sender.closed())[0] == {"session revoked": 4001, "worker reassigned": 4003}[ending]
    stored = system.sql("SELECT location_lat, location_received_at FROM bookings_booking WHERE id = %s", booking_id)
    assert stored == [(None, None)]
