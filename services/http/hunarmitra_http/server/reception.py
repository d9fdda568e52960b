"""Receive requests and send responses with one thread for all clients of some ports.

A connection gets a thread of the pool when its request is complete, and gives it back when the response is made. So a
client that sends or reads slowly costs a socket and some memory. Both are bounded: each phase of a connection has a
deadline, and the number of connections and the bytes that wait for clients have limits. At a limit, the connection that
has been slow for the longest time makes room. See docs/adr/0024-slow-clients.md.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from hunarmitra_http.server.answers import HEADER_TOO_LONG, LATE
from hunarmitra_http.server.connection import Connection, Phase
from hunarmitra_http.server.framing import Incoming, Progress
from hunarmitra_http.server.limits import (
    AT_STOP,
    DROPPED_PIECE,
    EVENTS_PER_ACCEPT,
    FULL,
    LINGER_SECONDS,
    MOST_DRAINED,
    MOST_DRAINING,
    NEWCOMER_SECONDS,
    OUT_OF_FILES,
    PIECE,
    REASONS,
    SLOW,
    SLOW_AFTER,
    TICK,
    TIMED,
    Limits,
)

logger = logging.getLogger(__name__)

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
Cut = Callable[[str, Any], None]
"""Is told the reason and the client's address of a connection that is cut off."""


