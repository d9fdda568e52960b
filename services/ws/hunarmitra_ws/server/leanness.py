"""What a connection need not carry: options that all share, defaults, and the handshake once it is over.

autobahn copies some forty options from its factory into every connection, sets forty attributes more to what they
start as, and keeps the whole request, with the token in it. That is most of what an idle connection of stock daphne
weighs; and formatting the options for a debug line that nobody reads is most of what accepting one costs. Here they
are attributes of the class, and a connection has only what is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from autobahn.websocket.protocol import TrafficStats


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
    "_raw_query_string": b"",
    "_transport_details": None,
    "_wskey": "",
    "application_deferred": None,
    "clean_headers": (),
    "http_headers": None,
    "http_request_data": b"",
    "http_request_host": "",
    "http_request_params": None,
    "http_request_path": "",
    "http_request_uri": "",
    "http_response_data": "",
    "http_status_line": "",
    "last_ping": 0.0,
    "path": b"",
    "protocol_to_accept": None,
    "root_path": "",
    # Only chopped and synchronous writes are queued, which nobody asks for: an append would fail, and be noticed.
    "send_queue": (),
    "server_addr": None,
    "socket_opened": 0.0,
    "trafficStats": AT_REST["trafficStats"],
    "websocket_extensions": (),
    "websocket_extensions_in_use": (),
    "websocket_origin": "",
    "websocket_protocol_in_use": None,
    "websocket_protocols": (),
    "peer": "",
}
"""What autobahn and daphne need no more once the connection is open, and what is there instead."""

_UNSET: Final = object()
_Protocol = TypeVar("_Protocol")


def lean(protocol: type[_Protocol], factory: Any) -> type[_Protocol]:
    """A subclass with the factory's options, and all of the above, as attributes of the class."""
    values = {name: getattr(factory, name) for name in getattr(protocol, "CONFIG_ATTRS", ())}
    # A plain function would become a method, and get the connection as its first argument.
    options = {name: staticmethod(value) if callable(value) else value for name, value in values.items()}
    return type(protocol.__name__, (protocol,), {**AT_REST, **AFTER_HANDSHAKE, **options, "CONFIG_ATTRS": ()})


def shed(connection: Any) -> None:
    """Drop what an open connection need not have of its own: the class has it."""
    connection.__dict__ = {
        name: value
        for name, value in vars(connection).items()
        if name not in AFTER_HANDSHAKE and AT_REST.get(name, _UNSET) is not value
    }
