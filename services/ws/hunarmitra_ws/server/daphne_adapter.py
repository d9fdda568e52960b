"""Adapter for daphne: its server, with WebSocket connections of our own.

daphne documents its command line, but no Python interface. Its server keeps a dict for each connection, and checks all
of them every second (applications) and every two seconds (timeouts). Here callbacks handle each connection instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from daphne.http_protocol import WebRequest
from daphne.server import Server, twisted_loop
from daphne.utils import parse_x_forwarded_for
from twisted.internet.interfaces import ISSLTransport
from websockets.http11 import Request

from hunarmitra.common.private_names import Library, names_of
from hunarmitra_ws.server.twisted_adapter import BoundedBody

logger = logging.getLogger(__name__)

ASGI: Final = {"version": "3.0"}

_SERVER: Final = "daphne.server:Server"

LIBRARY: Final = Library(
    "daphne",
    "4.2.3",
    (
        *names_of("daphne.server", {"twisted_loop": "the asyncio loop on which Twisted's reactor runs"}),
        *names_of(
            _SERVER,
            {
                "connections": "details of each request; a closed one is removed at once, not by the next check",
                "application": "called with the scope, as daphne's create_application does",
                "application_close_timeout": "seconds that an application may run after its client has disconnected",
                "create_application(protocol, scope)": "a callback when the application ends",
                "protocol_disconnected(protocol)": "limits applications without a client",
                "proxy_forwarded_address_header": "the header of `--proxy-headers`, or None",
                "proxy_forwarded_port_header": "the same for the port",
                "proxy_forwarded_proto_header": "the same for the scheme",
                "root_path": "the option `--root-path`",
                "server_name": "the option `--server-name`",
                "websocket_max_message_size": "the option `--websocket_max_message_size`",
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
            "daphne.http_protocol:WebRequest",
            {
                "gotLength(length)": "called when the header is complete",
                "handleContentChunk(data)": "a part of the body",
                "requestReceived(command, path, version)": "the body is complete",
            },
        ),
        *names_of(
            "daphne.utils",
            {"parse_x_forwarded_for": "the address that `--proxy-headers` makes valid"},
        ),
    ),
)

event_loop: Final[asyncio.AbstractEventLoop] = twisted_loop


class RestRequest(BoundedBody, WebRequest):
    """A request of a process that serves REST too."""

    most_dropped = 4 * 1024 * 1024


class DaphneServer(Server):
    """daphne's server with callbacks instead of periodic checks.

    ``applications`` are the tasks of WebSocket connections; those of requests are in daphne's ``connections``.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.applications: set[asyncio.Task[None]] = set()

    @property
    def ping_times(self) -> tuple[float, float]:
        """Seconds of silence before a ping, and seconds that the pong may take."""
        return self.ping_interval, self.ping_timeout

    @property
    def message_max_bytes(self) -> int:
        """The largest client message."""
        return int(self.websocket_max_message_size)

    def take_connections(self, first: Callable[[Any, Callable[[], Any]], Any], upgraded: Callable[[], Any]) -> None:
        """Serve each TCP connection by the protocol that ``first`` makes from an address and a maker of Twisted's HTTP.

        ``upgraded`` makes the protocol for an upgrade after other requests on the same TCP connection.
        """
        build = self.http_factory.buildProtocol

        def http(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = self.request_class
            return protocol

        self.http_factory.buildProtocol = lambda address: first(address, partial(http, address))
        self.ws_factory = _ConnectionFactory(upgraded)

    request_class: type[WebRequest] = RestRequest

    def limit_bodies(self, *, body_timeout: float, most_bytes: int, count_too_large: Callable[[str], None]) -> None:
        """Limit the bodies of REST requests while they arrive.

        ``count_too_large`` is called with the method of a request that the application does not see.
        """
        counted = staticmethod(count_too_large)
        limits = {"most_bytes": most_bytes, "body_timeout": body_timeout, "count_too_large": counted}
        self.request_class = type("LimitedRestRequest", (RestRequest,), limits)

    def run_application(
        self, scope: dict[str, Any], receive: Any, send: Any, ended: Callable[[asyncio.Task[None]], None]
    ) -> asyncio.Task[None]:
        """Run the application for a WebSocket connection; ``ended`` must call :meth:`application_ended`."""
        task: asyncio.Task[None] = self.loop.create_task(self.application(scope=scope, receive=receive, send=send))
        self.applications.add(task)
        task.add_done_callback(ended)
        return task

    def application_ended(self, task: asyncio.Task[None]) -> BaseException | None:
        """Forget an application that has ended. Return its exception, which is logged, or None."""
        self.applications.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("an application failed", exc_info=error)
        return error

    def limit_application(self, task: asyncio.Task[None]) -> None:
        """Cancel the application of a client that has left, if it does not end in time."""
        if not task.done():
            lingering = self.loop.call_later(self.application_close_timeout, self._cancel_task, task)
            task.add_done_callback(lambda _: lingering.cancel())

    @staticmethod
    def _cancel_task(task: asyncio.Task[None]) -> None:
        logger.warning("cancelled an application that did not end after its client disconnected")
        task.cancel()

    # Requests

    def protocol_disconnected(self, protocol: Any) -> None:
        super().protocol_disconnected(protocol)
        self._remove_if_done(protocol)
        details = self.connections.get(protocol)
        if details is not None and "application_instance" in details:
            self.limit_application(details["application_instance"])

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        queue = super().create_application(protocol, scope)
        details = self.connections.get(protocol)
        if details is not None:
            details["application_instance"].add_done_callback(partial(self._request_ended, protocol))
        return queue

    def _request_ended(self, protocol: Any, _: object) -> None:
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
        """Remove a request whose client has disconnected and whose application has ended."""
        details = self.connections.get(protocol)
        if details is not None and "disconnected" in details:
            application = details.get("application_instance")
            if application is None or application.done():
                del self.connections[protocol]

    def application_checker(self) -> None:
        """Do nothing: :meth:`_request_ended` is called when an application ends."""

    def timeout_checker(self) -> None:
        """Check the plain HTTP requests every two seconds; :class:`Pings` checks WebSocket connections."""
        for protocol in list(self.connections):
            protocol.check_timeouts()
        self.loop.call_later(2, self.timeout_checker)

    def kill_all_applications(self) -> Any:
        """Cancel all applications. daphne's method fails with KeyError if one ended before its connection."""
        for task in self.applications:
            task.cancel()
        for details in self.connections.values():
            if "application_instance" not in details:
                details["application_instance"] = self.loop.create_future()
                details["application_instance"].cancel()
        return super().kill_all_applications()


class _ConnectionFactory:
    def __init__(self, upgraded: Callable[[], Any]) -> None:
        self._upgraded = upgraded

    def buildProtocol(self, address: Any) -> Any:  # noqa: N802 - Twisted's name
        return self._upgraded()


def websocket_scope(server: Server, transport: Any, request: Request) -> dict[str, Any]:
    """Return the ASGI scope of an upgrade request, as daphne makes it, with a ``scheme``."""
    path, _, query = request.path.partition("?")
    peer, host = transport.getPeer(), transport.getHost()
    client, local = _address(peer), _address(host)
    scheme = "wss" if ISSLTransport.providedBy(transport) else "ws"
    root_path = server.root_path
    headers = []
    for name, value in request.headers.raw_items():
        key = name.lower().encode("latin-1")
        if key == b"daphne-root-path":
            root_path = unquote(value)
        elif b"_" not in key:  # CVE-2015-0219
            headers.append((key, value.encode("latin-1")))
    if server.proxy_forwarded_address_header:
        client, forwarded = parse_x_forwarded_for(
            dict(headers),
            server.proxy_forwarded_address_header,
            server.proxy_forwarded_port_header,
            server.proxy_forwarded_proto_header,
            client,
        )
        scheme = {"https": "wss", "http": "ws"}.get(forwarded, scheme)
    offered = request.headers.get_all("Sec-WebSocket-Protocol")
    return {
        "type": "websocket",
        "asgi": ASGI,
        "http_version": "1.1",
        "scheme": scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "root_path": root_path,
        "headers": headers,
        "query_string": query.encode("ascii"),
        "client": client,
        "server": local,
        "subprotocols": [each.strip() for value in offered for each in value.split(",")],
    }


def _address(address: Any) -> list[Any] | None:
    if hasattr(address, "host") and hasattr(address, "port"):
        return [str(address.host), address.port]
    return None
