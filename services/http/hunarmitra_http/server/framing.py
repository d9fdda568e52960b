"""Find out when a request is complete, from the bytes received so far. Pure.

gunicorn's parser alone judges a request. This module only says when the parser has all it needs, so that it never
waits for a client. Whatever looks wrong counts as complete: the parser then answers with the exact error.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

_END: Final = b"\r\n\r\n"
_FRAMING: Final = re.compile(rb"\r\n(content-length|transfer-encoding|expect):([^\r\n]*)", re.IGNORECASE)
_CHUNK_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,15}")

LONGEST_CHUNK_LINE: Final = 8190
"""Bytes of a chunk's size line, extensions included; gunicorn rejects a longer one."""
SPARE_BYTES: Final = 16384
"""Bytes that the frames of a chunked body may need beyond the body."""


class Progress(Enum):
    """What a connection has received of a request."""

    HEADER = auto()
    """A part of the header."""
    BODY = auto()
    """The header, and a part of the body."""
    COMPLETE = auto()
    """All that the parser needs."""
    BODY_TOO_LONG = auto()
    """The header, and a body over the limit: by its declared length, by its chunks so far, or by their frames."""
    HEADER_TOO_LONG = auto()
    """More bytes than a header may have."""


class Incoming:
    """The bytes of one request of a connection, and of those that the client has sent after it."""

    __slots__ = ("_body_at", "_chunk_at", "_content", "_length", "_most_body", "_most_header", "data", "expects")

    def __init__(self, most_header: int, most_body: int) -> None:
        self._most_header = most_header
        self._most_body = most_body
        self.data = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._body_at = 0
        self._length = 0
        self._chunk_at: int | None = None
        self._content = 0
        self.expects = False
        """Whether the client waits for ``100 Continue`` before it sends the body."""

    def add(self, received: bytes) -> Progress:
        """Take more bytes."""
        data = self.data
        begin = max(0, len(data) - 3)
        data += received
        if not self._body_at:
            end = data.find(_END, begin)
            if end < 0:
                return self._incomplete_header()
            if end > self._most_header:
                return Progress.HEADER_TOO_LONG
            self._body_at = end + 4
            if not self._read_header(end + 2):
                return Progress.COMPLETE
        return self._body_progress()

    def header(self) -> bytes:
        """Return the header, if it is complete."""
        return bytes(self.data[: self._body_at])

    def take(self) -> bytes:
        """Return what has arrived, for the parser, and begin again."""
        data = bytes(self.data)
        self.data.clear()
        self._begin()
        return data

    def _incomplete_header(self) -> Progress:
        if len(self.data) > self._most_header:
            return Progress.HEADER_TOO_LONG
        line_end = self.data.find(b"\n")
        if line_end == 0 or (line_end > 0 and self.data[line_end - 1] != 13):
            return Progress.COMPLETE  # a request line without CR, which the parser rejects
        return Progress.HEADER

    def _read_header(self, end: int) -> bool:
        """Read how long the body is. Return False if there is none, or if the parser will reject the header."""
        length: bytes | None = None
        coding: bytes | None = None
        for name, text in _FRAMING.findall(self.data, 0, end):
            value = text.strip(b" \t")
            match name.lower():
                case b"content-length":
                    if length is not None or not value.isdigit() or len(value) > 18:
                        return False
                    length = value
                case b"transfer-encoding":
                    if coding is not None:
                        return False
                    coding = value.lower()
                case _:
                    self.expects = value.lower() == b"100-continue"
        if coding is not None:
            self._chunk_at = self._body_at
            return length is None and coding.endswith(b"chunked")
        self._length = int(length or 0)
        return self._length > 0

    def _body_progress(self) -> Progress:
        if self._chunk_at is not None:
            return self._chunks_progress()
        if self._length > self._most_body:
            return Progress.BODY_TOO_LONG
        return Progress.COMPLETE if len(self.data) - self._body_at >= self._length else Progress.BODY

    def _chunks_progress(self) -> Progress:
        assert self._chunk_at is not None
        data = self.data
        while True:
            line_end = data.find(b"\r\n", self._chunk_at, self._chunk_at + LONGEST_CHUNK_LINE + 2)
            if line_end < 0:
                complete = len(data) - self._chunk_at > LONGEST_CHUNK_LINE
                return Progress.COMPLETE if complete else self._unless_framed_too_long()
            size_text = bytes(data[self._chunk_at : line_end]).partition(b";")[0].rstrip(b" \t")
            if not _CHUNK_SIZE.fullmatch(size_text):
                return Progress.COMPLETE
            size = int(size_text, 16)
            if size == 0:
                return self._trailers_progress(line_end)
            arrived = min(size, len(data) - line_end - 2)
            if self._content + arrived > self._most_body:
                return Progress.BODY_TOO_LONG
            if len(data) < line_end + 2 + size + 2:
                return self._unless_framed_too_long()
            self._content += size
            self._chunk_at = line_end + 2 + size + 2

    def _trailers_progress(self, line_end: int) -> Progress:
        """After the last chunk: an empty line, or trailers that end with one."""
        if self.data.startswith(b"\r\n", line_end + 2) or self.data.find(_END, line_end + 2) >= 0:
            return Progress.COMPLETE
        return self._unless_framed_too_long()

    def _unless_framed_too_long(self) -> Progress:
        framed = len(self.data) - self._body_at
        return Progress.BODY_TOO_LONG if framed > self._most_body + SPARE_BYTES else Progress.BODY
