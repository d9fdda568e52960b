"""Adapter for daphne: its server and its WebSocket connection, with what we replace in them.

daphne documents its command line and no Python interface. Its server keeps a dict of details for each connection, and
walks all of them every one and every two seconds; here each connection is handled when something happens to it.
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
"""What daphne needs no more once the connection is open, and what stands in its place."""

KEPT: Final = frozenset(
    {"server", "request", "client_addr", "client_scheme", "application_queue", "handshake_deferred", "factory"}
)
"""Attributes that daphne sets on a connection and that stay."""

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
                "connections": "details of each connection; an ended one is removed at once instead of by a walk",
                "application": "called with the scope, as daphne's create_application does",
                "application_close_timeout": "seconds that an application may run after its client has gone",
                "create_application(protocol, scope)": "a smaller inbox, and a callback at the application's end",
                "protocol_connected(protocol)": "counts connections",
                "protocol_disconnected(protocol)": "counts connections, and limits applications without a client",
                "handle_reply(protocol, message)": "what an application sends",
                "application_checker()": "the walk every second is replaced by callbacks",
                "timeout_checker()": "the walk every two seconds is limited to plain HTTP",
                "kill_all_applications()": "fails with KeyError for a connection whose application has ended",
                "ws_factory": "makes the connections",
                "http_factory": "makes the HTTP channels, and names the class of their requests",
                "ping_interval": "seconds of silence before a ping",
                "ping_timeout": "seconds that the pong may take",
                "stop()": "ends the process's event loop",
            },
        ),
        *names_of(
            "twisted.web.http:_GenericHTTPChannelProtocol",
            {"_channel": "has the transport, whose protocol is another one after an upgrade"},
        ),
        *names_of(
            "daphne.http_protocol:WebRequest",
            {
                "gotLength(length)": "called when the header is complete",
                "handleContentChunk(data)": "a part of the body",
                "requestReceived(command, path, version)": "the body is complete",
            },
        ),
        *names_of(
            _PROTOCOL,
            {
                "server": "our server",
                "request": "autobahn's request, of which the path is kept for the log",
                "application_queue": "messages for the application",
                "handshake_deferred": "there while the handshake waits for the application",
                "handle_exception(exception)": "closes after an application has failed",
                "check_timeouts()": "replaced by pings that look only at connections that are due",
                "serverClose(code)": "sends the RFC's own codes too",
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
    """One WebSocket connection of daphne, with our own names for what the server does with it."""

    request: Any
    application_queue: Inbox

    def __init__(self) -> None:
        """Skip autobahn's, which creates what nobody waits for and what our class has."""

    @property
    def unread_messages(self) -> int:
        """Messages of the client that its application has not taken."""
        return self.application_queue.qsize()

    def check_timeouts(self) -> None:
        """Do nothing: our pings look at the connections that are due."""

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - daphne's name
        self.send_close(code if code is not None else 1000)

    def forget_handshake(self) -> None:
        """Drop what was kept of the handshake, the token included."""
        self.request = _Requested(self.request.path)
        autobahn_adapter.reduce_footprint(self, AFTER_HANDSHAKE)

    def break_cycles(self) -> None:
        """Drop what refers back to the connection: with it a closed one would wait for the cyclic collector."""
        self.application_deferred = None
        self.request = None


def with_small_footprint(connection: type[DaphneConnection], factory: Any) -> type[DaphneConnection]:
    """The class whose instances do not copy what all connections share."""
    return autobahn_adapter.with_small_footprint(connection, factory, AFTER_HANDSHAKE)


class _Requested:
    """What daphne's action log wants to know of a request."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class UpgradeRequest(WebRequest):
    """A request of a process that serves connections only: anything else is answered when its header is complete."""

    answered = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        super().gotLength(length)
        upgrade = (self.requestHeaders.getRawHeaders(b"upgrade") or [b""])[0].lower() == b"websocket"
        if not upgrade:
            self._answer(b"404 Not Found")
        elif length != 0:
            self._answer(b"400 Bad Request")

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if not self.answered:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802 - Twisted's name
        if not self.answered:
            super().requestReceived(command, path, version)

    def _answer(self, status: bytes) -> None:
        """Answer, and end the connection: at once for a client that closes, else after a second.

        What is still on its way is read and dropped meanwhile: with it unread, the kernel would reset the connection,
        and the client might not see the answer.
        """
        self.answered = True
        transport = self.transport
        transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        transport.loseWriteConnection()
        event_loop.call_later(1, transport.abortConnection)


def _drop_unless_upgraded(protocol: Any) -> None:
    transport = protocol._channel.transport
    if transport is not None and getattr(transport, "protocol", None) is protocol:
        transport.abortConnection()


class DaphneServer(Server):
    """daphne's server without its walks, and with one object of ours in the scope of each connection."""

    loop: asyncio.AbstractEventLoop

    @property
    def ping_times(self) -> tuple[float, float]:
        """Seconds of silence before a ping, and seconds that its answer may take."""
        return self.ping_interval, self.ping_timeout

    def connection_opened(self, connection: DaphneConnection) -> None:
        """Called when a client asks for an upgrade."""

    def connection_closed(self, connection: DaphneConnection) -> None:
        """Called when a connection is gone, or was rejected."""

    def extensions(self, connection: DaphneConnection, scope: dict[str, Any]) -> dict[str, Any]:
        """The ``extensions`` of the connection's ASGI scope."""
        raise NotImplementedError

    def serve_connections_as(self, connection: type[DaphneConnection], **options: Any) -> None:
        """Use this class for new connections; ``options`` are autobahn's."""
        self.ws_factory.setProtocolOptions(**options)
        self.ws_factory.protocol = with_small_footprint(connection, self.ws_factory)

    def serve_upgrades_only(self, header_timeout: float) -> None:
        """Answer every other request when its header is complete, so that no body is ever kept.

        A TCP connection that has not sent its header after ``header_timeout`` seconds is dropped.
        """
        build = self.http_factory.buildProtocol

        def build_protocol(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = UpgradeRequest
            self.loop.call_later(header_timeout, _drop_unless_upgraded, protocol)
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
        self._forget_if_over(protocol)
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
        self._forget_if_over(protocol)

    def _forget_if_over(self, protocol: Any) -> None:
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
            logger.warning("cancelled an application that did not end after its client had gone")
            details["application_instance"].cancel()

    def application_checker(self) -> None:
        """Do nothing: :meth:`_application_ended` is told when an application ends."""

    def timeout_checker(self) -> None:
        """Check the plain HTTP requests every two seconds; connections have :class:`Pings`."""
        for protocol in [key for key in self.connections if not isinstance(key, WebSocketProtocol)]:
            protocol.check_timeouts()
        self.loop.call_later(2, self.timeout_checker)

    def kill_all_applications(self) -> Any:
        """daphne's fails with KeyError when an application has ended before its connection."""
        for details in self.connections.values():
            if "application_instance" not in details:
                details["application_instance"] = self.loop.create_future()
                details["application_instance"].cancel()
        return super().kill_all_applications()
