"""The shared framing of events, compared with an independent implementation."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from hunarmitra_ws.hub.frames import OutgoingFrame, frame_text


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_framing_is_what_websockets_would_send(length: int) -> None:
    payload = b"x" * length
    assert frame_text(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_a_frame_is_framed_once() -> None:
    frame = OutgoingFrame('{"actor":"रवि"}')
    assert frame.framed is frame.framed
    assert frame.framed.endswith('रवि"}'.encode())
