"""Services that change bookings.

Each changes the booking under its row lock. It writes the numbered events and the notifications in the same
transaction, and publishes them after the commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.selectors import users_by_id
from hunarmitra.bookings.errors import ConflictError, InvalidWorkerError, NotAllowedError, NotVisibleError
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.selectors import BOOKING_READER, roles_of
from hunarmitra.bookings.transitions import Verdict, judge
from hunarmitra.common.clock import utc_now
from hunarmitra.common.plain_text import hidden_character, hidden_character_error
from hunarmitra.database.retries import whole_transaction
from hunarmitra.database.rows import RowWriter, one_of
from hunarmitra.notifications.services import Draft, notifications_write
from hunarmitra.outbox import revocations
from hunarmitra.outbox.models import OutboxRow
from hunarmitra.outbox.on_commit import publish_on_commit
from hunarmitra.outbox.transactions import traced_transaction
from hunarmitra.protocol.statuses import FINAL, TRACKED, Status

SYSTEM = "System"

_BOOKINGS: Final = RowWriter(Booking)
_EVENTS: Final = RowWriter(BookingEvent)
_CHANGED: Final = (
    "status", "seq", "worker", "eta_minutes", "updated_at", "finished_at", "min_location_seq",
    "location_lat", "location_lng", "location_at", "location_accuracy", "location_heading", "location_speed",
    "location_fixes", "location_actor",
)  # fmt: skip
"""The fields that a change of a booking may change."""


@dataclass(frozen=True, kw_only=True)
class BookingOrder:
    """What a customer asks for."""

    service: str
    address: str = ""
    lat: Decimal | None = None
    lng: Decimal | None = None
    preferred_time: datetime | None = None
    notes: str = ""
    estimated_price: Decimal | None = None

    def check_characters(self) -> None:
        """Raise ValidationError for text with control characters or direction overrides."""
        for field in ("service", "address", "notes"):
            if character := hidden_character(getattr(self, field), newlines=field == "notes"):
                raise ValidationError({field: hidden_character_error(character)})

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.__dict__, default=str, sort_keys=True).encode()).hexdigest()


@dataclass
class _Change:
    """The events and notifications of one change of a booking, written and published together."""

    booking: Booking
    actor: User | None
    moment: datetime

    def __post_init__(self) -> None:
        self.events: list[BookingEvent] = []
        self.drafts: list[Draft] = []

    def emit(
        self,
        event_type: str,
        *,
        clears_location: bool = False,
        eta_minutes: int | None = None,
        also_notify: User | None = None,
    ) -> None:
        booking = self.booking
        booking.seq += 1
        event = BookingEvent(
            booking=booking,
            seq=booking.seq,
            event_type=event_type,
            status=booking.status,
            actor=self.actor.name if self.actor else SYSTEM,
            acted_by=self.actor.pk if self.actor else None,
            eta_minutes=eta_minutes,
            clears_location=clears_location,
            created_at=self.moment,
        )
        self.events.append(event)
        if clears_location:
            _clear_location(booking)
        concerned = {user.pk: user for user in (booking.owner, booking.worker, also_notify) if user is not None}
        for user_id in sorted(concerned):
            if self.actor is None or user_id != self.actor.pk:
                self.drafts.append(_notification(event, user_id))

    def commit(self) -> None:
        self.booking.updated_at = self.moment
        _BOOKINGS.update(self.booking, _CHANGED)
        self.write_events()

    def write_events(self) -> None:
        _EVENTS.insert(self.events)
        rows: list[OutboxRow] = [*self.events, *notifications_write(drafts=self.drafts, moment=self.moment)]
        publish_on_commit(rows)


_TITLES: Mapping[str, tuple[str, str]] = {
    "booking_assigned": ("Worker assigned", "{worker} is assigned to {service}."),
    "booking_confirmed": ("Booking confirmed", "{service} is confirmed."),
    "booking_on_the_way": ("On the way", "{worker} is on the way for {service}."),
    "booking_arrived": ("Arrived", "{worker} has arrived for {service}."),
    "booking_completed": ("Completed", "{service} is completed."),
    "booking_cancelled": ("Cancelled", "{service} is cancelled."),
}


def _notification(event: BookingEvent, user_id: UUID) -> Draft:
    title, text = _TITLES.get(event.event_type, ("Booking", "{service}: " + event.status))
    worker = event.booking.worker.name if event.booking.worker else "The worker"
    return Draft(
        user_id=user_id,
        title=title,
        message=text.format(worker=worker, service=event.booking.service),
        data={
            "booking_id": str(event.booking_id),
            "event_type": event.event_type,
            "status": event.status,
            "seq": event.seq,
            "service": event.booking.service,
            "worker": event.booking.worker.name if event.booking.worker else None,
        },
    )


def _clear_location(booking: Booking) -> None:
    booking.location_lat = booking.location_lng = booking.location_at = None
    booking.location_accuracy = booking.location_heading = booking.location_speed = None
    booking.location_fixes = ()
    booking.location_actor = ""
    booking.min_location_seq = booking.seq
    booking.eta_minutes = None


def _locked(booking_id: UUID, user: User) -> Booking:
    """Raises NotVisibleError.

    The people are read once the lock is held. Joined to the locked row they would be those from before the wait for
    it: PostgreSQL reads only that row again, and a worker assigned meanwhile would be missing.
    """
    condition, parameters = one_of(Booking, "id", [booking_id])
    lock = " FOR NO KEY UPDATE" if connection.features.has_select_for_update else ""
    statement = f"SELECT {BOOKING_READER.columns} FROM bookings_booking WHERE {condition}{lock}"  # noqa: S608 - names
    booking = next((found for found, _ in BOOKING_READER.read(statement, parameters)), None)
    if booking is None or not roles_of(booking, user):
        raise NotVisibleError("No such booking.")
    _read_people(booking, user)
    return booking


def _read_people(booking: Booking, user: User) -> None:
    """Set owner and worker. One of them is often ``user``, who made the request and was read for it."""
    ids = {user_id for user_id in (booking.owner_id, booking.worker_id) if user_id is not None}
    people = {user.pk: user, **users_by_id(ids - {user.pk})}
    booking.owner = people[booking.owner_id]
    if booking.worker_id is not None:
        booking.worker = people[booking.worker_id]


@whole_transaction
def booking_create(*, owner: User, order: BookingOrder, idempotency_key: str | None = None) -> tuple[Booking, bool]:
    """Create a booking. Return it, and whether it is new.

    A repeated ``idempotency_key`` of the same owner returns the first booking, or raises
    :class:`ConflictError` when the order differs. Raises ValidationError for hidden characters in a text, and
    ConflictError (``too_many_open``) if the owner has
    ``BOOKINGS_OPEN_MAX`` unfinished bookings.
    """
    if owner.effective_role == Role.WORKER:
        raise NotAllowedError("Only employers create bookings.")
    order.check_characters()
    now = utc_now()
    try:
        with traced_transaction("booking_create"):
            booking = Booking(
                owner=owner,
                created_at=now,
                updated_at=now,
                idempotency_key=idempotency_key,
                idempotency_digest=order.digest(),
                **order.__dict__,
            )
            change = _Change(booking, owner, now)
            change.emit("booking_requested")
            _BOOKINGS.insert([booking])
            _limit_open_bookings(owner)
            change.write_events()
    except IntegrityError:
        if idempotency_key is None:
            raise
        return _replayed(owner, order, idempotency_key), False
    return booking, True


def _limit_open_bookings(owner: User) -> None:
    """Count with the new booking in place: a repeated Idempotency-Key is found first, and is never rejected.

    The owner's row lock makes simultaneous creations count each other.
    """
    most = settings.ENVIRONMENT.bookings_open_max
    if not most or owner.effective_role == Role.ADMIN:
        return
    User.objects.select_for_update(no_key=True).only("pk").get(pk=owner.pk)
    if Booking.objects.filter(owner=owner, finished_at=None).count() > most:
        raise ConflictError(
            "too_many_open",
            f"You have {most} unfinished bookings, which is the limit. Complete or cancel one of them first.",
        )


def _replayed(owner: User, order: BookingOrder, idempotency_key: str) -> Booking:
    booking = Booking.objects.select_related("owner", "worker").get(owner=owner, idempotency_key=idempotency_key)
    if booking.idempotency_digest != order.digest():
        raise ConflictError("idempotency_key_reused", "This Idempotency-Key was used for a different booking.")
    return booking


@whole_transaction
def booking_status_change(
    *, booking_id: UUID, user: User, status: Status, eta_minutes: int | None = None, expected_seq: int | None = None
) -> Booking:
    """Change the status, judged under the row lock. The same status changes nothing.

    The same status succeeds with any ``expected_seq``: a booking never returns to a status, so the request must be a
    repeated one (RFC 9110, 13.1.1, allows success for a repeated If-Match).

    Raises NotVisibleError, NotAllowedError, or ConflictError (``illegal_transition``, ``seq_mismatch``).
    """
    with traced_transaction("booking_status_change"):
        booking = _locked(booking_id, user)
        verdict = judge(Status(booking.status), status, roles_of(booking, user))
        if verdict is Verdict.UNCHANGED:
            return booking
        if expected_seq is not None and expected_seq != booking.seq:
            raise ConflictError("seq_mismatch", f"The booking is at seq {booking.seq}, not {expected_seq}.")
        if verdict is Verdict.ILLEGAL:
            raise ConflictError("illegal_transition", f"A booking that is {booking.status} cannot become {status}.")
        if verdict is Verdict.FORBIDDEN:
            raise NotAllowedError(f"You may not make this booking {status}.")
        _enter_status(booking, status, user, eta_minutes)
    return booking


def _enter_status(booking: Booking, status: Status, user: User, eta_minutes: int | None) -> None:
    now = utc_now()
    booking.status = status.value
    if status in FINAL:
        booking.finished_at = now
        eta_minutes = None
    elif status is Status.ARRIVED:
        booking.eta_minutes = eta_minutes = None
    elif eta_minutes is not None:
        booking.eta_minutes = eta_minutes
    change = _Change(booking, user, now)
    change.emit(f"booking_{status}", clears_location=status in FINAL, eta_minutes=eta_minutes)
    change.commit()


@whole_transaction
def booking_assign(*, booking_id: UUID, staff: User, worker_id: UUID) -> Booking:
    """Assign a worker, which confirms a requested booking. The previous worker loses access at once.

    Raises NotVisibleError, NotAllowedError, InvalidWorkerError, or ConflictError (``booking_finished``).
    """
    with traced_transaction("booking_assign"):
        booking = _locked(booking_id, staff)
        if staff.effective_role != Role.ADMIN:
            raise NotAllowedError("Only staff assign workers.")
        if Status(booking.status) in FINAL:
            raise ConflictError("booking_finished", f"The booking is {booking.status}.")
        worker = User.objects.filter(pk=worker_id, role=Role.WORKER, is_active=True).first()
        if worker is None:
            raise InvalidWorkerError("No active worker has this id.")
        before = booking.worker
        change = _Change(booking, staff, utc_now())
        if before is None or before.pk != worker.pk:
            booking.worker = worker
            change.emit("booking_assigned", clears_location=before is not None, also_notify=before)
        if booking.status == Status.REQUESTED:
            booking.status = Status.CONFIRMED.value
            change.emit("booking_confirmed")
        if not change.events:
            return booking
        change.commit()
        if before is not None and before.pk != worker.pk:
            revocations.record(revocations.Kind.ASSIGNMENT, subject=before.pk, booking=booking.pk)
    return booking


def is_tracked(booking: Booking) -> bool:
    """Whether the worker's location may be posted and seen."""
    return Status(booking.status) in TRACKED
