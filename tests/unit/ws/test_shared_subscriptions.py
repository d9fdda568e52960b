"""The subscriptions of a shared connection, with a hub whose joins end as a test wants."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.tokens import Identity
from hunarmitra_ws.client_messages import Subscribe, Unsubscribe
from hunarmitra_ws.handshake import Since
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.joining import Outcome, Wanted
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.shared_subscriptions import SharedSubscriptions
from tests.unit.ws.fakes import RecordingLanes

BOOKING = str(uuid4())
MESSAGE = {"channel": "booking", "booking_id": BOOKING}


class Owner:
    heartbeat = 25.0

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def first_frame_sent(self) -> None:
        """Nothing is counted here."""

    def live(self) -> None:
        """Nor here."""


class FakeHub:
    """Keeps the subscriptions that joined; ``join`` decides about each list of them."""

    def __init__(self) -> None:
        self.subscribed: set[Subscription] = set()
        self.join: Callable[[Sequence[Wanted]], list[Outcome]] = lambda wanted: [True] * len(wanted)
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def connect(self, client: Client) -> User:
        return User(role=Role.EMPLOYER)

    async def subscribe_all(self, wanted: Sequence[Wanted], connection: object) -> list[Outcome]:
        await self.go_on.wait()
        outcomes = self.join(wanted)
        self.subscribed |= {each.subscription for each in wanted}
        return outcomes

    def unsubscribe(self, subscription: Subscription) -> None:
        self.subscribed.discard(subscription)

    def forget(self, client: Client) -> None:
        """Clients are not kept here."""


class Scene:
    def __init__(self) -> None:
        self.hub = FakeHub()
        self.lanes = RecordingLanes()
        identity = Identity(uuid4(), uuid4(), datetime(2030, 1, 1, tzinfo=UTC))
        self.subscriptions = SharedSubscriptions(Owner(), self.hub, identity, self.lanes)  # type: ignore[arg-type]

    async def settled(self) -> None:
        while self.subscriptions._tasks:
            await asyncio.wait(self.subscriptions._tasks)

    @property
    def frames(self) -> list[Any]:
        return [json.loads(text) for text in self.lanes.texts]


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    assert await made.subscriptions.open(Since())
    return made


@pytest.mark.parametrize("error", [OperationalError("away"), TimeoutError(), ValueError("a bug")])
async def test_a_join_that_fails_ends_the_subscription_with_1011_and_not_the_connection(
    scene: Scene, error: Exception
) -> None:
    def fail(wanted: Sequence[Wanted]) -> list[Outcome]:
        raise error

    scene.hub.join = fail
    await scene.subscriptions.handle(Subscribe(MESSAGE))
    await scene.settled()
    assert scene.frames[-1] == {
        "type": "unsubscribed",
        **MESSAGE,
        "code": 1011,
        "message": "The service is unavailable; try again.",
    }
    assert not scene.lanes.closing
    scene.hub.join = lambda wanted: [True]
    await scene.subscriptions.handle(Subscribe(MESSAGE))
    await scene.settled()
    assert len(scene.hub.subscribed) == 1


async def test_what_a_client_subscribes_to_at_the_same_time_joins_together(scene: Scene) -> None:
    joins: list[int] = []

    def join(wanted: Sequence[Wanted]) -> list[Outcome]:
        joins.append(len(wanted))
        return [True] * len(wanted)

    scene.hub.join = join
    for message in (MESSAGE, {**MESSAGE, "booking_id": str(uuid4())}, {"channel": "notifications"}):
        await scene.subscriptions.handle(Subscribe(message))
    await scene.settled()
    await scene.subscriptions.handle(Subscribe({**MESSAGE, "booking_id": str(uuid4())}))
    await scene.settled()
    assert joins == [3, 1]
    assert len(scene.hub.subscribed) == 4


async def test_a_subscription_that_is_given_up_while_it_joins_is_not_left_behind(scene: Scene) -> None:
    scene.hub.go_on.clear()
    await scene.subscriptions.handle(Subscribe(MESSAGE))
    await scene.subscriptions.handle(Unsubscribe(MESSAGE))
    scene.hub.go_on.set()
    await scene.settled()
    assert scene.hub.subscribed == set()
    assert [frame["type"] for frame in scene.frames] == ["connected", "unsubscribed"]


async def test_a_connection_that_ends_during_its_joins_leaves_none_behind(scene: Scene) -> None:
    scene.hub.go_on.clear()
    await scene.subscriptions.handle(Subscribe({**MESSAGE, "booking_id": str(uuid4())}))
    await scene.subscriptions.handle(Subscribe(MESSAGE))
    scene.lanes.abandon()
    scene.subscriptions.close()
    await scene.settled()
    assert scene.hub.subscribed == set()


async def test_an_ended_connection_is_freed_without_the_cyclic_collector(scene: Scene) -> None:
    await scene.subscriptions.handle(Subscribe(MESSAGE))
    await scene.settled()
    freed = weakref.ref(scene.lanes)
    gc.disable()
    try:
        scene.subscriptions.close()
        del scene.subscriptions, scene.lanes
        assert freed() is None
    finally:
        gc.enable()


async def test_nothing_of_an_ended_subscription_is_sent(scene: Scene) -> None:
    await scene.subscriptions.handle(Subscribe(MESSAGE))
    await scene.settled()
    [subscription] = scene.hub.subscribed
    subscription.go_live(seq=0, location_order=0, min_location_seq=0)
    subscription.deliver_location(0, 1, OutgoingFrame("here"))
    await scene.subscriptions.handle(Unsubscribe(MESSAGE))
    before = list(scene.lanes.texts)
    assert scene.lanes.location is None
    subscription.deliver(1, OutgoingFrame("event"), False)
    subscription.deliver_location(1, 2, OutgoingFrame("there"))
    assert scene.lanes.texts == before
    assert scene.lanes.location is None


async def test_a_subscription_that_has_joined_keeps_no_task(scene: Scene) -> None:
    await scene.subscriptions.handle(Subscribe(MESSAGE))
    assert scene.subscriptions._tasks is not None
    await scene.settled()
    assert scene.subscriptions._tasks is None
