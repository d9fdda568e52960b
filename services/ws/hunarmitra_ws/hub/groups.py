"""One watched booking or user in this process: its sockets, and how far its events have come."""

from __future__ import annotations

from hunarmitra.protocol.frames import ResyncRequired, encode
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.sockets import Socket
from hunarmitra_ws.latency import Arrival
from hunarmitra_ws.metrics import Origin, metrics

MOST_PENDING = 1000
"""Events kept while one before them is missing; beyond it they are read from the database again."""


class Group:
    """Hands events to its sockets in the order of their ``seq``, each once, without a gap.

    ``last_seq`` is the newest event handed out, or None until a joining socket has read where the log stands.
    ``floor`` is the event with which older positions became void, ``location_order`` the newest position's time
    (microseconds since 1970). ``location_seq`` is the event after which that one was accepted: an event that voids
    positions may come later than positions that were accepted after it. ``_location_frame`` is what was handed out of
    it, or None if it was read from the database: whatever comes of its time then is its message.
    """

    __slots__ = (
        "_location_frame",
        "_pending",
        "floor",
        "last_seq",
        "location_order",
        "location_seq",
        "name",
        "sockets",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.sockets: dict[Socket, None] = {}
        self.last_seq: int | None = None
        self.floor = 0
        self.location_order = 0
        self.location_seq = 0
        self._location_frame: str | None = ""
        self._pending: dict[int, tuple[str, bool, Origin]] = {}

    def start(self, *, seq: int, floor: int, location_order: int) -> None:
        """A socket has read the log up to ``seq``. Only the first one decides where handing out begins."""
        self.floor = max(self.floor, floor)
        if self.last_seq is None:
            self.last_seq = seq
            if location_order > self.location_order:
                self.location_order, self.location_seq = location_order, seq
            self._hand_out_pending()

    def receive(self, seq: int, frame: str, clears_location: bool, origin: Origin = None) -> bool:
        """An event, in whatever order. False when one before it is missing and must be read from the database."""
        if self.last_seq is None:
            self._keep(seq, frame, clears_location, origin)
            return True
        if seq <= self.last_seq:
            return True
        if seq > self.last_seq + 1:
            self._keep(seq, frame, clears_location, origin)
            return False
        self._hand_out(seq, frame, clears_location, origin)
        self._hand_out_pending()
        return not self._pending

    def receive_location(self, seq: int, order: int, frame: str, origin: Origin = None) -> None:
        """A position, unless it is void, older than the newest, or had already: a publish may be repeated.

        Two positions may have one time. The later of them is handed out too.
        """
        if seq < self.floor or order < self.location_order:
            return
        if order == self.location_order and self._location_frame in (None, frame):
            return
        self.location_order, self.location_seq, self._location_frame = order, seq, frame
        outgoing = OutgoingFrame(frame)
        delivered = 0
        for socket in self.sockets:
            delivered += socket.deliver_location(seq, order, outgoing)
        if delivered:
            metrics.delivered("location", delivered, origin)

    def read_location(self, seq: int, order: int, frame: str) -> None:
        """A position that the database has, handed out once: its message may have come meanwhile, or come later.

        The two need not be equal: the booking's estimate of the minutes may have changed since.
        """
        if order > self.location_order:
            self.receive_location(seq, order, frame)
            self._location_frame = None

    def restart(self, seq: int) -> None:
        """The database went back (it was restored from a backup): clients must fetch their state anew."""
        self.last_seq = seq
        self.floor = 0
        self.location_order = self.location_seq = 0
        self._pending.clear()
        frame = OutgoingFrame(encode(ResyncRequired(seq=seq)))
        for socket in self.sockets:
            if socket.live:
                socket.last_seq = seq
                socket.location_order = socket.location_shown = socket.location_seq = 0
                socket.lanes.push(frame)

    def _keep(self, seq: int, frame: str, clears_location: bool, origin: Origin) -> None:
        if len(self._pending) < MOST_PENDING:
            self._pending[seq] = (frame, clears_location, origin)

    def _hand_out(self, seq: int, frame: str, clears_location: bool, origin: Origin) -> None:
        self.last_seq = seq
        if clears_location:
            self.floor = max(self.floor, seq)
            if self.location_seq < seq:
                self.location_order = 0
        outgoing = OutgoingFrame(frame)
        delivered = 0
        for socket in self.sockets:
            delivered += socket.deliver(seq, outgoing, clears_location)
        if delivered:
            metrics.delivered("status", delivered, origin)
            if isinstance(origin, Arrival) and origin.ack:
                asked = (id(socket) for socket in self.sockets if socket.live and socket.last_seq == seq)
                metrics.acknowledgements.ask(self.name, seq, origin.committed_at, asked)

    def _hand_out_pending(self) -> None:
        assert self.last_seq is not None
        while event := self._pending.pop(self.last_seq + 1, None):
            self._hand_out(self.last_seq + 1, *event)
        if self._pending and min(self._pending) <= self.last_seq:
            self._pending = {seq: event for seq, event in self._pending.items() if seq > self.last_seq}
