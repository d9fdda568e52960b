"""Adapter for autobahn: the frames of one connection, and a smaller connection footprint.

autobahn copies some forty options from its factory into every connection, sets forty more attributes to their
defaults, and keeps the whole request, with the token in it. That is most of the memory of an idle connection of stock
daphne; and formatting the options for a debug line is most of the cost of accepting one. Here these are attributes of
the class, and a connection has only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats

from hunarmitra.common.private_names import Library, PrivateName, names_of
from hunarmitra_ws.server.twisted_adapter import write_directly

_PROTOCOL: Final = "autobahn.websocket.protocol:WebSocketServerProtocol"


class _Nobody:
    """In the place of a Deferred that nobody waits for."""

    def callback(self, result: Any) -> None:
        pass


_NOBODY: Final = _Nobody()

AT_REST: Final[Mapping[str, Any]] = {
    "is_open": _NOBODY,
    "is_closed": _NOBODY,
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
"""autobahn's attributes of a connection on which nothing is under way."""

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
    # Only chopped and synchronous writes are queued, and we make none: an append would fail, and be noticed.
    "send_queue": (),
    "trafficStats": AT_REST["trafficStats"],
    "websocket_extensions": (),
    "websocket_extensions_in_use": (),
    "websocket_origin": "",
    "websocket_protocol_in_use": None,
    "websocket_protocols": (),
    "peer": "",
}
"""What autobahn needs no more once the connection is open, and what stands in its place."""

KEPT: Final = frozenset(
    {
        "state", "utf8validator", "websocket_version", "message_is_binary", "message_data", "message_data_total_length",
        "frame_length", "frame_data", "control_frame_data", "current_frame_masker", "utf8validateLast",
        "utf8validateIncomingCurrentMessage", "_isMessageCompressed", "trackTimings", "_valid_events", "_listeners",
        "_results", "connected", "transport",
    }
)  # fmt: skip
"""Attributes that autobahn sets on a server's connection and that stay: they differ, or come only with messages."""

UNUSED: Final = frozenset(
    {
        "send_compressed", "send_message_frame_length", "send_message_frame_mask", "send_message_frame_masker",
        "send_message_opcode", "serverConnectionDropTimeoutCall",
    }
)  # fmt: skip
"""Attributes that autobahn sets only for clients, and where an application sends messages in pieces: we do not."""

LIBRARY: Final = Library(
    "autobahn",
    "26.10.2",
    (
        *names_of(
            _PROTOCOL,
            {
                "CONFIG_ATTRS": "the options that are copied from the factory into each connection",
                "sendCloseFrame(code, reasonUtf8, isReply)": "it sends the RFC's own codes too, unlike sendClose",
                "state": "whether frames may be written",
                "data": "bytes that were received and not parsed",
                "onFrameBegin()": "called for each frame of any kind, when its header has been parsed",
                "current_frame": "the header of that frame",
                "dropConnection(abort)": "unlike the transport's abortConnection it also stops the parser",
                "STATE_CONNECTING": "the handshake is not over",
                "STATE_OPEN": "frames may be written",
                "STATE_CLOSED": "the connection is gone",
            },
        ),
        *(
            PrivateName(_PROTOCOL, name, None, "connection footprint: an attribute of the class instead")
            for name in sorted({*AT_REST, *AFTER_HANDSHAKE} - {"current_frame", "data"})
        ),
    ),
)


CONTINUATION: Final = 0
"""The opcode of a frame that continues a message (RFC 6455, section 5.2)."""

FIRST_CONTROL_OPCODE: Final = 8


if TYPE_CHECKING:
    _Base = WebSocketServerProtocol
else:
    # daphne's class brings autobahn's; as a base here it would come before daphne's own methods.
    _Base = object


class AutobahnConnection(_Base):
    """What we need of a connection of autobahn; mixed into daphne's protocol class."""

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
        """Write framed bytes. Returns how many the kernel did not take."""
        transport = self.transport
        if transport is None or self.state != _OPEN:
            return 0
        waiting = write_directly(transport, data)
        if waiting:
            self.not_taken()
        return waiting

    def onFrameBegin(self) -> None:  # noqa: N802 - autobahn's name
        self.frame_arrived(self.current_frame.opcode)
        super().onFrameBegin()

    def frame_arrived(self, opcode: int) -> None:
        """Called for each frame of the client, also for control frames and after the close frame."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self.state == _CONNECTING and self.handshake_answered is False:
            # autobahn would search all of it for a second request each time; it parses this after the answer.
            self.data += data
            self.transport.pauseProducing()
            return
        super().dataReceived(data)

    handshake_answered: bool | None = None
    """None before the request is complete; False while the client waits for the answer."""

    def stop(self) -> None:
        """Drop the TCP connection at once, and parse nothing more of what was received."""
        self.dropConnection(abort=True)

    def not_taken(self) -> None:
        """Called when the kernel did not take all that was written."""

    @property
    def accepts_frames(self) -> bool:
        """Whether the connection is open, and neither side has sent a close frame."""
        return bool(self.state == _OPEN and self.transport is not None)

    def send_close(self, code: int, reason: bytes | None = None) -> None:
        """Send a close frame, unless one was sent or received."""
        if self.state == _OPEN:
            self.sendCloseFrame(code, reason, isReply=False)

    def close_code(self, fallback: int) -> int:
        """The code of the side that closed first; autobahn itself answers any code with 1000."""
        return (self.localCloseCode if self.closedByMe else self.remoteCloseCode) or fallback or 1006

    def abort(self) -> None:
        """Drop the TCP connection at once, with all that waits to be written."""
        if self.transport is not None and self.state != _CLOSED:
            self.transport.abortConnection()


_CONNECTING: Final = WebSocketServerProtocol.STATE_CONNECTING
_OPEN: Final = WebSocketServerProtocol.STATE_OPEN
_CLOSED: Final = WebSocketServerProtocol.STATE_CLOSED

_UNSET: Final = object()
_Protocol = TypeVar("_Protocol")


def with_small_footprint(protocol: type[_Protocol], factory: Any, more: Mapping[str, Any]) -> type[_Protocol]:
    """A subclass with the factory's options, the tables above, and ``more``, as attributes of the class."""
    values = {name: getattr(factory, name) for name in getattr(protocol, "CONFIG_ATTRS", ())}
    # A plain function would become a method, and get the connection as its first argument.
    options = {name: staticmethod(value) if callable(value) else value for name, value in values.items()}
    attributes = {**AT_REST, **AFTER_HANDSHAKE, **more, **options, "CONFIG_ATTRS": ()}
    return type(protocol.__name__, (protocol,), attributes)


def reduce_footprint(connection: Any, more: Mapping[str, Any]) -> None:
    """Drop what an open connection need not have itself, with ``more``: the class has it."""
    connection.__dict__ = {
        name: value
        for name, value in vars(connection).items()
        if name not in AFTER_HANDSHAKE and name not in more and AT_REST.get(name, _UNSET) is not value
    }
