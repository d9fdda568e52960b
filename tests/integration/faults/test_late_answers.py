"""A publish that got no answer in time leaves none behind for the next one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hunarmitra.config.redis_url import RedisTarget
from hunarmitra.outbox.redis_publisher import PublisherUnavailableError, RedisPublisher, redis_channel
from hunarmitra.protocol.messages import Message
from tests.support.eventually import HANG, eventually
from tests.support.redis import RedisServer

UNHEARD = Message("booking.1", {"type": "example"})
HEARD = Message("booking.2", {"type": "example"})


def published(publisher: RedisPublisher, messages: Sequence[Message]) -> Sequence[int] | None:
    """Return None while the publisher pauses after a failure."""
    try:
        return publisher.publish(messages)
    except PublisherUnavailableError:
        return None


def test_an_answer_that_comes_late_is_not_taken_for_the_next(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as redis, redis.client() as client, client.pubsub() as subscriber:
        subscriber.subscribe(redis_channel(HEARD.channel))
        assert subscriber.get_message(timeout=HANG)
        publisher = RedisPublisher(RedisTarget(url=redis.url), timeout=0.25)
        assert eventually(lambda: published(publisher, [UNHEARD, HEARD])) == [0, 1]
        redis.pause()
        with pytest.raises(PublisherUnavailableError, match="TimeoutError"):
            publisher.publish([UNHEARD, UNHEARD])
        redis.resume()
        assert eventually(lambda: published(publisher, [HEARD])) == [1]
