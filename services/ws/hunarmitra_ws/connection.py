"""One WebSocket connection, from the handshake to the close: a plain ASGI application.

It is no ``AsyncWebsocketConsumer``: those wait for asgiref's one shared thread before every event
(``aclose_old_connections``), run a task for each message, and have nowhere to put two lanes. What a socket sends
goes through its :class:`Lanes` and nowhere else, so that its order is the order of the calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import Error as DatabaseError
from rest_framework_simplejwt.exceptions import TokenError

from hunarmitra.accounts.selectors import user_of_session
from hunarmitra.accounts.services import ticket_claim
from hunarmitra.accounts.tokens import Identity, read_access_token
from hunarmitra.common import checkpoints
from hunarmitra.common.addresses import Network
from hunarmitra.common.clock import to_wire
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import Authenticated, Error, Pong, ResyncRequired, encode
from hunarmitra.telemetry import request_id, tracing
from hunarmitra_ws.client_messages import (
    Acknowledge,
    Authenticate,
    ClientMessageError,
    Ping,
    TokenBucket,
    parse_client_message,
)
from hunarmitra_ws.failed_handshakes import FailedHandshakes
from hunarmitra_ws.handshake import Handshake, address_of, header, origin_is_allowed, read_handshake
from hunarmitra_ws.hosting import host_of
from hunarmitra_ws.hub import reading
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.groups import Group
from hunarmitra_ws.hub.hub import Hub, running_hub
from hunarmitra_ws.hub.joining import Joined, JoinRequest, RefusedError
from hunarmitra_ws.hub.reading import Event, Standing
from hunarmitra_ws.hub.refusals import ANOTHER_USER, TOO_MANY_FAILURES, TOO_MANY_MESSAGES, UNAUTHENTICATED
from hunarmitra_ws.hub.sockets import Socket
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.replay import Replay
from hunarmitra_ws.streams import Stream

logger = logging.getLogger(__name__)

UNAVAILABLE: Final = Error(code="unavailable", message="The service is unavailable; try again.")

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


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
    replay_page_events: int


class Connection:
    """Serves one socket: ``await Connection(...).run()``. What it keeps, it keeps for as long as the socket lives."""

    __slots__ = (
        "_began", "_failed", "_host", "_hub", "_kind", "_lanes", "_limits", "_outcome", "_receive", "_replaying",
        "_scope", "_send", "_socket", "_stream",
    )  # fmt: skip

    def __init__(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        *,
        stream: Stream,
        limits: ConnectionLimits,
        failed: FailedHandshakes,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._stream = stream
        self._limits = limits
        self._failed = failed
        self._host = host_of(scope)
        self._lanes = self._host.lanes(send, limits.send_buffer_bytes)
        self._socket: Socket | None = None
        self._hub: Hub | None = None
        self._replaying: asyncio.Task[None] | None = None
        self._began = 0.0
        self._outcome = "abandoned"
        self._kind = "joining"

    async def run(self) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        self._began = time.monotonic()
        metrics.opened()
        try:
            await self._run()
        finally:
            metrics.handshakes.inc(self._outcome)
            metrics.ended(self._kind)

    async def _run(self) -> None:
        if (offered := header(self._scope, b"x-request-id")) is not None:
            request_id.current.set(request_id.accept(offered))
        try:
            with tracing.request_span("websocket handshake", _propagated(self._scope)) as span:
                span.set("hunarmitra.stream", self._stream.kind)
                hub = await self._shake_hands()
                span.set("hunarmitra.outcome", self._outcome)
            if hub is not None:
                await self._listen(hub)
        finally:
            self._lanes.abandon()
            if self._replaying is not None:
                self._replaying.cancel()
            if self._socket is not None and self._hub is not None:
                self._hub.leave(self._socket)

    async def _shake_hands(self) -> Hub | None:
        """To the first frame, or the last of a socket that is turned away; None when it was not even accepted."""
        limits = self._limits
        if not origin_is_allowed(self._scope, limits.allowed_origins, limits.trusted_proxies):
            self._outcome = "refused"
            await self._send({"type": "websocket.close", "code": 1000})
            return None
        handshake = read_handshake(self._scope)
        await self._send({"type": "websocket.accept", "subprotocol": handshake.subprotocol})
        tracing.mark("accepted")
        hub = self._hub = await running_hub()
        refusal = self._host.refusal()
        if refusal is None:
            await self._serve(hub, handshake)
        else:
            self._outcome = "full" if refusal.close == CloseCode.FULL else "reconnect"
            refusal.send(self._lanes)
        return hub

    async def _serve(self, hub: Hub, handshake: Handshake) -> None:
        address = address_of(self._scope, self._limits.trusted_proxies)
        try:
            if self._failed.exceeded(address, time.monotonic()):
                raise RefusedError(TOO_MANY_FAILURES)
            await self._join(hub, await self._identify(hub, handshake), handshake)
        except RefusedError as error:
            self._outcome = "refused"
            self._failed.record(address, time.monotonic())
            error.refusal.send(self._lanes)
        except (DatabaseError, TimeoutError) as error:
            logger.warning("a socket could not join, the database is away: %s", type(error).__name__)
            self._outcome = "unavailable"
            self._lanes.push(OutgoingFrame(encode(UNAVAILABLE)))
            await self._lanes.finish(CloseCode.INTERNAL_ERROR)

    async def _identify(self, hub: Hub, handshake: Handshake) -> Identity:
        """Who connects. A token costs no query here; a ticket is spent. Raises :class:`RefusedError`."""
        if handshake.token is not None:
            try:
                return read_access_token(handshake.token)
            except TokenError:
                raise RefusedError(UNAUTHENTICATED) from None
        if handshake.ticket is not None:
            identity = await hub.threads.run(ticket_claim, secret=handshake.ticket)
            if identity is not None:
                return identity
        raise RefusedError(UNAUTHENTICATED)

    async def _join(self, hub: Hub, identity: Identity, handshake: Handshake) -> None:
        """Register, subscribe, then authorize and read: whatever changes in between is held back or closes the socket.

        Raises :class:`RefusedError`, a database error, or TimeoutError.
        """
        socket = self._socket = Socket(
            identity=identity,
            booking_id=self._stream.booking_id,
            group_name=self._stream.group(identity),
            lanes=self._lanes,
        )
        await checkpoints.reach_async("accepted, not registered")
        subscribed = await hub.enter(socket)
        tracing.mark("subscribed")
        await checkpoints.reach_async("subscribed, not read")
        since = handshake.since.seq
        joined = await self._read(hub, identity, since)
        tracing.mark("read")
        await checkpoints.reach_async("read, not live")
        group = hub.group_of(socket)
        group.start(seq=joined.standing.seq, floor=joined.standing.floor, location_order=joined.standing.location_order)
        while socket.lacks_after(joined.standing.seq, group.last_seq) or not socket.allow(joined.roles):
            joined = await self._read(hub, identity, since)
        hub.make_room(socket)
        events = None if handshake.since.malformed else joined.events
        newest = joined.standing.seq
        missed = newest - since if events is not None and since is not None else 0
        socket.send(self._stream.first_frame(joined, socket, missed, self._limits.heartbeat))
        if events is None:
            socket.send(ResyncRequired(seq=newest))
        self._outcome = "joined"
        self._count_resume(handshake, missed if events is not None else None)
        replay = Replay(
            socket=socket,
            group=group,
            position=newest - missed,
            location_order=joined.standing.location_order,
            floor=joined.standing.floor,
            most_waiting=self._limits.send_buffer_bytes // 2,
        )
        seconds = time.monotonic() - self._began
        if replay.finish_at_once(events or (), newest):
            self._go_live(hub, group, seconds, compare=not subscribed or (group.last_seq or 0) < newest)
        else:
            self._replaying = asyncio.create_task(self._replay_on(hub, group, replay, events or (), seconds))

    async def _replay_on(
        self, hub: Hub, group: Group, replay: Replay, events: Sequence[Event], handshake_seconds: float
    ) -> None:
        """While the client is listened to: it may take as long as it likes, and its pings are answered."""

        async def read_page(after: int) -> tuple[Standing | None, Sequence[Event]]:
            async with self._host.replaying():
                return await hub.threads.run(reading.page, group.name, after, self._limits.replay_page_events)

        try:
            if await replay.finish(events, read_page):
                self._go_live(hub, group, handshake_seconds, compare=True)
        except Exception:
            logger.exception("a replay failed")
            # Every server can send this code, and what the client does about it is right: it resumes.
            self._lanes.close(CloseCode.TOO_SLOW)

    def _go_live(self, hub: Hub, group: Group, handshake_seconds: float, *, compare: bool) -> None:
        if compare:
            # Something may have passed before the subscription, or the group's other sockets are behind.
            hub.catch_up.request(group.name, "recovery")
        hub.catch_up.started(group.name)
        self._host.joined(self._stream.kind)
        self._kind = self._stream.kind
        metrics.joined(self._kind, handshake_seconds)

    @staticmethod
    def _count_resume(handshake: Handshake, missed: int | None) -> None:
        """``missed``: events to be replayed, None when they cannot be."""
        if missed is None:
            metrics.resumes.inc("resync")
        elif handshake.since.seq is None:
            metrics.resumes.inc("fresh")
        else:
            metrics.resumes.inc("replayed")
            metrics.resumed_events.observe(missed)

    async def _read(self, hub: Hub, identity: Identity, since: int | None) -> Joined:
        async with self._host.replaying():
            return await hub.joins.read(
                JoinRequest(
                    identity=identity,
                    notifications=self._stream.kind == "notifications",
                    booking_id=self._stream.booking_id,
                    since=since,
                    page_events=self._limits.replay_page_events,
                )
            )

    async def _listen(self, hub: Hub) -> None:
        """What the client says, until it is gone."""
        bucket: TokenBucket | None = None
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._host.closed(event.get("code") or 1006)
                return
            socket = self._socket
            if socket is None or self._lanes.closing or event["type"] != "websocket.receive":
                continue
            text = event.get("text")
            data = text.encode() if text is not None else event.get("bytes") or b""
            if bucket is None:
                bucket = TokenBucket(self._limits.messages_per_second, self._limits.message_burst, time.monotonic())
            if len(data) > self._limits.message_max_bytes:
                await self._lanes.finish(CloseCode.MESSAGE_TOO_BIG)
            elif not bucket.take(time.monotonic()):
                socket.refuse(TOO_MANY_MESSAGES)
            elif await self._handle(hub, socket, text):
                bucket.give_back()

    async def _handle(self, hub: Hub, socket: Socket, text: str | None) -> bool:
        """True for a message that we asked for, which is not to count against the client."""
        try:
            message = parse_client_message(text)
            if isinstance(message, Ping):
                socket.send(Pong())
            elif isinstance(message, Acknowledge):
                return metrics.acknowledgements.receive(socket.group_name, message.seq, id(socket))
            elif isinstance(message, Authenticate):
                await self._authenticate(hub, socket, message)
            else:
                await self._stream.handle(message, socket, hub.threads)
        except ClientMessageError as error:
            socket.send(Error(code=error.code, message=str(error)))
        except DatabaseError as error:
            logger.warning("a client message was not handled, the database is away: %s", type(error).__name__)
            socket.send(UNAVAILABLE)
        return False

    async def _authenticate(self, hub: Hub, socket: Socket, message: Authenticate) -> None:
        """A fresh token for the open socket. A bad one changes nothing. Raises ClientMessageError."""
        invalid = ClientMessageError("invalid_token", "The token is invalid; the socket keeps its old expiry.")
        try:
            identity = read_access_token(message.token)
        except TokenError:
            raise invalid from None
        if identity.user_id != socket.user_id:
            socket.refuse(ANOTHER_USER)
            return
        # Found under the new session before that is looked up, and under the old one until it is valid: a
        # revocation of either in between is seen.
        hub.index.add_session(socket, identity.session_id)
        valid = False
        try:
            await checkpoints.reach_async("reidentified, not checked")
            valid = await hub.threads.run(user_of_session, identity) is not None
        finally:
            if not valid:
                hub.index.drop_session(socket, identity.session_id)
        if not valid:
            raise invalid
        hub.index.reidentify(socket, identity)
        socket.send(Authenticated(expires_at=to_wire(identity.expires_at)))


def _propagated(scope: Mapping[str, Any]) -> Mapping[str, str]:
    names = ("traceparent", "tracestate")
    return {name: value for name in names if (value := header(scope, name.encode())) is not None}
