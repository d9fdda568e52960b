"""The ws server: daphne's server with the project's protocol, drain, admission and internal ports."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from websockets.http11 import Request

from hunarmitra.common.addresses import is_trusted, subscriber_of
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.telemetry import requests
from hunarmitra.telemetry.labels import CONNECTION_KINDS
from hunarmitra_ws.client_messages import TokenBucket
from hunarmitra_ws.flooding_sessions import flooding_sessions
from hunarmitra_ws.handshake import address_of
from hunarmitra_ws.hosting import EXTENSION, HTTP_RESPONSE
from hunarmitra_ws.hub.disconnects import Disconnect
from hunarmitra_ws.hub.hub import Hub, running_hub
from hunarmitra_ws.hub.lanes import AsgiSend, Lanes
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server.admin import start_admin_ports
from hunarmitra_ws.server.admission import Admission
from hunarmitra_ws.server.arrivals import Arrivals
from hunarmitra_ws.server.bounds import FRAMES_PER_MESSAGE
from hunarmitra_ws.server.daphne_adapter import DaphneServer, event_loop, websocket_scope
from hunarmitra_ws.server.direct_lanes import DirectLanes
from hunarmitra_ws.server.drain import Drain, DrainTimes
from hunarmitra_ws.server.first_request import FirstRequest
from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.options import ServerOptions, with_backlog
from hunarmitra_ws.server.parsers import Parsers
from hunarmitra_ws.server.pings import Pings
from hunarmitra_ws.server.protocol import ServerProtocol
from hunarmitra_ws.server.turns import Turns
from hunarmitra_ws.server.twisted_adapter import close_now
from hunarmitra_ws.server.write_queue import WriteQueue
from hunarmitra_ws.supervisor import Supervisor

logger = logging.getLogger(__name__)

HANDSHAKES_PER_TURN: Final = 4
"""Handshakes in one turn of the event loop. With everything that follows a handshake costs about a millisecond, and
events wait for the turn to end. After an outage of the network, a thousand clients ask at once."""


class Server(DaphneServer):
    """The ws server; ``options`` are the project's, the other arguments are daphne's."""

    def __init__(self, *args: Any, options: ServerOptions, **kwargs: Any) -> None:
        kwargs["signal_handlers"] = False
        kwargs["endpoints"] = [with_backlog(endpoint, options.connect_burst) for endpoint in kwargs["endpoints"]]
        super().__init__(*args, **kwargs)
        self.options = options
        self.loop = event_loop
        self.parsers = Parsers(self.message_max_bytes)
        self._handshakes = Turns(self.loop, HANDSHAKES_PER_TURN)
        environment = settings.ENVIRONMENT
        self._frames_per_second = environment.ws_messages_per_second * FRAMES_PER_MESSAGE
        self._frame_burst = environment.ws_message_burst * FRAMES_PER_MESSAGE
        self.open_connections: dict[ServerProtocol, None] = {}
        self.closing_connections: set[ServerProtocol] = set()
        self.started = False
        self._stopping: asyncio.Task[None] | None = None
        self._supervisor = Supervisor()
        self._hub: Hub | None = None
        self.write_queue = WriteQueue(self.loop, metrics.latency.written)
        self.drain = Drain(
            DrainTimes(settle=options.drain_settle, window=options.drain_window),
            lambda: list(self.open_connections),
            supervisor=self._supervisor,
        )
        metrics.connections.read = self.counts
        metrics.connections_limit.read = lambda: options.max_connections
        metrics.draining.read = lambda: self.drain.requested
        metrics.latency.follow(self.write_queue)

    def run(self) -> None:
        interval, timeout = self.ping_times
        self.pings = Pings(self.loop.time, interval=interval, timeout=timeout)
        self.admission = Admission(
            self.drain,
            lambda: self.counted_connections,
            self.loop.time,
            cap=self.options.max_connections,
            per_second=self.options.connects_per_second,
            burst=self.options.connect_burst,
            concurrent_replays=self.options.concurrent_replays,
        )
        self.arrivals = Arrivals(
            self.loop.time,
            close_now,
            places=self.options.max_connections,
            most_unauthenticated=self.options.unauthenticated_connections,
            per_address=self.options.unauthenticated_per_address,
        )
        metrics.unauthenticated.read = lambda: self.arrivals.unauthenticated
        sys.setswitchinterval(SWITCH_INTERVAL)
        self.loop.call_soon(self._start)
        super().run()

    def _start(self) -> None:
        environment = settings.ENVIRONMENT
        self.limit_bodies(
            body_timeout=environment.http_body_timeout,
            most_bytes=environment.request_max_bytes,
            count_too_large=requests.too_large,
        )
        self.take_connections(self._first_request, partial(ServerProtocol, self))
        self.loop.add_signal_handler(signal.SIGTERM, self.terminate)
        self.loop.add_signal_handler(signal.SIGINT, self.stop)
        self.loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            self.loop.add_signal_handler(number, self._log_state, number.name)
        self._supervisor.start("pings", self.pings.run)
        self._supervisor.start("start check", self._check_start, once=True)
        start_admin_ports(self)

    def _first_request(self, address: Any, http: Callable[[], Any]) -> FirstRequest:
        environment = settings.ENVIRONMENT
        serves_http = settings.SERVES_HTTP
        peer = getattr(address, "host", "")
        return FirstRequest(
            self.loop,
            self.arrivals,
            "" if is_trusted(peer, environment.trusted_proxies) else subscriber_of(peer),
            upgraded=partial(ServerProtocol, self),
            in_turn=self._handshakes.run,
            http=http if serves_http else None,
            deadline=environment.http_header_timeout if serves_http else environment.ws_handshake_timeout,
        )

    async def _check_start(self) -> None:
        """Become ready once the database has answered. A later outage does not make the process unready."""
        while not self.started:
            self._hub = await running_hub()
            try:
                await asyncio.wait_for(self._hub.ready(), 5)
                self.started = True
                _tune_collector()
                logger.info("ready")
            except (TimeoutError, DatabaseError):
                logger.warning("not ready: the database has not answered yet")

    def failing_tasks(self) -> Mapping[str, float]:
        """Return the failing background tasks, each with the seconds since it fails."""
        return {**self._supervisor.failing(), **(self._hub.failing_tasks() if self._hub else {})}

    # Connections

    @property
    def counted_connections(self) -> int:
        """The number of connections that count towards the cap: all without a sent close frame."""
        return len(self.open_connections) - len(self.closing_connections)

    def counts(self) -> Mapping[str, int]:
        """Return the number of open connections of each kind; ``joining`` connections have received no frame yet."""
        counts = dict.fromkeys(CONNECTION_KINDS, 0)
        for connection in self.open_connections:
            counts[connection.kind or "joining"] += 1
        return counts

    def start_application(self, connection: ServerProtocol, request: Request, inbox: Inbox) -> asyncio.Task[None]:
        """Run the application for a connection whose upgrade request is valid."""
        self.open_connections[connection] = None
        scope = websocket_scope(self, connection.transport, request)
        address = address_of(scope, settings.ENVIRONMENT.trusted_proxies)
        self.arrivals.address_known(connection.transport, address)
        scope["extensions"] = {EXTENSION: _ProtocolHost(self, connection, scope), HTTP_RESPONSE: {}}
        return self.run_application(scope, inbox.get, connection.reply, connection.application_ended)

    def frame_budget(self, now: float) -> TokenBucket:
        """Return the frames that the client of one connection may send, from now on."""
        return TokenBucket(self._frames_per_second, self._frame_burst, now)

    def connection_flooded(self, connection: ServerProtocol) -> None:
        """Close a connection whose client sends too many frames, and refuse its session's next ones for a while."""
        if connection.session_id is not None:
            flooding_sessions().record(connection.session_id, self.loop.time())
        connection.close_with(CloseCode.TOO_MANY)
        connection.ignore()

    def connection_closing(self, connection: ServerProtocol) -> None:
        """Stop counting a connection towards the cap: the server waits for the client's close frame."""
        if connection in self.open_connections:
            self.closing_connections.add(connection)
            self.arrivals.closing(connection.transport)

    def connection_closed(self, connection: ServerProtocol) -> None:
        self.open_connections.pop(connection, None)
        self.closing_connections.discard(connection)

    # Signals

    def terminate(self) -> None:
        """Handle SIGTERM: drain, then stop. A second SIGTERM stops at once."""
        if self._stopping is not None:
            self.stop()
            return
        self._stopping = self.loop.create_task(self._drain_and_stop())

    def _hang_up(self) -> None:
        """Handle SIGHUP like SIGTERM. There is nothing to reload: settings are read at the start."""
        if self._stopping is None:
            logger.info("SIGHUP: draining, then stopping, as at SIGTERM")
            self.terminate()
        else:
            logger.info("SIGHUP: draining already")

    def _log_state(self, name: str) -> None:
        """Handle SIGUSR1 and SIGUSR2: log the connection counts, instead of ending the process."""
        counts = ", ".join(f"{number} {kind}" for kind, number in self.counts().items())
        logger.info("%s: connections: %s; drain: %s", name, counts, self.drain.state)

    async def _drain_and_stop(self) -> None:
        await self.drain.terminate(self.options.grace)
        if self.open_connections:
            metrics.drain_cut_off.inc(amount=len(self.open_connections))
            logger.warning("%d connections are cut off: the grace period is over", len(self.open_connections))
        self.stop()


