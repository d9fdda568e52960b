"""A TCP proxy in front of a server that can stop forwarding: both sides stay connected, and nobody gets an answer.

So it is with a server whose process hangs, a proxy that hangs, or a host whose packets are lost. Connects succeed
meanwhile. Bytes are kept and forwarded later, as TCP would transmit them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

HOST = "127.0.0.1"
T = TypeVar("T")


class SilentProxy:
    """A proxy in its own thread. Use it as a context manager."""

    def __init__(self, port: int) -> None:
        """Make a proxy for the server on `port`."""
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="silent-proxy", daemon=True)
        self._forwards = asyncio.Event()
        self._forwards.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, HOST, 0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def silence(self) -> None:
        self._loop.call_soon_threadsafe(self._forwards.clear)

    def speak(self) -> None:
        self._loop.call_soon_threadsafe(self._forwards.set)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._forwards.wait()
            from_server, to_server = await asyncio.open_connection(HOST, self._target)
            pumps = self._pump(reader, to_server), self._pump(from_server, writer)
            await asyncio.gather(*pumps)
        except OSError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    await self._forwards.wait()
                    writer.write(data)
                    await writer.drain()
                await self._forwards.wait()
        finally:
            writer.close()
