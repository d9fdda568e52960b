"""One WebSocket connection, from the handshake to the close: a plain ASGI application.

It is not an ``AsyncWebsocketConsumer``: those wait for asgiref's one shared thread before every event
(``aclose_old_connections``), run a task for each message, and cannot have two lanes. Everything that the connection
sends goes through its :class:`Lanes`, so that the order on the wire is the order of the calls.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError
from rest_framework_simplejwt.exceptions import TokenError

from hunarmitra.accounts.access_tokens import read_access_token
from hunarmitra.accounts.services import ticket_claim
from hunarmitra.accounts.tokens import Identity
from hunarmitra.common.addresses import Network
from hunarmitra.common.clock import to_wire
from hunarmitra.common.hosts import HostRule
from hunarmitra.database.troubles import log_failure
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import OMIT, Authenticated, Error, Pong, encode
from hunarmitra.telemetry import request_id, tracing
from hunarmitra_ws.client_messages import (
    Authenticate,
    ClientMessageError,
    Ping,
    TokenBucket,
    parse_client_message,
)
from hunarmitra_ws.endpoints import Endpoint, endpoint_for, subscriptions
from hunarmitra_ws.failed_handshakes import FailedHandshakes
from hunarmitra_ws.flooding_sessions import flooding_sessions
from hunarmitra_ws.handshake import Handshake, address_of, header, origin_is_allowed, read_handshake
from hunarmitra_ws.hosting import HTTP_RESPONSE, host_of
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.disconnects import (
    ANOTHER_USER,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_FAILURES,
    TOO_MANY_MESSAGES,
    UNAUTHENTICATED,
    UNAVAILABLE,
    DisconnectError,
    flooded,
)
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.hub import Hub, running_hub
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

_UNAVAILABLE: Final = Error(code="unavailable", message=UNAVAILABLE.message)

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


def websocket_application(scope: Mapping[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
    """Serve one WebSocket; an unknown path is rejected during the handshake.

    Not a coroutine function: its frame would stay in memory as long as the connection.
    """
    endpoint = endpoint_for(scope["path"])
    if endpoint is None:
        return _reject(receive, send)
    limits, failed = _limits()
    return Connection(scope, receive, send, endpoint=endpoint, limits=limits, failed=failed).run()


async def _reject(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1000})


@dataclass(frozen=True)
class ConnectionLimits:
    """Sizes in bytes, times in seconds."""

    allowed_origins: frozenset[str]
    trusted_proxies: tuple[Network, ...]
    message_max_bytes: int
    messages_per_second: float
    message_burst: int
    send_buffer_bytes: int
    heartbeat: float


@lru_cache(maxsize=1)
def _hosts() -> HostRule:
    return HostRule(settings.ENVIRONMENT.allowed_hosts, debug=settings.DEBUG)


@lru_cache(maxsize=1)
def _limits() -> tuple[ConnectionLimits, FailedHandshakes]:
    environment = settings.ENVIRONMENT
    limits = ConnectionLimits(
        allowed_origins=frozenset(environment.allowed_origins),
        trusted_proxies=environment.trusted_proxies,
        message_max_bytes=environment.ws_message_max_bytes,
        messages_per_second=environment.ws_messages_per_second,
        message_burst=environment.ws_message_burst,
        send_buffer_bytes=environment.ws_send_buffer_bytes,
        heartbeat=environment.ws_heartbeat,
    )
    return limits, FailedHandshakes(environment.ws_failed_handshakes_per_minute)


class Connection:
    """Serves one connection: ``await Connection(...).run()``. Its subscriptions call it as their :class:`Owner`.

    ``_outcome`` is the handshake's outcome and ``_kind`` the connection's kind, as the metrics count them.
    """

    __slots__ = (
        "_began", "_endpoint", "_failed", "_host", "_kind", "_lanes", "_limits", "_outcome", "_receive", "_scope",
        "_send", "_subscriptions",
    )  # fmt: skip

    def __init__(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        *,
        endpoint: Endpoint,
        limits: ConnectionLimits,
        failed: FailedHandshakes,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._endpoint = endpoint
        self._limits = limits
        self._failed = failed
        self._host = host_of(scope)
        self._lanes = self._host.lanes(send, limits.send_buffer_bytes)
        self._subscriptions: Subscriptions | None = None
        self._began = 0.0
        self._outcome = "abandoned"
        self._kind = "joining"

    async def run(self) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        self._began = time.monotonic()
        metrics.opened()
        try:
            hub = await self._open()
            if hub is not None:
                await self._listen(hub)
        finally:
            metrics.handshakes.inc(self._outcome)
            metrics.ended(self._kind)
            self._lanes.abandon()
            if self._subscriptions is not None:
                self._subscriptions.close()

    # The handshake, up to the first frame

    async def _open(self) -> Hub | None:
        """Return the hub, or None if the connection was not even accepted."""
        if (offered := header(self._scope, b"x-request-id")) is not None:
            request_id.current.set(request_id.accept(offered))
        with tracing.request_span("websocket handshake", _propagated(self._scope)) as span:
            span.set("hunarmitra.stream", self._endpoint.kind)
            hub = await self._shake_hands()
            span.set("hunarmitra.outcome", self._outcome)
        return hub

    async def _shake_hands(self) -> Hub | None:
        """Accept the connection, authenticate its client and send the first frame. Return as :meth:`_open` does."""
        limits = self._limits
        if not _hosts().accepts(header(self._scope, b"host")):
            self._outcome = "refused"
            await self._refuse_host()
            return None
        if not origin_is_allowed(self._scope, limits.allowed_origins, limits.trusted_proxies):
            self._outcome = "refused"
            await self._send({"type": "websocket.close", "code": 1000})
            return None
        # Accepted before it is authenticated, so that the client can be told the reason of a rejection.
        handshake = read_handshake(self._scope)
        await self._send({"type": "websocket.accept", "subprotocol": handshake.subprotocol})
        tracing.mark("accepted")
        hub = await running_hub()
        await self._authenticate_and_join(hub, handshake)
        return hub

    async def _refuse_host(self) -> None:
        """Answer 400 where the server can answer a handshake with a status, else 403."""
        if HTTP_RESPONSE not in (self._scope.get("extensions") or {}):
            await self._send({"type": "websocket.close", "code": 1000})
            return
        await self._send({"type": f"{HTTP_RESPONSE}.start", "status": 400, "headers": []})
        await self._send({"type": f"{HTTP_RESPONSE}.body", "body": b""})

    async def _authenticate_and_join(self, hub: Hub, handshake: Handshake) -> None:
        """Check the token, take a place, then join: a client without a valid token takes nobody's place."""
        address = address_of(self._scope, self._limits.trusted_proxies)
        try:
            identity = self._identity_of_token(handshake, address)
            if identity is not None and not self._admits(identity):
                return
            rejection = self._host.rejection()
            if rejection is not None:
                self._outcome = "full" if rejection.close == CloseCode.FULL else "reconnect"
                rejection.send(self._lanes)
                return
            if identity is None:
                # Spent only now: a client that is told to reconnect keeps its ticket.
                identity = await self._claim_ticket(hub, handshake)
                if not self._admits(identity):
                    self._host.withdraw()
                    return
            opened = self._subscriptions = subscriptions(self._endpoint, self, hub, identity, self._lanes)
            if not await opened.open(handshake.since) and opened.client.ended:
                self._outcome = "refused"
        except DisconnectError as error:
            self._outcome = "refused"
            if error.disconnect is not TOO_MANY_CONNECTIONS:  # a user with a valid token guesses nothing
                self._failed.record(address, time.monotonic())
            error.disconnect.send(self._lanes)
        except (DatabaseError, TimeoutError) as error:
            log_failure(logger, "a client could not join", error)
            self._outcome = "unavailable"
            self._lanes.push(OutgoingFrame(encode(_UNAVAILABLE)))
            await self._lanes.finish(CloseCode.INTERNAL_ERROR)

    def _identity_of_token(self, handshake: Handshake, address: str) -> Identity | None:
        """Read the token, which costs no query; None for a client with a ticket. Raises :class:`DisconnectError`.

        Failures of an address limit only clients without a valid token: many honest ones may share it.
        """
        if handshake.token is not None:
            with contextlib.suppress(TokenError):
                return read_access_token(handshake.token)
        if self._failed.exceeded(address, time.monotonic()):
            raise DisconnectError(TOO_MANY_FAILURES)
        if handshake.token is not None or handshake.ticket is None:
            raise DisconnectError(UNAUTHENTICATED)
        return None

    def _admits(self, identity: Identity) -> bool:
        """Return whether the session may connect. One that flooded is told after how long.

        Until then the limits of clients without a valid token hold for its connections.
        """
        wait = flooding_sessions().remaining(identity.session_id, time.monotonic())
        if wait:
            self._outcome = "flooded"
            flooded(wait).send(self._lanes)
            return False
        self._host.authenticated(identity.session_id)
        return True

    async def _claim_ticket(self, hub: Hub, handshake: Handshake) -> Identity:
        """Spend the ticket. Raises :class:`DisconnectError`."""
        identity: Identity | None = await hub.run(ticket_claim, secret=handshake.ticket or "")
        if identity is None:
            self._host.withdraw()
            raise DisconnectError(UNAUTHENTICATED)
        return identity

    # What the subscriptions call

    @property
    def heartbeat(self) -> float:
        return self._limits.heartbeat

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return self._host.read_slot()

    def first_frame_sent(self) -> None:
        self._outcome = "joined"
        metrics.handshake_seconds.observe(time.monotonic() - self._began)

    def live(self) -> None:
        self._kind = self._endpoint.kind
        self._host.live(self._kind)
        metrics.live(self._kind)

    # The client's messages, until the connection ends

    async def _listen(self, hub: Hub) -> None:
        bucket: TokenBucket | None = None
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._host.closed(event.get("code") or 1006)
                return
            opened = self._subscriptions
            if opened is None or self._lanes.closing or event["type"] != "websocket.receive":
                continue
            text = event.get("text")
            data = text.encode() if text is not None else event.get("bytes") or b""
            now = opened.client.heard_at = time.monotonic()
            if bucket is None:
                bucket = TokenBucket(self._limits.messages_per_second, self._limits.message_burst, now)
            if len(data) > self._limits.message_max_bytes:
                await self._lanes.finish(CloseCode.MESSAGE_TOO_BIG)
            elif not bucket.take(now):
                flooding_sessions().record(opened.client.identity.session_id, now)
                opened.client.disconnect(TOO_MANY_MESSAGES)
            elif await self._handle(hub, opened, text):
                bucket.give_back()
            del event, text, data  # an idle connection would keep its last message

    async def _handle(self, hub: Hub, opened: Subscriptions, text: str | None) -> bool:
        """Return True for a message that the server asked for, which does not count against the client."""
        client = opened.client
        try:
            message = parse_client_message(text)
            if isinstance(message, Ping):
                client.send(Pong())
            elif isinstance(message, Authenticate):
                await self._reauthenticate(hub, client, message)
            else:
                return await opened.handle(message)
        except ClientMessageError as error:
            client.send(Error(code=error.code, message=str(error), id=OMIT if error.id is None else error.id))
        except DatabaseError as error:
            log_failure(logger, "a client message failed", error)
            client.send(_UNAVAILABLE)
        return False

    async def _reauthenticate(self, hub: Hub, client: Client, message: Authenticate) -> None:
        """Take a new token. An invalid token changes nothing. Raises ClientMessageError."""
        invalid = ClientMessageError("invalid_token", "The token is invalid; the connection keeps its old expiry.")
        try:
            identity = read_access_token(message.token)
        except TokenError:
            raise invalid from None
        if identity.user_id != client.identity.user_id:
            client.disconnect(ANOTHER_USER)
            return
        if not await hub.reauthenticate(client, identity):
            raise invalid
        self._host.authenticated(identity.session_id)
        client.send(Authenticated(expires_at=to_wire(identity.expires_at)))


def _propagated(scope: Mapping[str, Any]) -> Mapping[str, str]:
    names = ("traceparent", "tracestate")
    return {name: value for name in names if (value := header(scope, name.encode())) is not None}
