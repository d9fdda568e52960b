"""A WebSocket client that sends arbitrary bytes and never answers by itself."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Self

MASK = b"\0\0\0\0"
"""A mask that changes nothing."""

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
"""The headers of a handshake."""

CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """Return a client's frame of at most 125 bytes (RFC 6455, section 5.2)."""
    return bytes((0x80 * final + opcode, 0x80 + len(payload))) + MASK + payload


class RawSocket:
    """A TCP connection to `port` of this machine; `receive_buffer` limits the kernel's buffer."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all bytes. A connection that the server has closed is not an error."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def request(self, target: str, *headers: str, method: str = "GET", host: str = "localhost") -> None:
        self.send("\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", "")).encode())

    def upgrade(self, target: str, *headers: str) -> None:
        """Request a WebSocket, and read the answer's header."""
        self.request(target, *UPGRADE, *headers)
        assert self.header().startswith("HTTP/1.1 101")

    def header(self) -> str:
        """Read the header of an HTTP answer."""
        while b"\r\n\r\n" not in self._received:
            assert self._fill(), f"the connection ended after {self._received!r}"
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield opcode and payload of each frame, until the server closes the connection."""
        while True:
            while (parsed := self._parse()) is not None:
                yield parsed
            if not self._fill():
                return

    def close_code(self) -> int | None:
        """Read to the end of the connection; return the code of the server's close frame, or None."""
        code = None
        for opcode, payload in self.frames():
            if opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big")
        return code

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        while len(self._received) < length:
            assert self._fill(), f"the connection ended after {self._received!r}"
        taken, self._received = self._received[:length], self._received[length:]
        return taken

    def end(self) -> None:
        """Send no more; the server's half stays open."""
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        """Read and return all bytes to the end of the connection."""
        while self._fill():
            pass
        return self._received

    def _fill(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return False
        self._received += data
        return bool(data)

    def _parse(self) -> tuple[int, bytes] | None:
        received = self._received
        if len(received) < 2:
            return None
        length, begin = received[1], 2
        if length == 126:
            length, begin = int.from_bytes(received[2:4], "big"), 4
        if len(received) < begin + length:
            return None
        self._received = received[begin + length :]
        return received[0] & 0x0F, received[begin : begin + length]