def _tune_collector() -> None:
    """Make Python's cyclic collector run rarely, and exclude the objects that exist after the start.

    With its default thresholds the collector examines every connection again and again: with 10,000 connections, the
    slowest percent of deliveries took 0.7 s. Closed connections do not need the collector (see
    :meth:`ServerProtocol.connectionLost`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)


SWITCH_INTERVAL: Final = 0.001
"""Seconds after which a computing thread (for example, one that reads a page of a log) gives the GIL to the event loop.
Python's default of 5 ms would delay all other events while a client resumes."""


class _ProtocolHost:
    """The host of one connection; see :mod:`hunarmitra_ws.hosting`."""

    __slots__ = ("_protocol", "_scope", "_server")

    def __init__(self, server: Server, protocol: ServerProtocol, scope: dict[str, Any]) -> None:
        self._server = server
        self._protocol = protocol
        self._scope: dict[str, Any] | None = scope

    def lanes(self, send: AsgiSend, limit_bytes: int) -> Lanes:
        self._protocol.lanes = DirectLanes(self._protocol, self._server.write_queue, limit_bytes)
        return self._protocol.lanes

    def rejection(self) -> Disconnect | None:
        return self._server.admission.rejection()

    def authenticated(self, session_id: UUID) -> None:
        self._protocol.session_id = session_id
        self._server.arrivals.authenticated(self._protocol.transport)

    def withdraw(self) -> None:
        self._server.admission.withdraw()

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return self._server.admission.read_slot()

    def closed(self, code: int) -> None:
        """Do nothing: the protocol counts closes, because some connections never reach the application."""

    def live(self, kind: str) -> None:
        self._protocol.kind = kind
        self._protocol.joined_at = self._server.loop.time()
        if self._scope is not None:
            # The application's coroutines refer to the scope, with the token, for as long as the connection is open.
            self._scope.clear()
            self._scope = None
