"""An outgoing frame: its text, and its bytes with WebSocket framing, made once for all connections."""

from __future__ import annotations

from typing import Final

_NOTIFICATIONS: Final = ',"channel":"notifications"}'
"""Takes the place of a frame's last brace."""

_FINAL_TEXT: Final = 0x81
_LENGTH_IN_16_BITS: Final = 126
_LENGTH_IN_64_BITS: Final = 127

OVERHEAD: Final = 48
"""Bytes of memory of a waiting frame beside its text: the object's header and its place in a queue. For short frames
this is a sixth of the whole, too much to leave out of a memory limit."""


def frame_text(payload: bytes) -> bytes:
    """Return one unfragmented, unmasked text frame (RFC 6455, section 5.2), as servers send them."""
    length = len(payload)
    if length < _LENGTH_IN_16_BITS:
        return bytes((_FINAL_TEXT, length)) + payload
    if length < 1 << 16:
        return bytes((_FINAL_TEXT, _LENGTH_IN_16_BITS)) + length.to_bytes(2, "big") + payload
    return bytes((_FINAL_TEXT, _LENGTH_IN_64_BITS)) + length.to_bytes(8, "big") + payload


class OutgoingFrame:
    """Shared by every subscription of a channel; ASGI servers take ``text``, the project's server takes ``framed``."""

    __slots__ = ("_framed", "_labelled", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._framed: bytes | None = None
        self._labelled: OutgoingFrame | None = None

    @property
    def labelled(self) -> OutgoingFrame:
        """The same notification for ``/ws/``, where it names its channel: made once for all connections."""
        if self._labelled is None:
            self._labelled = OutgoingFrame(self.text[:-1] + _NOTIFICATIONS)
        return self._labelled

    @property
    def framed(self) -> bytes:
        if self._framed is None:
            self._framed = frame_text(self.text.encode())
        return self._framed

    @property
    def size(self) -> int:
        """Bytes of memory that the frame takes while it waits."""
        return OVERHEAD + (len(self.text) if self.text.isascii() else len(self.framed))