class Reception:
    """The connections of some listening sockets. All but :meth:`finished` and :meth:`wake` belong to one thread."""

    def __init__(
        self,
        listeners: Sequence[Any],
        limits: Limits,
        serve: Callable[[Connection], None],
        cut: Cut,
        too_large: Callable[[bytes, Any], bytes],
    ) -> None:
        """``listeners`` are listening sockets, or gunicorn's objects around them.

        ``serve`` is called with a complete request; when its response is made, call :meth:`finished`. ``too_large``
        returns the response to a body over the limit, from the request's header and the client's address.
        """
        self._listeners = {listener: listener.getsockname() for listener in listeners}
        self._limits = limits
        self._serve = serve
        self._cut = cut
        self._too_large = too_large
        self._phases: dict[Phase, OrderedDict[Connection, None]] = {
            phase: OrderedDict() for phase in Phase if phase is not Phase.CLOSED
        }
        self._newcomers: OrderedDict[Connection, None] = OrderedDict()
        self._finished: deque[Connection] = deque()
        self._idle: deque[Connection] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        for descriptor in (self._wake_reader, self._wake_writer):
            os.set_blocking(descriptor, False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._accepting = False
        self._stopping = False
        self._unsent = 0
        self._checked_at = 0.0
        self._accept_at = 0.0
        self._listen(True)

    # The loop

    def run_once(self) -> None:
        """Wait for events, up to a second, and handle them."""
        quiet = self._accepting and not any(self._phases[phase] for phase in SLOW)
        events = self._selector.select(1.0 if quiet else TICK)
        self._note_idle()
        draining: list[Connection] = []
        accepting: list[Any] = []
        for key, _ in events:
            if isinstance(key.data, Connection):
                if key.data.phase is Phase.LINGERING:
                    draining.append(key.data)
                else:
                    self._ready(key.data)
            elif key.fd == self._wake_reader:
                self._finish()
            else:
                accepting.append(key.fileobj)
        # Last: what has arrived is read before a connection is judged by it.
        for listener in accepting:
            for _ in range(1 + len(events) // EVENTS_PER_ACCEPT):
                self._accept(listener)
        for connection in draining[:MOST_DRAINING]:
            self._ready(connection)
        now = time.monotonic()
        if now - self._checked_at >= TICK:
            self._checked_at = now
            self._expire(now)
            if not self._stopping and now >= self._accept_at:
                self._listen(True)

    def __len__(self) -> int:
        return sum(map(len, self._phases.values()))

    def counts(self) -> Mapping[Phase, int]:
        """Return the connections by phase."""
        return {phase: len(connections) for phase, connections in self._phases.items()}

    def finished(self, connection: Connection, keeps: bool) -> None:
        """Take a connection back from the thread that has made its response. Callable from any thread.

        If only the client's next request is to be waited for, the calling thread registers the connection itself: a
        selector may gain sockets while another thread waits. Waking that thread would cost more than its wait.
        """
        connection.keeps = keeps
        if keeps and not connection.sock.unsent and not connection.incoming.data and not self._stopping:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            self._idle.append(connection)
        else:
            self._finished.append(connection)
            self.wake()

    def wake(self) -> None:
        """End the wait of :meth:`run_once`. Callable from any thread, and from a signal handler."""
        try:
            os.write(self._wake_writer, b"\0")
        except OSError:
            return  # the pipe is full, so the thread wakes in any case; or closed, and no thread waits

    def stop(self) -> None:
        """Accept no more connections, and end idle ones and slow ones soon."""
        self._stopping = True
        self._listen(False)
        now = time.monotonic()
        for phase, seconds in AT_STOP.items():
            for connection in self._phases[phase]:
                connection.deadline = min(connection.deadline, now + seconds)

    def close(self) -> None:
        """End every connection but those that a thread still writes to."""
        self._note_idle()
        for phase in TIMED:
            for connection in list(self._phases[phase]):
                self._close(connection)
        self._listen(False)
        self._selector.close()
        if not self._phases[Phase.SERVING]:
            os.close(self._wake_reader)
            os.close(self._wake_writer)

    # Accepting

    def _listen(self, accepting: bool) -> None:
        if accepting == self._accepting:
            return
        self._accepting = accepting
        for listener in self._listeners:
            if accepting:
                listener.setblocking(False)
                self._selector.register(listener, selectors.EVENT_READ)
            else:
                self._selector.unregister(listener)

    def _accept(self, listener: Any) -> None:
        if not self._accepting:
            return
        if len(self) >= self._limits.connections and not self._make_room():
            self._listen(False)  # until the next tick: new connections wait in the kernel's queue
            return
        try:
            sock, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another process has taken it, or the client has gone
        except OSError as error:
            if error.errno not in OUT_OF_FILES:
                raise
            logger.error("cannot accept a connection: %s; trying again in a second", error.strerror)
            self._accept_at = time.monotonic() + 1
            self._listen(False)
            return
        sock.setblocking(False)
        incoming = Incoming(self._limits.header_bytes, self._limits.body_bytes)
        connection = Connection(sock, client, self._listeners[listener], incoming)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._phases[Phase.NEW][connection] = None
        self._newcomers[connection] = None
        self._enter(connection, Phase.NEW, self._limits.header_timeout)

    def _make_room(self) -> bool:
        """Close the connection that can be spared best; return False if there is none.

        Usually that is the one that has been slow for the longest time, or else the one that is idle longest. But if
        half of the connections have sent no complete request yet, it is the oldest of these, after a moment: a flood of
        connections then takes nobody else's place.
        """
        if 2 * len(self._newcomers) >= self._limits.connections:
            oldest = self._oldest([self._newcomers], NEWCOMER_SECONDS)
        else:
            slow = [self._phases[phase] for phase in SLOW]
            oldest = self._oldest(slow, SLOW_AFTER) or next(iter(self._phases[Phase.IDLE]), None)
        if oldest is None:
            return False
        self._cut(FULL, oldest.client)
        self._close(oldest)
        return True

    @staticmethod
    def _oldest(groups: Iterable[Mapping[Connection, None]], seconds: float) -> Connection | None:
        """Return the first of a group that has waited for the longest time, if it has waited that long."""
        first = [next(iter(group)) for group in groups if group]
        oldest = min(first, key=lambda connection: connection.since, default=None)
        return oldest if oldest is not None and oldest.since <= time.monotonic() - seconds else None

    # Phases

    def _enter(self, connection: Connection, phase: Phase, seconds: float = 0.0) -> None:
        del self._phases[connection.phase][connection]
        connection.phase = phase
        connection.since = now = time.monotonic()
        connection.deadline = now + (min(seconds, AT_STOP.get(phase, seconds)) if self._stopping else seconds)
        self._phases[phase][connection] = None

    def _expire(self, now: float) -> None:
        """End what is late. In each phase all have the same time, so the first to enter is the first to be late."""
        for phase in TIMED:
            connections = self._phases[phase]
            while connections and (connection := next(iter(connections))).deadline <= now:
                if phase in REASONS:
                    self._cut(REASONS[phase], connection.client)
                if phase in {Phase.HEADER, Phase.BODY}:
                    self._reject(connection, LATE)
                else:
                    self._close(connection)

    def _ready(self, connection: Connection) -> None:
        match connection.phase:
            case Phase.NEW | Phase.IDLE | Phase.HEADER | Phase.BODY:
                self._receive(connection)
            case Phase.SENDING:
                self._send(connection)
            case Phase.LINGERING:
                self._drain(connection)
            case Phase.SERVING | Phase.CLOSED:
                pass  # an event from before the phase changed, or just before a thread says that it is idle

    def _receive(self, connection: Connection) -> None:
        data = _received(connection.socket, PIECE)
        if data:
            self._take(connection, data)
        elif data is not None:
            self._close(connection)

    def _take(self, connection: Connection, data: bytes) -> None:
        match connection.incoming.add(data):
            case Progress.COMPLETE:
                self._hand_over(connection)
            case Progress.HEADER:
                if connection.phase is not Phase.HEADER:
                    self._enter(connection, Phase.HEADER, self._limits.header_timeout)
            case Progress.BODY:
                if connection.phase is not Phase.BODY:
                    self._enter(connection, Phase.BODY, self._limits.body_timeout)
                    self._send_continue(connection)
            case Progress.HEADER_TOO_LONG:
                self._reject(connection, HEADER_TOO_LONG)
            case Progress.BODY_TOO_LONG:
                self._reject(connection, self._too_large(connection.incoming.header(), connection.client))

    def _send_continue(self, connection: Connection) -> None:
        """Tell a client that asks for it to send the body. A client that is not told sends it after a while."""
        if connection.incoming.expects:
            try:
                connection.socket.send(CONTINUE)
            except OSError:
                return

    def _hand_over(self, connection: Connection) -> None:
        self._newcomers.pop(connection, None)
        self._selector.unregister(connection.socket)
        self._enter(connection, Phase.SERVING)
        self._serve(connection)

    def _note_idle(self) -> None:
        """Let connections be idle that their threads registered. Later than they became so, by up to a wait."""
        while self._idle:
            self._enter(self._idle.popleft(), Phase.IDLE, self._limits.idle_timeout)

    def _finish(self) -> None:
        try:
            os.read(self._wake_reader, 4096)
        except BlockingIOError:
            return
        while self._finished:
            connection = self._finished.popleft()
            if unsent := len(connection.sock.unsent):
                self._unsent += unsent
                self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)
                self._enter(connection, Phase.SENDING, self._limits.send_timeout)
                self._limit_unsent()
            else:
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
                self._sent(connection)

    def _send(self, connection: Connection) -> None:
        before = len(connection.sock.unsent)
        try:
            connection.sock.flush()
        except OSError:
            self._close(connection)
            return
        self._unsent -= before - len(connection.sock.unsent)
        if not connection.sock.unsent:
            self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
            self._sent(connection)

    def _limit_unsent(self) -> None:
        """Cut off the slowest readers while too many bytes wait for them. The newest response always has room."""
        sending = self._phases[Phase.SENDING]
        while self._unsent > self._limits.unsent_bytes and len(sending) > 1:
            connection = next(iter(sending))
            self._cut(FULL, connection.client)
            self._close(connection)

    def _sent(self, connection: Connection) -> None:
        """Wait for the next request, which may be here already; or end the connection."""
        if not connection.keeps:
            self._linger(connection)
            return
        self._enter(connection, Phase.IDLE, self._limits.idle_timeout)
        if rest := connection.incoming.take():
            self._take(connection, rest)

    # Ending

    def _reject(self, connection: Connection, answer: bytes) -> None:
        connection.incoming.take()  # what has arrived is not kept
        try:
            connection.socket.send(answer)
        except OSError:
            self._close(connection)
        else:
            self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """End our half of the connection. If bytes are unread at a close, the kernel resets the connection."""
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
        else:
            self._enter(connection, Phase.LINGERING, LINGER_SECONDS)

    def _drain(self, connection: Connection) -> None:
        data = _received(connection.socket, DROPPED_PIECE)
        if data is None:
            return
        connection.drained += len(data)
        if not data or connection.drained > MOST_DRAINED:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection.phase is Phase.SENDING:
            self._unsent -= len(connection.sock.unsent)
        del self._phases[connection.phase][connection]
        self._newcomers.pop(connection, None)
        connection.phase = Phase.CLOSED
        self._selector.unregister(connection.socket)
        connection.socket.close()


def _received(sock: socket.socket, size: int) -> bytes | None:
    """Return what the client has sent, None if there is nothing, and nothing if the connection has ended."""
    try:
        return sock.recv(size)
    except BlockingIOError:
        return None
    except OSError:
        return b""
