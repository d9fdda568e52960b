"""Reads of bookings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from hunarmitra.accounts.models import Role, User
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.database.rows import RowReader

BOOKING_READER: Final = RowReader(Booking, [field.name for field in Booking._meta.concrete_fields])


def roles_of(booking: Booking, user: User) -> frozenset[BookingRole]:
    """Return the roles of the user on the booking; empty when the user may not see it."""
    return _roles(booking.owner_id == user.pk, booking.worker_id == user.pk, user.effective_role == Role.ADMIN)


@cache
def _roles(owner: bool, worker: bool, staff: bool) -> frozenset[BookingRole]:
    """Cached, so that connections with the same roles share one set."""
    held = {BookingRole.OWNER: owner, BookingRole.WORKER: worker, BookingRole.STAFF: staff}
    return frozenset(role for role, holds in held.items() if holds)


def details_visible_to(user: User, booking: Booking, *, now: datetime) -> bool:
    """Whether the user, who sees the booking, also reads its address, its place and its notes.

    The worker needs them for the work, and for ``WORKER_DETAILS_DAYS`` after it; owner and staff always read them.
    """
    if booking.finished_at is None or roles_of(booking, user) != {BookingRole.WORKER}:
        return True
    return now < booking.finished_at + timedelta(days=settings.ENVIRONMENT.worker_details_days)


def bookings_visible_to(user: User) -> QuerySet[Booking]:
    """Return the bookings that the user may see, newest first: all of them for staff."""
    bookings = Booking.objects.select_related("owner", "worker").order_by("-created_at", "pk")
    if user.effective_role == Role.ADMIN:
        return bookings
    return bookings.filter(Q(owner=user) | Q(worker=user))


def bookings_visible_by_role(user: User) -> list[QuerySet[Booking]]:
    """Return :func:`bookings_visible_to` in disjoint parts. Each has an index in its order; their union has none."""
    bookings = bookings_visible_to(user)
    if user.effective_role == Role.ADMIN:
        return [bookings]
    return [bookings.filter(owner=user), bookings.filter(worker=user).exclude(owner=user)]


def booking_visible_to(user: User, booking_id: UUID) -> Booking | None:
    return bookings_visible_to(user).filter(pk=booking_id).first()


def bookings_by_id(ids: Collection[UUID]) -> dict[UUID, Booking]:
    """Return bookings by id, in one query; none for an unknown id."""
    return BOOKING_READER.by_id(ids)


def events_after(booking_id: UUID, since: int) -> QuerySet[BookingEvent]:
    """Return the events after ``since``, in order."""
    return BookingEvent.objects.filter(booking_id=booking_id, seq__gt=since).order_by("seq")
