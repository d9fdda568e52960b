"""``python -m bench.peers.hostile``: clients of one kind that try to harm others, over raw sockets of one thread.

Reads its plan as one JSON line: kind, address, paths and how many. Writes ``ready`` once every client has begun, and
ends when its input ends. A client whose connection has ended begins again after :data:`PAUSE` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Final

PAUSE: Final = 3.0
SMALL_BUFFER: Final = 4096
CHUNK: Final = b"x" * 65536

MASKED_PING: Final = b"\x89\xfd" + bytes(4) + b"p" * 125
EMPTY_START: Final = b"\x01\x80" + bytes(4)
EMPTY_CONTINUATION: Final = b"\x00\x80" + bytes(4)

UPGRADE: Final = (
    "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
POST: Final = "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


class Wire:
    """One TCP connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.socket, data)

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self.socket, 65536)

    async def to_the_end(self) -> None:
        while await self.receive():
            pass

    async def slowly(self, data: bytes) -> None:
        for number in range(len(data)):
            await self.send(data[number : number + 1])
            await asyncio.sleep(1)


async def half_handshake(wire: Wire, path: str) -> None:
    await wire.send(UPGRADE.format(path).encode()[:60])
    await wire.to_the_end()


async def slow_handshake(wire: Wire, path: str) -> None:
    await wire.slowly(UPGRADE.format(path).encode())


async def bad_token(wire: Wire, path: str) -> None:
    await wire.send(UPGRADE.format(f"{path.partition('?')[0]}?token=bad").encode())
    await wire.to_the_end()


async def unread_pongs(wire: Wire, path: str) -> None:
    await wire.send(UPGRADE.format(path).encode())
    while True:
        await wire.send(MASKED_PING * 100)


async def empty_continuations(wire: Wire, path: str) -> None:
    await wire.send(UPGRADE.format(path).encode())
    await wire.send(EMPTY_START)
    while True:
        await wire.send(EMPTY_CONTINUATION * 1000)


async def ignored_close(wire: Wire, path: str) -> None:
    """Rejected, it sends pings until the server drops it."""
    await wire.send(UPGRADE.format(path.partition("?")[0]).encode())
    while True:
        await wire.send(MASKED_PING)
        await asyncio.sleep(0.1)


async def never_reads(wire: Wire, path: str) -> None:
    await wire.send(UPGRADE.format(path).encode())
    await asyncio.Event().wait()


async def reset(wire: Wire, path: str) -> None:
    await wire.send(UPGRADE.format(path).encode())
    await wire.receive()
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def slow_header(wire: Wire, path: str) -> None:
    await wire.slowly(POST.format(path, 100).encode())


async def slow_body(wire: Wire, path: str) -> None:
    await wire.send(POST.format(path, 100).encode())
    await wire.slowly(b"{" * 100)


async def large_body(wire: Wire, path: str) -> None:
    await wire.send(POST.format(path, 10**9).encode())
    while True:
        await wire.send(CHUNK)


KINDS: Final[dict[str, Callable[[Wire, str], Awaitable[None]]]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        half_handshake, slow_handshake, bad_token, unread_pongs, empty_continuations, ignored_close, never_reads, reset,
        slow_header, slow_body, large_body,
    )
}  # fmt: skip


async def attack(kind: str, address: tuple[str, int], path: str, begun: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(OSError), socket.socket() as client:
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            await loop.sock_connect(client, address)
            begun()
            await KINDS[kind](Wire(client), path)
        await asyncio.sleep(PAUSE)


async def main() -> None:
    plan = json.loads(sys.stdin.readline())
    host, _, port = plan["address"].partition(":")
    count, paths = plan["count"], plan["paths"]
    ready = asyncio.Event()
    waiting = count

    def begun() -> None:
        nonlocal waiting
        waiting -= 1
        if waiting <= 0:
            ready.set()

    tasks = []
    for number in range(count):
        path = paths[number % len(paths)]
        tasks.append(asyncio.create_task(attack(plan["kind"], (host, int(port)), path, begun)))
        if number % 50 == 0:
            await asyncio.sleep(0.05)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ready.wait(), 30)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
