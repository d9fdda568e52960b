"""Checkpoints: named places where a test may stop, delay or kill the process.

A test must be able to reproduce a race, such as a crash between commit and publish. Tests register handlers in a
settings module of their own. In production there is no handler, and a checkpoint costs one dictionary look-up.
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
