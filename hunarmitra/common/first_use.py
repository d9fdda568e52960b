"""Objects that are made at their first use, once, also when several threads need them at the same time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_Made = TypeVar("_Made")


def made_once(make: Callable[..., _Made]) -> Callable[..., _Made]:
    """Cache the result for each tuple of arguments, and call ``make`` for it only once.

    ``functools.cache`` calls it in each thread that comes before the first result. Two limiters would count separately,
    and drf-spectacular's generator fails when two threads use it. An exception is not cached.
    """
    made: dict[tuple[Any, ...], _Made] = {}
    lock = threading.RLock()

    @functools.wraps(make)
    def get(*key: Any) -> _Made:
        try:
            return made[key]
        except KeyError:
            with lock:
                if key not in made:
                    made[key] = make(*key)
                return made[key]

    return get
