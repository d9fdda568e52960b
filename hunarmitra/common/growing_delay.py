"""A delay that doubles with each failure, for secrets that may be guessed: passwords.

A rate limit lets an attacker guess at its pace without end. Here some failures are free, then each one doubles the time
before the next attempt. An attempt counts as a failure from its begin, so that attempts at the same moment cannot all
pass; a success takes that back. Reading, judging and storing is one step, as in :mod:`hunarmitra.common.rate_limit`.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import redis

from hunarmitra.common.rate_limit import Limit

FORGOTTEN_AFTER: Final = 3600.0
"""Seconds without an attempt after which the failures of a subject are forgotten."""


@dataclass(frozen=True, slots=True)
class GrowingDelay:
    """``free`` failures without a delay; then ``first`` seconds, doubled by each failure, at most ``longest``."""

    name: str
    free: int
    first: float
    longest: float

    def after(self, failures: int) -> float:
        """Return the seconds from this failure to the next attempt."""
        if failures < self.free:
            return 0.0
        doublings = min(failures - self.free, 40)
        return min(self.first * 2.0**doublings, max(self.longest, self.first))

    def key(self, subject: str) -> str:
        return Limit(self.name, 1, 1).key(subject)


class Delays(Protocol):
    def begin(self, delay: GrowingDelay, subject: str) -> float:
        """Count an attempt as a failure and return 0, or return the seconds to wait before the next attempt."""
        ...

    def take_back(self, delay: GrowingDelay, subject: str) -> None:
        """Take back one failure: the attempt was not made."""
        ...

    def forget(self, delay: GrowingDelay, subject: str) -> None:
        """Forget all failures: an attempt succeeded."""
        ...


class LocalDelays:
    """The delays of one process. It keeps ``capacity`` subjects and drops the least recently used."""

    def __init__(self, capacity: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures: OrderedDict[str, tuple[int, float, float]] = OrderedDict()
        """Failures, when the next attempt is possible, and when the failures are forgotten."""
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()

    def begin(self, delay: GrowingDelay, subject: str) -> float:
        key = delay.key(subject)
        with self._lock:
            failures, until = self._read(key)
            if (wait := until - self._clock()) > 0:
                return wait
            self._store(key, failures + 1, delay.after(failures + 1))
        return 0.0

    def take_back(self, delay: GrowingDelay, subject: str) -> None:
        key = delay.key(subject)
        with self._lock:
            failures, _ = self._read(key)
            self._store(key, max(failures - 1, 0), 0.0)

    def forget(self, delay: GrowingDelay, subject: str) -> None:
        with self._lock:
            self._failures.pop(delay.key(subject), None)

    def _read(self, key: str) -> tuple[int, float]:
        failures, until, forgotten = self._failures.get(key, (0, 0.0, 0.0))
        return (failures, until) if forgotten > self._clock() else (0, 0.0)

    def _store(self, key: str, failures: int, seconds: float) -> None:
        until = self._clock() + seconds
        self._failures[key] = failures, until, until + FORGOTTEN_AFTER
        self._failures.move_to_end(key)
        if len(self._failures) > self._capacity:
            self._failures.popitem(last=False)


_STATE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local failures, till = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+):(%d+)$')
failures, till = tonumber(failures) or 0, tonumber(till) or 0
"""
_BEGIN = (
    _STATE
    + """
if till > now then
    return till - now
end
failures = failures + 1
local free, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local delay = 0
if failures >= free then
    delay = math.min(first * 2 ^ math.min(failures - free, 40), math.max(longest, first))
end
local forgotten = math.ceil((delay + tonumber(ARGV[4])) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f:%.0f', failures, now + delay), 'PX', forgotten)
return 0
"""
)
_TAKE_BACK = (
    _STATE
    + """
local forgotten = math.ceil(tonumber(ARGV[1]) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f:%.0f', math.max(failures - 1, 0), now), 'PX', forgotten)
return 0
"""
)
_FORGET = "redis.call('SET', KEYS[1], '0:0', 'PX', 1) return 0"
"""The user of Redis may not delete, so the key expires."""
_MICROSECONDS: Final = 1_000_000


class RedisDelays:
    """The delays of all processes of one Redis. Raises redis.RedisError when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._begin = client.register_script(_BEGIN)
        self._take_back = client.register_script(_TAKE_BACK)
        self._forget = client.register_script(_FORGET)

    def begin(self, delay: GrowingDelay, subject: str) -> float:
        seconds = (delay.first, delay.longest, FORGOTTEN_AFTER)
        arguments = [delay.free, *(int(value * _MICROSECONDS) for value in seconds)]
        return int(self._begin(keys=[delay.key(subject)], args=arguments)) / _MICROSECONDS

    def take_back(self, delay: GrowingDelay, subject: str) -> None:
        self._take_back(keys=[delay.key(subject)], args=[int(FORGOTTEN_AFTER * _MICROSECONDS)])

    def forget(self, delay: GrowingDelay, subject: str) -> None:
        self._forget(keys=[delay.key(subject)])
