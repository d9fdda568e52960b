"""A TCP proxy in front of Redis that can lose messages, as a failing primary or a broken network does."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from hunarmitra.outbox.redis_publisher import CHANNEL_PREFIX
from tests.support.proxy import HOST, Proxy

NOWHERE = b"swallowed"
"""A channel without a subscriber: Redis answers, and the message is lost."""

OF_BOOKINGS = f"{CHANNEL_PREFIX}booking.".encode()
MOST_DELAY = 2.0
"""Seconds that a late message takes longer."""


class RedisProxy(Proxy):
    """Forwards all bytes until `swallowing` or `frozen` is set, or `deafen` is called."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._connections: set[asyncio.StreamWriter] = set()
        self._deaf: set[asyncio.StreamWriter] = set()
        self.swallowing = False
        self.swallowed = 0
        self.frozen = False
        """Whether new connections are deaf as well."""
        self.disorder: random.Random | None = None
        """With it, of five messages about bookings one is lost, one comes late and one twice."""

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def deafen(self) -> int:
        """Let the open connections deliver nothing from now on, without closing them; return their number."""

        async def mark() -> int:
            self._deaf |= self._connections
            return len(self._deaf)

        return self._run(mark())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections.add(writer)
        if self.frozen:
            self._deaf.add(writer)
        try:
            from_redis, to_redis = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.close()
            return
        finally:
            self._tasks.discard(task)
        answers = asyncio.create_task(self._answers(from_redis, writer))
        self._tasks |= {task, answers}
        try:
            async for command in _commands(reader):
                to_redis.write(_encoded(self._changed(command)))
                await to_redis.drain()
        except OSError:
            pass
        finally:
            answers.cancel()
            self._tasks -= {task, answers}
            self._connections.discard(writer)
            self._deaf.discard(writer)
            to_redis.close()
            writer.close()

    def _changed(self, command: list[bytes]) -> list[bytes]:
        if self.swallowing and command[0].upper() == b"PUBLISH" and command[1].startswith(CHANNEL_PREFIX.encode()):
            self.swallowed += 1
            return [command[0], NOWHERE, command[2]]
        if self.disorder is not None and command[0].upper() == b"PUBLISH" and command[1].startswith(OF_BOOKINGS):
            return self._disordered(command, self.disorder)
        return command

    def _disordered(self, command: list[bytes], luck: random.Random) -> list[bytes]:
        what = luck.choice(["lost", "late", "twice", "on time", "on time"])
        if what in {"late", "twice"}:
            task = asyncio.create_task(self._publish_later(command, luck.uniform(0.02, MOST_DELAY)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.swallowed += what == "lost"
        return [command[0], NOWHERE, command[2]] if what in {"lost", "late"} else command

    async def _publish_later(self, command: list[bytes], delay: float) -> None:
        await asyncio.sleep(delay)
        with contextlib.suppress(OSError):
            _, to_redis = await asyncio.open_connection(HOST, self._target)
            to_redis.write(_encoded(command))
            await to_redis.drain()
            to_redis.close()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if writer not in self._deaf:
                    writer.write(data)
                    await writer.drain()
        writer.close()


async def _commands(reader: asyncio.StreamReader) -> AsyncIterator[list[bytes]]:
    """Yield the commands of a client, which are RESP arrays of bulk strings."""
    while header := await reader.readline():
        command = []
        for _ in range(int(header[1:])):
            length = int((await reader.readline())[1:])
            command.append((await reader.readexactly(length + 2))[:-2])
        yield command


def _encoded(command: list[bytes]) -> bytes:
    parts = [b"$%d\r\n%s\r\n" % (len(part), part) for part in command]
    return b"*%d\r\n" % len(command) + b"".join(parts)
