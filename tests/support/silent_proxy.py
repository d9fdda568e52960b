"""A TCP proxy in front of a server that can stop forwarding: both sides stay connected, and nobody gets an answer.

So it is with a server whose process hangs, a proxy that hangs, or a host whose packets are lost. Connects succeed
meanwhile. Bytes are kept and forwarded later, as TCP would transmit them again.
"""

from __future__ import annotations

import asyncio
import contextlib

from tests.support.proxy import HOST, Proxy


class SilentProxy(Proxy):
    """Forwards all bytes unless it is silenced."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._forwards = asyncio.Event()
        self._forwards.set()

    def silence(self) -> None:
        self._loop.call_soon_threadsafe(self._forwards.clear)

    def speak(self) -> None:
        self._loop.call_soon_threadsafe(self._forwards.set)

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
