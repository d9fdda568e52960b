"""Adapter for daphne: its server and its WebSocket connection, with the project's replacements.

daphne documents its command line, but no Python interface. Its server keeps a dict for each connection, and checks all
of them every second (applications) and every two seconds (timeouts). Here callbacks handle each connection instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from daphne.http_protocol import WebRequest
from daphne.server import Server, twisted_loop
from daphne.ws_protocol import WebSocketProtocol

from hunarmitra.common.private_names import Library, PrivateName, names_of
from hunarmitra_ws.server import autobahn_adapter
from hunarmitra_ws.server.autobahn_adapter import AutobahnConnection
from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.twisted_adapter import BoundedBody, EarlyAnswer, early_answer

logger = logging.getLogger(__name__)

ASGI: Final = {"version": "3.0"}

AFTER_HANDSHAKE: Final[Mapping[str, Any]] = {
    "_raw_query_string": b"",
    "application_deferred": None,
    "clean_headers": (),
    "last_ping": 0.0,
    "path": b"",
    "protocol_to_accept": None,
    "root_path": "",
    "server_addr": None,
    "socket_opened": 0.0,
}
"""Attributes that daphne needs only until the connection is open, with the values that then replace them."""

KEPT: Final = frozenset(
    {"server", "request", "client_addr", "client_scheme", "application_queue", "handshake_deferred", "factory"}
)
"""Attributes that daphne sets on a connection and that stay on the instance."""

_SERVER: Final = "daphne.server:Server"
_PROTOCOL: Final = "daphne.ws_protocol:WebSocketProtocol"

LIBRARY: Final = Library(
    "daphne",
    "4.2.3",
    (
        *names_of("daphne.server", {"twisted_loop": "the asyncio loop on which Twisted's reactor runs"}),
        *names_of(
            _SERVER,
            {
                "connections": "details of each connection; a closed one is removed at once, not by the next check",
                "application": "called with the scope, as daphne's create_application does",
                "application_close_timeout": "seconds that an application may run after its client has disconnected",
                "create_application(protocol, scope)": "a smaller inbox, and a callback when the application ends",
                "protocol_connected(protocol)": "counts connections",
                "protocol_disconnected(protocol)": "counts connections, and limits applications without a client",
                "handle_reply(protocol, message)": "receives the messages of the application",
                "application_checker()": "the check every second is replaced by callbacks",
                "timeout_checker()": "the check every two seconds is limited to plain HTTP",
                "kill_all_applications()": "fails with KeyError for a connection whose application has ended",
                "ws_factory": "creates the connections",
                "http_factory": "creates the HTTP channels, and names the class of their requests",
                "ping_interval": "seconds of silence before a ping",
                "ping_timeout": "seconds that the pong may take",
                "stop()": "ends the process's event loop",
            },
        ),
        *names_of(
            "twisted.web.http:_GenericHTTPChannelProtocol",
            {"_channel": "has the transport, whose protocol changes at an upgrade"},
        ),
        *names_of(
            _PROTOCOL,
            {
                "server": "our server",
                "request": "autobahn's request; its path is kept for the log",
                "application_queue": "messages for the application",
                "handshake_deferred": "exists while the handshake waits for the application",
                "handle_exception(exception)": "closes the connection after an application has failed",
                "check_timeouts()": "replaced by pings that check only the connections that are due",
                "serverClose(code)": "also sends the RFC's reserved codes",
            },
        ),
        *(
            PrivateName(_PROTOCOL, name, None, "connection footprint: an attribute of the class instead")
            for name in sorted(AFTER_HANDSHAKE)
        ),
    ),
)

event_loop: Final[asyncio.AbstractEventLoop] = twisted_loop


class DaphneConnection(AutobahnConnection, WebSocketProtocol):
    """One WebSocket connection of daphne, with the operations that the server uses."""

    request: Any
    application_queue: Inbox

    def __init__(self) -> None:
        """Do nothing: autobahn's constructor would set attributes that are unused or that the class already has."""

    @property
    def unread_messages(self) -> int:
        """The number of client messages that the application has not read."""
        return self.application_queue.qsize()

    def check_timeouts(self) -> None:
        """Do nothing: :class:`Pings` checks the connections that are due."""

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - daphne's name
        self.send_close(code if code is not None else 1000)

    def forget_handshake(self) -> None:
        """Delete the data of the handshake, including the token."""
        self.request = _LoggedRequest(self.request.path)
        autobahn_adapter.reduce_footprint(self, AFTER_HANDSHAKE)

    def break_cycles(self) -> None:
        """Delete references back to the connection, so that no closed connection waits for the cyclic collector."""
        self.application_deferred = None
        self.request = None


def with_small_footprint(connection: type[DaphneConnection], factory: Any) -> type[DaphneConnection]:
    """Return a subclass whose instances do not copy the values that all connections share."""
    return autobahn_adapter.with_small_footprint(connection, factory, AFTER_HANDSHAKE)


