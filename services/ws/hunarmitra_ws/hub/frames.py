"""A frame on its way out: its text, and the WebSocket framing of it, made once for all sockets that get it."""

from __future__ import annotations

from typing import Final

_FINAL_TEXT: Final = 0x81
_LENGTH_IN_16_BITS: Final = 126
_LENGTH_IN_64_BITS: Final = 127

OVERHEAD: Final = 48
"""Bytes of memory that a waiting frame takes beside its own: the object's header and its place in a queue. Of short
frames it is a sixth, and a limit on memory that leaves it out is none."""


def frame_text(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame (RFC 6455, section 5.2): what a server sends."""
    length = len(payload)
    if length < _LENGTH_IN_16_BITS:
        return bytes((_FINAL_TEXT, length)) + payload
    if length < 1 << 16:
        return bytes((_FINAL_TEXT, _LENGTH_IN_16_BITS)) + length.to_bytes(2, "big") + payload
    return bytes((_FINAL_TEXT, _LENGTH_IN_64_BITS)) + length.to_bytes(8, "big") + payload


class OutgoingFrame:
    """Shared by every socket of a group; ASGI servers take ``text``, our own takes ``framed``."""

    __slots__ = ("_framed", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._framed: bytes | None = None

    @property
    def framed(self) -> bytes:
        if self._framed is None:
            self._framed = frame_text(self.text.encode())
        return self._framed

    @property
    def size(self) -> int:
        """Bytes that it takes while it waits."""
        return OVERHEAD + (len(self.text) if self.text.isascii() else len(self.framed))
