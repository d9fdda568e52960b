"""The hub as an ordinary channel layer: what a project on top of this one, and other processes, do with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.support.actors import Actors
from tests.support.eventually import eventually_async
from tests.support.live import join
from tests.support.ports import free_port
from tests.support.services import HOST, ServiceProcess
from tests.support.shell import Shell
from tests.support.sockets import PlainSocket, Socket
from tests.support.stack import Stack


def plain_server(live: Stack) -> ServiceProcess:
    """Stock daphne with the ordinary consumer, in the stack's environment."""
    port = free_port()
    arguments = ["-m", "daphne", "-b", HOST, "-p", str(port), "tests.support.plain_consumer:application"]
    return ServiceProcess(arguments, port=port, name="plain", directory=live.directory, environment=live.environment)


@pytest.fixture(scope="module")
def servers(live: Stack) -> Iterator[list[ServiceProcess]]:
    """Two processes where Redis is between them; one, twice, where it is all in memory."""
    count = 2 if live.redis else 1
    with ExitStack() as running:
        started = [plain_server(live) for _ in range(count)]
        for server in started:
            running.callback(server.stop)
            server.launch()
        for server in started:
            server.wait_ready()
        yield started * (2 // count)


class Client:
    """A client of the ordinary consumer."""

    def __init__(self, socket: Socket, channel: str) -> None:
        self.socket, self.channel = socket, channel

    @classmethod
    async def of(cls, server: ServiceProcess) -> Client:
        socket = await PlainSocket.connect(f"{server.ws_url}/plain/")
        return cls(socket, (await socket.next_of("ready"))["channel"])

    async def do(self, what: str, name: str, text: str = "") -> None:
        await self.socket.send({"do": what, "name": name, "text": text})
        await self.socket.next_of("done")

    async def heard(self, text: str) -> None:
        assert (await self.socket.next_of("message"))["text"] == text

    @property
    def texts(self) -> list[str]:
        return [frame["text"] for frame in self.socket.of_type("message")]


async def clients(servers: list[ServiceProcess], *numbers: int) -> list[Client]:
    return [await Client.of(servers[number]) for number in numbers]


async def test_groups_reach_members_in_every_process_and_nobody_else(servers: list[ServiceProcess]) -> None:
    here, there, outside = await clients(servers, 0, 1, 1)
    await here.do("join", "club")
    await there.do("join", "club")
    await here.do("group_send", "club", "one")
    await there.heard("one")
    await there.do("group_send", "club", "two")
    await here.socket.frames_until(lambda frame: frame.get("text") == "two")
    await there.do("leave", "club")
    await here.do("group_send", "club", "three")
    await here.do("group_send", "everybody", "all")
    for each in (here, there, outside):
        await eventually_async(lambda: "all" in each.texts, 30, "the message to everybody")  # noqa: B023
    assert here.texts == ["one", "two", "three", "all"]
    assert there.texts == ["one", "two", "all"]
    assert outside.texts == ["all"]
    for each in (here, there, outside):
        await each.socket.close()


async def test_a_message_to_one_channel_reaches_only_it_in_any_process(servers: list[ServiceProcess]) -> None:
    here, there, outside = await clients(servers, 0, 1, 1)
    await here.do("send", there.channel, "you")
    await there.heard("you")
    await there.do("send", here.channel, "and you")
    await here.heard("and you")
    assert outside.texts == []
    for each in (here, there, outside):
        await each.socket.close()


async def test_a_consumer_that_left_is_forgotten_and_its_subscriptions_with_it(
    live: Stack, servers: list[ServiceProcess]
) -> None:
    [client] = await clients(servers, 0)
    await client.do("join", "short-lived")
    await client.socket.drop()
    if live.redis is None:
        return
    with live.redis.client() as redis:

        def subscribed() -> bool:
            names = redis.pubsub_channels("asgi__group__*")
            return any(
                name in (b"asgi__group__short-lived", f"asgi__group__{client.channel}".encode()) for name in names
            )

        await eventually_async(lambda: not subscribed(), 30, "the subscriptions ended")


async def test_an_ordinary_consumer_hears_a_bookings_events(
    live: Stack, people: Actors, servers: list[ServiceProcess]
) -> None:
    base_url = live.base_url if live.redis else servers[0].url
    booking = people.new_booking("confirmed")
    [client] = await clients(servers, 1)
    await client.do("join", f"booking.{booking}")
    with closing(people.worker.at(base_url)) as worker:
        worker.status(booking, "on_the_way")
    assert (await client.socket.next_of("status"))["frame"]["event_type"] == "booking_on_the_way"
    await client.socket.close()


@pytest.mark.parametrize("live", ["distributed"], indirect=True, scope="session")
@pytest.mark.parametrize("services", ["http", "ws"])
async def test_group_send_from_an_ordinary_process_reaches_a_bookings_connections(
    live: Stack, people: Actors, services: str
) -> None:
    """A cron job or a shell: whichever services it has installed."""
    booking = people.new_booking("on_the_way")
    frame = {
        "type": "location_update",
        "booking_id": booking,
        "lat": 28.5,
        "lng": 77.5,
        "timestamp": "2026-01-03T11:05:00Z",
        "actor": "Cron",
    }

    def run_elsewhere() -> None:
        with Shell(live, SERVICES=services) as ordinary:
            ordinary.call(send_location_to_group, booking_id=booking, frame=json.dumps(frame))

    sockets = [await join(live.booking_url(booking, pod), people.employer.token) for pod in (0, 1)]
    # In a thread: the sockets have to answer the server's pings meanwhile.
    await asyncio.to_thread(run_elsewhere)
    for socket in sockets:
        assert await socket.next_frame() == frame
        await socket.close()


def send_location_to_group(booking_id: str, frame: str) -> None:
    """Send a location with `group_send`, as any code with Channels can do."""
    from uuid import UUID

    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    from hunarmitra.protocol import channels, messages

    channel = channels.booking_channel(UUID(booking_id))
    message = messages.location_message(channel, seq=4, order=10**15, frame=frame)
    async_to_sync(get_channel_layer().group_send)(message.channel, dict(message.body))


async def use_the_layer() -> dict[str, Any]:
    """Use every method of the channel layer; return what was received."""
    import asyncio

    from channels.layers import get_channel_layer

    layer = get_channel_layer()
    seen: dict[str, Any] = {}
    first, second = await layer.new_channel(), await layer.new_channel("prefix")
    seen["distinct"] = first != second and second.startswith("prefix")
    seen["valid"] = bool(layer.require_valid_channel_name(first) and layer.require_valid_channel_name(second))
    for number in range(3):
        await layer.send(first, {"type": "m", "number": number})
    seen["in order"] = [(await layer.receive(first))["number"] for _ in range(3)]
    await layer.group_add("g", first)
    await layer.group_add("g", first)
    await layer.group_add("g", second)
    await layer.group_send("g", {"type": "m", "value": [1, "a", None, {"b": 2.5}, b"bytes"]})
    received = [await layer.receive(channel) for channel in (first, second)]
    seen["separate copies"] = received[0] == received[1] and received[0] is not received[1]
    seen["value"] = received[0]["value"] == [1, "a", None, {"b": 2.5}, b"bytes"]
    await layer.group_discard("g", first)
    await layer.group_discard("g", "never.joined!x")
    await layer.group_send("g", {"type": "m", "number": 7})
    seen["only the other"] = (await layer.receive(second))["number"]
    await layer.send(first, {"type": "m", "number": 8})
    seen["nothing doubled"] = (await layer.receive(first))["number"]
    await layer.send("nobody.here!x", {"type": "m"})
    await layer.group_send("nobody", {"type": "m"})
    waiting = asyncio.ensure_future(layer.receive("worker-channel"))
    while not waiting.done():
        await layer.send("worker-channel", {"type": "m", "number": 9})
        await asyncio.wait([waiting], timeout=0.05)
    seen["named channel"] = waiting.result()["number"]
    for _ in range(150):
        await layer.send(first, {"type": "m"})
    await layer.send(second, {"type": "m", "number": 10})
    seen["a full channel hinders no other"] = (await layer.receive(second))["number"]
    await layer.flush()
    return seen


async def test_the_layer_does_what_channels_asks_of_one(live: Stack) -> None:
    # A shell of its own: from now on it listens to the control channel, as the pods do.
    with Shell(live) as shell:
        seen = shell.call(use_the_layer)
    assert seen == {
        "distinct": True,
        "valid": True,
        "in order": [0, 1, 2],
        "separate copies": True,
        "value": True,
        "only the other": 7,
        "nothing doubled": 8,
        "named channel": 9,
        "a full channel hinders no other": 10,
    }
