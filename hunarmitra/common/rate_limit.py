"""Rate limits that hold when many requests arrive at once, in one process or across all of them.

The generic cell rate algorithm (ITU-T I.371): for each subject one moment is kept, the theoretical arrival time,
before which the allowance is spent. Reading, judging and storing it is one step: under a lock in this
process, or in a script that Redis runs alone. (Get, compare and set, as REST framework's throttles do it, lets
simultaneous requests all pass.)
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import redis

KEY_PREFIX: Final = "hunarmitra:limit:"
_ROUNDING: Final = 1e-6
"""Seconds; ``count`` intervals may add up to a little more than the period they divide."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``count`` at once. Used units return evenly, all of them within ``seconds``."""

    name: str
    count: int
    seconds: float

    @property
    def interval(self) -> float:
        """Seconds after which one unit returns."""
        return self.seconds / self.count

    def key(self, subject: str) -> str:
        """Return the key of a subject, hashed: it may be a name of any length that a person typed."""
        return f"{KEY_PREFIX}{self.name}:{hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


class Limiter(Protocol):
    def take(self, limit: Limit, subject: str) -> float:
        """Use one unit and return 0, or return the seconds to wait when none is left."""
        ...

    def give_back(self, limit: Limit, subject: str) -> None:
        """Return a unit that was taken."""
        ...


class LocalLimiter:
    """The limiter of one process. It keeps ``capacity`` subjects and drops the least recently used."""

    def __init__(self, capacity: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._arrivals: OrderedDict[str, float] = OrderedDict()
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, limit: Limit, subject: str) -> float:
        key = limit.key(subject)
        with self._lock:
            now = self._clock()
            arrival = max(self._arrivals.get(key, now), now) + limit.interval
            wait = arrival - limit.seconds - now
            if wait > _ROUNDING:
                return wait
            self._arrivals[key] = arrival
            self._arrivals.move_to_end(key)
            if len(self._arrivals) > self._capacity:
                self._arrivals.popitem(last=False)
        return 0.0

    def give_back(self, limit: Limit, subject: str) -> None:
        with self._lock:
            key = limit.key(subject)
            if key in self._arrivals:
                self._arrivals[key] -= limit.interval


_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, seconds = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1])) or now, now) + interval
local wait = arrival - seconds - now
if wait > 0 then
    return math.ceil(wait)
end
redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
return 0
"""
"""Uses microseconds of the Redis clock, so that the clocks of pods do not matter."""
_GIVE_BACK = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local arrival = (tonumber(redis.call('GET', KEYS[1])) or 0) - tonumber(ARGV[1])
if arrival > 0 then
    redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.max(1, math.ceil((arrival - now) / 1000)))
end
return 0
"""
_MICROSECONDS: Final = 1_000_000


class RedisLimiter:
    """The limiter of all processes of one Redis. Raises redis.RedisError when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._take = client.register_script(_TAKE)
        self._give_back = client.register_script(_GIVE_BACK)

    def take(self, limit: Limit, subject: str) -> float:
        # Rounded down, so that `count` intervals fit into the period.
        arguments = [int(limit.interval * _MICROSECONDS), int(limit.seconds * _MICROSECONDS)]
        wait = self._take(keys=[limit.key(subject)], args=arguments)
        return int(wait) / _MICROSECONDS

    def give_back(self, limit: Limit, subject: str) -> None:
        self._give_back(keys=[limit.key(subject)], args=[int(limit.interval * _MICROSECONDS)])
