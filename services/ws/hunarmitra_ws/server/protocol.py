"""One WebSocket connection of the ws server: parsed by `websockets`, written directly, with limits for every frame.

`websockets` parses the handshake and the frames without I/O (https://websockets.readthedocs.io/en/stable/howto/sansio.html).
This class moves the bytes between its parser and Twisted's transport, and the messages between it and the application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol as Parser

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.client_messages import TokenBucket
from hunarmitra_ws.hub.disconnects import reconnect
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server import bounds, twisted_adapter, websockets_adapter
from hunarmitra_ws.server.direct_lanes import DirectLanes
from hunarmitra_ws.server.first_request import BAD_REQUEST, END
from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.parsers import INVALID_DATA, close_code, least_bytes, parts_of

if TYPE_CHECKING:
    from hunarmitra_ws.server.server import Server

PING: Final = b"\x89\x00"
"""An empty ping (RFC 6455, section 5.5.2)."""

PONG: Final = 0x8A
"""The first byte of a pong."""


class ServerProtocol(Protocol):
    """One WebSocket connection. ``kind`` is empty until the connection is live. Times are those of the event loop.

    ``__init__`` sets what each live connection sets: Python keeps attributes in the object itself if the first objects
    of the class have them, and makes a dict of 0.5 KB for one more (ADR 0018). The others are on the class.
    """

    transport: Any
    moved: bool = False
    _dropped = _ignored = _stalled = False
    _http_channel: Any = None
    _fragments: list[bytes] | None = None
    _after_close: int = 0
    _pong: bytes | None = None
    _waited: int = -1
    _deadline: asyncio.TimerHandle | None = None

    def __init__(self, server: Server) -> None:
        self.server = server
        self.lanes: DirectLanes | None = None
        self.kind = ""
        self.joined_at = self.heard_at = self.pinged_at = 0.0
        self.due_second = self._unparsed = 0
        self.session_id: UUID | None = None
        self._parser: Parser | None = None
        self._inbox: Inbox | None = None
        self._application: asyncio.Task[None] | None = None
        self._response: Response | None = None
        self._early = b""
        self._budget: TokenBucket | None = None
        self._ended = self._binary = False

    @property
    def accepts_frames(self) -> bool:
        """Whether the connection is open and neither side has sent a close frame."""
        if self._parser is None:
            return self._inbox is not None and not self._ended
        return self._parser.state is OPEN and not self._ended

    # The parser

    def _take_parser(self) -> Parser:
        """Return the connection's parser. An open connection has none between two messages (see `parsers.py`)."""
        if self._parser is None:
            self._parser = self.server.parsers.take()
        return self._parser

    def _give_back_parser(self) -> None:
        """Keep the parser while it holds a part of a frame or of a message, or a close frame."""
        parser = self._parser
        if parser is not None and parser.state is OPEN and not self._unparsed and self._fragments is None:
            self._parser = None
            self.server.parsers.give_back(parser)

    # The handshake

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        if self.transport.producer is not None:
            # An upgrade after other requests on the same TCP connection: Twisted's channel has the transport.
            self._http_channel = twisted_adapter.take_http_channel(self.transport)
        twisted_adapter.set_kernel_buffer(self.transport, bounds.KERNEL_BUFFER)

    def _read_request(self, data: bytes) -> None:
        """Read the upgrade request, which arrives in one piece, and start the application."""
        header, end, self._early = data.partition(END)
        parser = self._parser = self.server.parsers.for_handshake()
        parser.receive_data(header + end)
        events = parser.events_received()
        if not events or not isinstance(request := events[0], Request):
            self._refuse(b"".join(parser.data_to_send()) or BAD_REQUEST)
            return
        response = parser.accept(request)
        if response.status_code != 101:
            self._refuse_with(response)
            return
        self._response = response
        inbox = self._inbox = Inbox()
        inbox.put_nowait({"type": "websocket.connect"})
        self._application = self.server.start_application(self, request, inbox)

    def _refuse_with(self, response: Response) -> None:
        self._response = None
        parser = self._take_parser()
        parser.send_response(response)
        self._refuse(b"".join(parser.data_to_send()))

    def _refuse(self, answer: bytes) -> None:
        self._ended = True
        self._early = b""
        self._deadline = twisted_adapter.answer_and_close(self.transport, answer)
        self.transport.resumeProducing()
        self.server.connection_closed(self)

    def _accept(self, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> None:
        response, self._response = self._response, None
        if response is None:
            return
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        for name, value in headers:
            response.headers[name.decode("latin-1")] = value.decode("latin-1")
        parser = self._take_parser()
        parser.send_response(response)
        self._write_replies()
        self._parser = None
        websockets_adapter.release(parser)  # its generator has the request, with the token
        self._release_http()
        self.heard_at = self.server.loop.time()
        self.server.pings.add(self)
        self.server.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        """Read what the client sent before the answer and after it, unless its token was rejected meanwhile."""
        early, self._early = self._early, b""
        if early and self.lanes is not None and self.lanes.closing:
            self.ignore()
        elif not (self._ended or self._dropped):
            self.transport.resumeProducing()
            self._parse(early)

    # What the application sends

    async def reply(self, message: Mapping[str, Any]) -> None:
        """Handle an ASGI message of the application. Messages to a client that has left are dropped."""
        if self._ended:
            return
        kind = message["type"]
        if kind == "websocket.accept":
            self._accept(message.get("subprotocol"), message.get("headers") or ())
        elif kind == "websocket.http.response.start" and self._response is not None:
            self._refuse_with(self._take_parser().reject(message["status"], ""))
        elif kind == "websocket.close" and self._response is not None:
            self._refuse_with(self._take_parser().reject(403, "Access denied"))
        elif kind == "websocket.close":
            self.send_close(message.get("code") or 1000, message.get("reason") or "")
        elif kind == "websocket.send" and self.accepts_frames:
            text = message.get("text")
            if text is not None:
                self._take_parser().send_text(text.encode())
            else:
                self._take_parser().send_binary(message.get("bytes") or b"")
            self._write_replies()
            self._give_back_parser()

    def application_ended(self, task: asyncio.Task[None]) -> None:
        """Close the connection if its application failed."""
        self._application = None
        error = self.server.application_ended(task)
        if error is None or self._ended:
            return
        if self._response is not None:
            self._refuse_with(self._take_parser().reject(500, "Internal server error"))
        else:
            self.send_close(CloseCode.INTERNAL_ERROR)

    # What the client sends

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self._ended or self._ignored:
            return
        if self._inbox is None:
            self._read_request(data)
        elif self._response is not None or self._early:
            # The client sends before the handshake is answered, so the bytes wait.
            self._early += data
            self.transport.pauseProducing()
            if len(self._early) > bounds.MOST_EARLY_BYTES:
                self.drop()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        parser = self._take_parser()
        self._unparsed += len(data)
        for part in parts_of(data):
            parser.receive_data(part)
            for frame in parser.events_received():
                assert isinstance(frame, Frame)
                self._unparsed -= least_bytes(frame)
                self._receive(frame, parser)
                if self._ended or self._dropped or self._ignored:
                    return
            self._write_replies()
            if self._ended:
                return
        self._give_back_parser()

    def _receive(self, frame: Frame, parser: Parser) -> None:
        """Count one frame, and pass on a complete message; the parser has answered control frames."""
        if parser.close_sent is not None and parser.close_rcvd is None:
            self._after_close += 1
            if self._after_close > bounds.MOST_FRAMES_AFTER_CLOSE:
                self.drop()
            return
        now = self.heard_at = self.server.loop.time()
        if self._budget is None:
            self._budget = self.server.frame_budget(now)
        if not self._budget.take(now):
            self.server.connection_flooded(self)
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._receive_data(frame)

    def _receive_data(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._binary = frame.opcode is Opcode.BINARY
            if frame.fin:
                self._receive_message(bytes(frame.data))
                return
            self._fragments = []
        fragments = self._fragments
        assert fragments is not None
        fragments.append(bytes(frame.data))
        if len(fragments) > bounds.MOST_FRAGMENTS:
            self.server.connection_flooded(self)
        elif frame.fin:
            self._fragments = None
            self._receive_message(b"".join(fragments))

    def _receive_message(self, payload: bytes) -> None:
        inbox = self._inbox
        if inbox is None or not self.accepts_frames:
            return
        if inbox.qsize() >= bounds.MOST_UNREAD_MESSAGES:
            self.server.connection_flooded(self)
            return
        if self._binary:
            inbox.put_nowait({"type": "websocket.receive", "bytes": payload})
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._take_parser().fail(INVALID_DATA, "a text message must be UTF-8")
        else:
            inbox.put_nowait({"type": "websocket.receive", "text": text})

    # Writing

    def write(self, data: bytes) -> int:
        """Write framed bytes; return how many bytes the kernel did not accept."""
        return self._write(data) if self.accepts_frames else 0

    def _write(self, data: bytes) -> int:
        waiting = twisted_adapter.write_directly(self.transport, data)
        if waiting:
            self._on_backpressure()
        return waiting

    def _write_replies(self) -> None:
        """Write what the parser has to send.

        While pongs cannot be sent, keep only the newest (RFC 6455, 5.5.3); after our close frame, send none.
        """
        for data in self._parser.data_to_send() if self._parser is not None else ():
            if not data:
                self._finish()
            elif data[0] == PONG and not self.accepts_frames:
                continue
            elif data[0] == PONG and self._stalled:
                self._pong = data
            else:
                self._write_control(data)

    def _write_control(self, frame: bytes) -> None:
        waiting = self._write(frame)
        if waiting and self.lanes is not None:
            self.lanes.add_waiting(waiting)

    def _on_backpressure(self) -> None:
        """Stop reading from a client that does not read."""
        if not self._stalled:
            self._stalled = True
            self.transport.pauseProducing()
        twisted_adapter.call_when_flushed(self.transport, self._flushed)

    def _flushed(self) -> None:
        self._stalled = False
        if not (self._ended or self._ignored):
            self.transport.resumeProducing()
        if self.lanes is not None:
            self.lanes.flushed()
        pong, self._pong = self._pong, None
        if pong is not None and not self._ended:
            self._write_control(pong)

    def progressed(self) -> bool:
        """Return whether bytes left the buffer since the last call, while the server does not read from the client.

        Such a client is slow, but not disconnected.
        """
        if not self._stalled:
            return False
        waited, self._waited = self._waited, twisted_adapter.waiting_bytes(self.transport)
        return waited != self._waited

    # Closing

    def close_with(self, code: CloseCode) -> None:
        """Send a close frame with the code and its reason; the connection no longer counts towards the cap."""
        self.server.connection_closing(self)
        self.send_close(int(code), code.reason)

    def send_close(self, code: int, reason: str = "") -> None:
        """Send a close frame, unless one was already sent or received; drop a client that does not answer in time."""
        if self.accepts_frames:
            self._take_parser().send_close(code, reason)
            self._write_replies()
            self.abort_later()

    def abort_later(self) -> None:
        """Drop the connection after the close timeout, unless it ends before."""
        if self._deadline is None:
            self._deadline = self.server.loop.call_later(self.server.options.close_timeout, self.drop)

    def _finish(self) -> None:
        """Close the TCP connection: the closing handshake is complete, or the client broke the protocol."""
        self.server.connection_closing(self)
        self.abort_later()
        if self._take_parser().close_rcvd is not None:
            self.transport.loseConnection()
            return
        # The parser discards what still arrives. A reset could overtake the close frame.
        if not self._stalled:
            self.transport.loseWriteConnection()

    def ignore(self) -> None:
        """Read nothing more from a client that floods: after its close frame it has the close timeout to leave."""
        self._ignored = True
        self._early = b""
        self.transport.pauseProducing()

    def drop(self) -> None:
        """Drop the TCP connection at once; bytes that wait to be written are lost."""
        self._dropped = True
        if not self._ended:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802 - Twisted's name
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.server.arrivals.remove(self.transport)
        self._release_http()
        if self._parser is not None:
            websockets_adapter.release(self._parser)
        if self._ended:
            return
        self._ended = True
        code = close_code(self._parser)
        self._early = b""
        self.server.pings.remove(self)
        metrics.closed(code)
        self.server.connection_closed(self)
        if self._inbox is not None:
            self._inbox.put_nowait({"type": "websocket.disconnect", "code": code})
        if self.lanes is not None:
            # This ends a join that is in progress, so that it does not go live without a client.
            self.lanes.abandon()
            self.lanes = None
        if self._application is not None:
            self.server.limit_application(self._application)

    def _release_http(self) -> None:
        if self._http_channel is not None:
            twisted_adapter.release_http_channel(self._http_channel)
            self._http_channel = None

    # Pings and drain

    def ping(self) -> None:
        if self.accepts_frames and not self._stalled:
            self._write_control(PING)

    def move_away(self, after_ms: int) -> None:
        if self.lanes is not None and not self.lanes.closing:
            self.moved = True
            metrics.drain_moved.inc()
            reconnect(after_ms).send(self.lanes)
