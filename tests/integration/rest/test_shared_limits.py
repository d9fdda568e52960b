"""The rate limiter on a real Redis, and what is left of it when Redis is gone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from hunarmitra.common.growing_delay import Delays, GrowingDelay, LocalDelays, RedisDelays
from hunarmitra.common.rate_limit import KEY_PREFIX, Limit, Limiter, LocalLimiter, RedisLimiter
from hunarmitra.config.redis_url import parse_redis_url
from hunarmitra.outbox.redis_connections import blocking_client
from hunarmitra_http.limiters import FallbackLimiter
from tests.support.clock import steady
from tests.support.eventually import eventually
from tests.support.redis import RedisServer


def _passes(limiter: Limiter, limit: Limit) -> bool:
    return limiter.take(limit, "a") == 0


def _begins(delays: Delays, delay: GrowingDelay) -> bool:
    return delays.begin(delay, "c") == 0


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


def test_growing_delays_are_shared_and_agree_with_the_local_ones(redis_server: RedisServer) -> None:
    delay = GrowingDelay("growing", free=5, first=1800, longest=7200)
    with closing(redis_server.client()) as one, closing(redis_server.client()) as other:
        shared = [RedisDelays(one), RedisDelays(other)]
        with ThreadPoolExecutor(16) as pool:
            waits = list(pool.map(lambda number: shared[number % 2].begin(delay, "a"), range(100)))
        assert waits.count(0.0) == delay.free
        local = LocalDelays()
        for delays in (shared[0], local):
            for _ in range(delay.free - 1):
                assert delays.begin(delay, "b") == 0
            delays.take_back(delay, "b")
            assert [delays.begin(delay, "b") for _ in range(2)] == [0, 0]
            assert 1700 < delays.begin(delay, "b") <= 1800
            delays.forget(delay, "b")
        eventually(lambda: shared[1].begin(delay, "b") == 0, 30, "a forgotten key expires within a millisecond")
        quick = GrowingDelay("doubled", free=1, first=0.01, longest=1)
        slow = GrowingDelay("doubled", free=1, first=1800, longest=100_000)
        for of_the_same_key in (quick, quick, quick, slow):
            eventually(partial(_begins, shared[0], of_the_same_key), 30)
        assert 8 * 1800 - 600 < shared[1].begin(slow, "c") <= 8 * 1800, "doubled three times"
        assert one.pttl(delay.key("a")) > 3_600_000, "failures are remembered for an hour after their delay"


def test_what_was_given_back_can_be_taken_again(redis_server: RedisServer) -> None:
    with closing(redis_server.client()) as client:
        for limiter in (RedisLimiter(client), LocalLimiter()):
            limit = Limit("returned", 2, 3600)
            for _ in range(10):
                assert limiter.take(limit, "a") == 0
                limiter.give_back(limit, "a")
            assert [limiter.take(limit, "a") for _ in range(2)] == [0, 0]
            assert limiter.take(limit, "a") > 0
            limiter.give_back(limit, "a")
            assert limiter.take(limit, "a") == 0
            limiter.give_back(limit, "somebody")


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
