"""Named places where a test may stop, delay or kill the process.

The races that matter (a commit whose publish never happened, an event in the middle of a join) cannot be
met by luck. The code names those places; in production no handler is registered and a checkpoint costs one
dictionary look-up. Handlers come from a settings module that only tests use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

_handlers: dict[str, Callable[[], None]] = {}
_async_handlers: dict[str, Callable[[], Awaitable[None]]] = {}


def register(name: str, handler: Callable[[], None]) -> None:
    _handlers[name] = handler


def register_async(name: str, handler: Callable[[], Awaitable[None]]) -> None:
    _async_handlers[name] = handler


def reach(name: str) -> None:
    if handler := _handlers.get(name):
        handler()


async def reach_async(name: str) -> None:
    if handler := _async_handlers.get(name):
        await handler()
