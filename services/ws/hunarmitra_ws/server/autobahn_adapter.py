"""Adapter for autobahn: the frames of one connection, and a smaller connection footprint.

autobahn copies about forty options from its factory into every connection. It sets forty more attributes to their
defaults, and keeps the whole request, including the token. This is most of the memory of an idle connection of stock
daphne, and formatting the options for a debug line is most of the cost of accepting a connection. Here the options
and defaults are attributes of the class. An instance has only the attributes whose values differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats

from hunarmitra.common.private_names import Library, PrivateName, names_of
from hunarmitra_ws.server.twisted_adapter import write_directly

_PROTOCOL: Final = "autobahn.websocket.protocol:WebSocketServerProtocol"


class _UnusedDeferred:
    """Replaces a Deferred of autobahn that has no callbacks."""

    def callback(self, result: Any) -> None:
        pass


_UNUSED_DEFERRED: Final = _UnusedDeferred()

IDLE_VALUES: Final[Mapping[str, Any]] = {
    "is_open": _UNUSED_DEFERRED,
    "is_closed": _UNUSED_DEFERRED,
    "peer": "",
    "data": b"",
    "triggered": False,
    "send_state": 0,
    "inside_message": False,
    "current_frame": None,
    "trackedTimings": None,
    "trafficStats": TrafficStats(),
    "_perMessageCompress": None,
    "wasMaxFramePayloadSizeExceeded": False,
    "wasMaxMessagePayloadSizeExceeded": False,
    "closedByMe": False,
    "failedByMe": False,
    "droppedByMe": False,
    "wasClean": False,
    "wasNotCleanReason": None,
    "wasServerConnectionDropTimeout": False,
    "wasOpenHandshakeTimeout": False,
    "wasCloseHandshakeTimeout": False,
    "wasServingFlashSocketPolicyFile": False,
    "localCloseCode": None,
    "localCloseReason": None,
    "remoteCloseCode": None,
    "remoteCloseReason": None,
    "openHandshakeTimeoutCall": None,
    "closeHandshakeTimeoutCall": None,
    "autoPingTimeoutCall": None,
    "autoPingPending": None,
    "autoPingPendingCall": None,
    "autoPingPendingSeq": 0,
    "autoPingPendingSent": None,
}
"""Attributes that autobahn sets on every connection, with their values while the connection is idle."""

AFTER_HANDSHAKE: Final[Mapping[str, Any]] = {
    "_transport_details": None,
    "_wskey": "",
    "http_headers": None,
    "http_request_data": b"",
    "http_request_host": "",
    "http_request_params": None,
    "http_request_path": "",
    "http_request_uri": "",
    "http_response_data": "",
    "http_status_line": "",
    # Only chopped and synchronous writes use the queue. The project has no such writes; an append to a tuple fails.
    "send_queue": (),
    "trafficStats": IDLE_VALUES["trafficStats"],
    "websocket_extensions": (),
    "websocket_extensions_in_use": (),
    "websocket_origin": "",
    "websocket_protocol_in_use": None,
    "websocket_protocols": (),
    "peer": "",
}
"""Attributes that autobahn needs only until the connection is open, with the values that then replace them."""

KEPT: Final = frozenset(
    {
        "state", "utf8validator", "websocket_version", "message_is_binary", "message_data", "message_data_total_length",
        "frame_length", "frame_data", "control_frame_data", "current_frame_masker", "utf8validateLast",
        "utf8validateIncomingCurrentMessage", "_isMessageCompressed", "trackTimings", "_valid_events", "_listeners",
        "_results", "connected", "transport",
    }
)  # fmt: skip
"""Attributes that stay on the instance: their values differ between connections, or only messages set them."""

UNUSED: Final = frozenset(
    {
        "send_compressed", "send_message_frame_length", "send_message_frame_mask", "send_message_frame_masker",
        "send_message_opcode", "serverConnectionDropTimeoutCall",
    }
)  # fmt: skip
"""Attributes that autobahn sets only for clients, or when an application sends a message in parts."""

LIBRARY: Final = Library(
    "autobahn",
    "26.10.2",
    (
        *names_of(
            _PROTOCOL,
            {
                "CONFIG_ATTRS": "the options that are copied from the factory into each connection",
                "sendCloseFrame(code, reasonUtf8, isReply)": "also sends the RFC's reserved codes, unlike sendClose",
                "state": "whether frames may be written",
                "data": "bytes that were received and not parsed",
                "onFrameBegin()": "called for each frame of any kind, when its header has been parsed",
                "current_frame": "the header of that frame",
                "dropConnection(abort)": "also stops the parser, unlike the transport's abortConnection",
                "STATE_CONNECTING": "the handshake is not complete",
                "STATE_OPEN": "frames may be written",
                "STATE_CLOSED": "the connection is closed",
            },
        ),
        *(
            PrivateName(_PROTOCOL, name, None, "connection footprint: an attribute of the class instead")
            for name in sorted({*IDLE_VALUES, *AFTER_HANDSHAKE} - {"current_frame", "data"})
        ),
    ),
)


CONTINUATION: Final = 0
"""The opcode of a frame that continues a message (RFC 6455, section 5.2)."""

FIRST_CONTROL_OPCODE: Final = 8
"""Opcodes from 8 on are control frames: close, ping and pong (RFC 6455, section 5.5)."""


if TYPE_CHECKING:
    _Base = WebSocketServerProtocol
else:
    # daphne's class inherits from autobahn's. As a base here, autobahn's methods would override daphne's.
    _Base = object


class AutobahnConnection(_Base):
    """A mixin for daphne's protocol class with the operations of an autobahn connection that the server uses."""

    transport: Any
    data: bytes
    current_frame: Any
    dropConnection: Any  # noqa: N815 - autobahn's name
    state: int
    closedByMe: bool  # noqa: N815 - autobahn's name
    localCloseCode: Any  # noqa: N815 - autobahn's name
    remoteCloseCode: Any  # noqa: N815 - autobahn's name
    sendCloseFrame: Any  # noqa: N815 - autobahn's name

    def write(self, data: bytes) -> int:
        """Write framed bytes; return how many bytes the kernel did not accept."""
        transport = self.transport
        if transport is None or self.state != _OPEN:
            return 0
        waiting = write_directly(transport, data)
        if waiting:
            self.on_backpressure()
        return waiting

    def onFrameBegin(self) -> None:  # noqa: N802 - autobahn's name
        self.frame_received(self.current_frame.opcode)
        super().onFrameBegin()

    def frame_received(self, opcode: int) -> None:
        """Handle the header of a frame; called for each frame, also for control frames and after the close frame."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self.state == _CONNECTING and self.handshake_answered is False:
            # Now autobahn would search all received bytes for a second request, at each call. It parses them later,
            # when the handshake is answered.
            self.data += data
            self.transport.pauseProducing()
            return
        super().dataReceived(data)

    handshake_answered: bool | None = None
    """None before the request is complete; False while the client waits for the answer."""

    def stop(self) -> None:
        """Drop the TCP connection at once, without parsing the remaining received bytes."""
        self.dropConnection(abort=True)

    def on_backpressure(self) -> None:
        """Handle backpressure; called when the kernel did not accept all written bytes."""

    @property
    def accepts_frames(self) -> bool:
        """Whether the connection is open and neither side has sent a close frame."""
        return bool(self.state == _OPEN and self.transport is not None)

    def send_close(self, code: int, reason: bytes | None = None) -> None:
        """Send a close frame, unless one was already sent or received."""
        if self.state == _OPEN:
            self.sendCloseFrame(code, reason, isReply=False)

    def close_code(self, fallback: int) -> int:
        """Return the code of the side that closed first. autobahn answers every close code with 1000."""
        return (self.localCloseCode if self.closedByMe else self.remoteCloseCode) or fallback or 1006

    def abort(self) -> None:
        """Drop the TCP connection at once; bytes that wait to be written are lost."""
        if self.transport is not None and self.state != _CLOSED:
            self.transport.abortConnection()


_CONNECTING: Final = WebSocketServerProtocol.STATE_CONNECTING
_OPEN: Final = WebSocketServerProtocol.STATE_OPEN
_CLOSED: Final = WebSocketServerProtocol.STATE_CLOSED

_UNSET: Final = object()
_Protocol = TypeVar("_Protocol")


def with_small_footprint(protocol: type[_Protocol], factory: Any, more: Mapping[str, Any]) -> type[_Protocol]:
    """Return a subclass whose class attributes are the factory's options, the tables above, and ``more``."""
    values = {name: getattr(factory, name) for name in getattr(protocol, "CONFIG_ATTRS", ())}
    # A plain function would become a method, with the connection as its first argument.
    options = {name: staticmethod(value) if callable(value) else value for name, value in values.items()}
    attributes = {**IDLE_VALUES, **AFTER_HANDSHAKE, **more, **options, "CONFIG_ATTRS": ()}
    return type(protocol.__name__, (protocol,), attributes)


def reduce_footprint(connection: Any, more: Mapping[str, Any]) -> None:
    """Delete the attributes of an open connection whose value its class already has; ``more`` names further ones."""
    connection.__dict__ = {
        name: value
        for name, value in vars(connection).items()
        if name not in AFTER_HANDSHAKE and name not in more and IDLE_VALUES.get(name, _UNSET) is not value
    }
