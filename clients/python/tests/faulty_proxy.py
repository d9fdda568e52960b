"""A TCP proxy with the faults of networks: bytes come late and in pieces, stop coming, or the connection ends.

It knows no protocol. The seed alone decides the fault of the n-th connection, so that a failed run can be repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

FAULTS = {"refuse": 0.1, "drop": 0.35, "half-close to client": 0.12, "half-close to server": 0.08, "stall": 0.1}
"""The probability of each fault; the other connections are only late and in pieces."""
MOST_DELAY = 0.02
STALL_SECONDS = 0.2
"""From the fault to the end of the connection."""


class Pair:
    """Both sides of one connection, with its planned fault after so many bytes of the server."""

    def __init__(
        self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, fault: str | None, after: int
    ) -> None:
        self.client, self.server = client, server
        self.fault = fault
        self.left = after
        self.struck = False

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()

    def to_client(self, data: bytes) -> None:
        if self.fault is not None and not self.struck and len(data) >= self.left:
            self.client.write(data[: self.left])
            self._strike()
            return
        self.left -= len(data)
        if not self.struck or self.fault == "half-close to server":
            self.client.write(data)

    def to_server(self, data: bytes) -> None:
        if not self.struck or self.fault == "half-close to client":
            self.server.write(data)

    def _strike(self) -> None:
        self.struck = True
        if self.fault == "drop":
            self.cut()
            return
        with contextlib.suppress(OSError, RuntimeError):
            if self.fault == "half-close to client":
                self.client.write_eof()
            elif self.fault == "half-close to server":
                self.server.write_eof()
        asyncio.get_running_loop().call_later(STALL_SECONDS, self.cut)


class FaultyProxy:
    """Forwards to a port of this machine. `calm()` ends all faults."""

    def __init__(self, port: int, seed: int, *, most_bytes: int = 4000) -> None:
        self._port, self._seed, self._most_bytes = port, seed, most_bytes
        self._calm = False
        self._pairs: set[Pair] = set()
        self._server: asyncio.Server | None = None
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for pair in tuple(self._pairs):
            pair.cut()

    @property
    def url(self) -> str:
        assert self._server
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def calm(self) -> None:
        """Cut the connections that have a fault planned; the next ones have none."""
        self._calm = True
        for pair in tuple(self._pairs):
            if pair.fault:
                pair.cut()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        # Drawn before the first byte, so that it does not depend on timing.
        luck = random.Random(self._seed * 1_000_003 + self.connections)
        self.connections += 1
        planned = luck.choices([*FAULTS, None], [*FAULTS.values(), 1 - sum(FAULTS.values())])[0]
        after = luck.randint(1, self._most_bytes)
        fault = None if self._calm else planned
        if fault == "refuse":
            client.transport.abort()
            return
        answers, server = await asyncio.open_connection("127.0.0.1", self._port)
        pair = Pair(client, server, fault, after)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._pump(reader, pair.to_server, server, luck), self._pump(answers, pair.to_client, client, luck)
            )
        finally:
            pair.cut()
            self._pairs.discard(pair)

    @staticmethod
    async def _pump(
        reader: asyncio.StreamReader,
        deliver: Callable[[bytes], None],
        other: asyncio.StreamWriter,
        luck: random.Random,
    ) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            while data := await reader.read(65536):
                middle = luck.randint(0, len(data))
                for part in (data[:middle], data[middle:]):
                    if part:
                        await asyncio.sleep(luck.uniform(0, MOST_DELAY))
                        deliver(part)
            other.write_eof()
