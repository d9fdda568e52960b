"""Wait for a condition instead of sleeping: poll until it holds, or fail with the last value."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

from tests.support.clock import steady

INTERVAL = 0.02
HANG = 300.0
"""Seconds after which a test hangs, also on a machine that is ten times slower than an ordinary one."""
T = TypeVar("T")


def eventually(predicate: Callable[[], T], timeout: float = HANG, message: str = "", interval: float = INTERVAL) -> T:
    """Call `predicate` until it returns a true value; return it. An AssertionError counts as "not yet"."""
    deadline = steady() + timeout
    while True:
        problem: object
        try:
            value = predicate()
            if value:
                return value
            problem = value
        except AssertionError as error:
            problem = error
        if steady() >= deadline:
            raise AssertionError(_failure(message, timeout, problem))
        time.sleep(interval)


@overload
async def eventually_async(
    predicate: Callable[[], Awaitable[T]], timeout: float = HANG, message: str = "", interval: float = INTERVAL
) -> T: ...


@overload
async def eventually_async(
    predicate: Callable[[], T], timeout: float = HANG, message: str = "", interval: float = INTERVAL
) -> T: ...


async def eventually_async(
    predicate: Callable[[], Any], timeout: float = HANG, message: str = "", interval: float = INTERVAL
) -> Any:
    """Wait like `eventually`, without blocking the event loop; `predicate` may be a coroutine function."""
    deadline = steady() + timeout
    while True:
        problem: object
        try:
            value = predicate()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            problem = value
        except AssertionError as error:
            problem = error
        if steady() >= deadline:
            raise AssertionError(_failure(message, timeout, problem))
        await asyncio.sleep(interval)


def _failure(message: str, timeout: float, problem: object) -> str:
    return f"{message or 'the condition'}: not within {timeout:g} s; last seen: {problem!r}"