class _LoggedRequest:
    """The part of a request that daphne's action log reads."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class UpgradeRequest(EarlyAnswer, WebRequest):
    """A request of a process that serves connections only: anything else is answered when its header is complete."""

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        super().gotLength(length)
        upgrade = (self.requestHeaders.getRawHeaders(b"upgrade") or [b""])[0].lower() == b"websocket"
        if not upgrade:
            self.answer_early(early_answer("404 Not Found"))
        elif length != 0:
            self.answer_early(early_answer("400 Bad Request"))


class RestRequest(BoundedBody, WebRequest):
    """A request of a process that serves REST too."""

    most_dropped = 4 * 1024 * 1024

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        self.channel.header_arrived = True
        super().gotLength(length)


def _drop_unless_requested(protocol: Any) -> None:
    if not getattr(protocol._channel, "header_arrived", False):
        _drop_unless_upgraded(protocol)


def _drop_unless_upgraded(protocol: Any) -> None:
    """Drop the TCP connection of ``protocol`` if it still waits for the header of a request."""
    transport = protocol._channel.transport
    if transport is not None and getattr(transport, "protocol", None) is protocol:
        transport.abortConnection()


class DaphneServer(Server):
    """daphne's server with callbacks instead of periodic checks, and with an extension in each connection's scope."""

    loop: asyncio.AbstractEventLoop

    @property
    def ping_times(self) -> tuple[float, float]:
        """Seconds of silence before a ping, and seconds that the pong may take."""
        return self.ping_interval, self.ping_timeout

    def connection_opened(self, connection: DaphneConnection) -> None:
        """Register a connection; called when a client requests an upgrade."""

    def connection_closed(self, connection: DaphneConnection) -> None:
        """Remove a connection; called when it was closed or rejected."""

    def extensions(self, connection: DaphneConnection, scope: dict[str, Any]) -> dict[str, Any]:
        """Return the ``extensions`` of the connection's ASGI scope."""
        raise NotImplementedError

    def serve_connections_as(self, connection: type[DaphneConnection], **options: Any) -> None:
        """Use this class for new connections; ``options`` are autobahn's."""
        self.ws_factory.setProtocolOptions(**options)
        self.ws_factory.protocol = with_small_footprint(connection, self.ws_factory)

    def serve_upgrades_only(self, header_timeout: float) -> None:
        """Answer every request that is not an upgrade when its header is complete, so that no body is kept.

        A TCP connection that has not sent its header after ``header_timeout`` seconds is dropped.
        """
        build = self.http_factory.buildProtocol

        def build_protocol(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = UpgradeRequest
            self.loop.call_later(header_timeout, _drop_unless_upgraded, protocol)
            return protocol

        self.http_factory.buildProtocol = build_protocol

    def serve_requests(self, *, header_timeout: float, body_timeout: float, most_bytes: int) -> None:
        """Limit the bodies of REST requests while they arrive.

        A TCP connection that has not sent its first header after ``header_timeout`` seconds is dropped.
        """
        build = self.http_factory.buildProtocol
        limits = {"most_bytes": most_bytes, "body_timeout": body_timeout}
        request_class = type("LimitedRestRequest", (RestRequest,), limits)

        def build_protocol(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = request_class
            self.loop.call_later(header_timeout, _drop_unless_requested, protocol)
            return protocol

        self.http_factory.buildProtocol = build_protocol

    def protocol_connected(self, protocol: Any) -> None:
        super().protocol_connected(protocol)
        if isinstance(protocol, DaphneConnection):
            self.connection_opened(protocol)

    def protocol_disconnected(self, protocol: Any) -> None:
        super().protocol_disconnected(protocol)
        if isinstance(protocol, DaphneConnection):
            self.connection_closed(protocol)
        self._remove_if_done(protocol)
        details = self.connections.get(protocol)
        if details is not None:
            details["lingering"] = self.loop.call_later(
                self.application_close_timeout, self._cancel_lingering, protocol
            )

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        ended: Callable[[object], None] = partial(self._application_ended, protocol)
        if not isinstance(protocol, DaphneConnection):
            queue = super().create_application(protocol, scope)
            details = self.connections.get(protocol)
            if details is not None:
                details["application_instance"].add_done_callback(ended)
            return queue
        scope["asgi"] = ASGI
        scope["extensions"] = self.extensions(protocol, scope)
        inbox = Inbox()
        application = self.application(scope=scope, receive=inbox.get, send=partial(self.handle_reply, protocol))
        task = self.loop.create_task(application)
        task.add_done_callback(ended)
        self.connections[protocol]["application_instance"] = task
        return inbox

    def _application_ended(self, protocol: Any, _: object) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        application = details["application_instance"]
        if not application.cancelled() and (error := application.exception()) is not None:
            logger.error("an application failed", exc_info=error)
            if "disconnected" not in details:
                protocol.handle_exception(error)
        self._remove_if_done(protocol)

    def _remove_if_done(self, protocol: Any) -> None:
        """Remove a connection whose client has disconnected and whose application has ended."""
        details = self.connections.get(protocol)
        if details is not None and "disconnected" in details:
            application = details.get("application_instance")
            if application is None or application.done():
                del self.connections[protocol]
                if "lingering" in details:
                    details["lingering"].cancel()

    def _cancel_lingering(self, protocol: Any) -> None:
        details = self.connections.get(protocol)
        if details is not None and "disconnected" in details:
            logger.warning("cancelled an application that did not end after its client disconnected")
            details["application_instance"].cancel()

    def application_checker(self) -> None:
        """Do nothing: :meth:`_application_ended` is called when an application ends."""

    def timeout_checker(self) -> None:
        """Check the plain HTTP requests every two seconds; :class:`Pings` checks WebSocket connections."""
        for protocol in [key for key in self.connections if not isinstance(key, WebSocketProtocol)]:
            protocol.check_timeouts()
        self.loop.call_later(2, self.timeout_checker)

    def kill_all_applications(self) -> Any:
        """Cancel all applications. daphne's method fails with KeyError if one ended before its connection."""
        for details in self.connections.values():
            if "application_instance" not in details:
                details["application_instance"] = self.loop.create_future()
                details["application_instance"].cancel()
        return super().kill_all_applications()
