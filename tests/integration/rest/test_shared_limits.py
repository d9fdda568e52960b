"""The rate limiter on a real Redis, and what is left of it when Redis is gone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from hunarmitra.common.rate_limit import KEY_PREFIX, Limit, Limiter, LocalLimiter, RedisLimiter
from hunarmitra.config.redis_url import parse_redis_url
from hunarmitra.outbox.redis_connections import blocking_client
from hunarmitra_http.throttles import FallbackLimiter
from tests.support.clock import steady
from tests.support.eventually import eventually
from tests.support.redis import RedisServer


def _passes(limiter: Limiter, limit: Limit) -> bool:
    return limiter.take(limit, "a") == 0


def test_exactly_count_pass_whoever_asks(redis_server: RedisServer) -> None:
    with closing(redis_server.client()) as one, closing(redis_server.client()) as other:
        limiters = [RedisLimiter(one), RedisLimiter(other)]
        limit = Limit("x", 50, 3600)
        with ThreadPoolExecutor(16) as pool:
            waits = list(pool.map(lambda number: limiters[number % 2].take(limit, "a"), range(300)))
        assert waits.count(0.0) == 50
        assert all(60 < wait <= 72 for wait in waits if wait)


def test_it_agrees_with_the_local_one_and_leaves_nothing_behind(redis_server: RedisServer) -> None:
    with closing(redis_server.client()) as client:
        shared, local = RedisLimiter(client), LocalLimiter()
        for count, seconds in ((1, 0.5), (3, 0.7), (7, 1.0)):
            limit = Limit(f"{count}", count, seconds)
            for limiter in (shared, local):
                begun, taken = time.monotonic(), 0
                while not (wait := limiter.take(limit, "a")):
                    taken += 1
                assert count <= taken <= count + (time.monotonic() - begun) / limit.interval
                assert 0 < wait <= limit.interval
                eventually(partial(_passes, limiter, limit), 30)
        assert client.keys(f"{KEY_PREFIX}*")
        eventually(lambda: not client.keys(f"{KEY_PREFIX}*"), 30, "keys expire when they say nothing any more")


def test_without_redis_the_process_counts_for_itself_and_waits_for_nothing(redis_server: RedisServer) -> None:
    target = parse_redis_url(redis_server.url)
    with closing(blocking_client(target, timeout=0.25)) as client:
        limiter, limit = FallbackLimiter(RedisLimiter(client)), Limit("x", 2, 3600)
        assert limiter.take(limit, "a") == 0
        redis_server.pause()
        try:
            begun = steady()
            assert [limiter.take(limit, "a") for _ in range(2)] == [0, 0]
            assert limiter.take(limit, "a") > 0
            assert steady() - begun < 1
        finally:
            redis_server.resume()
        often = Limit("often", 1000, 3600)
        eventually(lambda: limiter.take(often, "a") == 0 and client.exists(often.key("a")), 30, "Redis is asked again")
