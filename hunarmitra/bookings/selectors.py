"""Reads of bookings."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from django.db.models import Q, QuerySet

from hunarmitra.accounts.models import Role, User
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.transitions import BookingRole


def roles_of(booking: Booking, user: User) -> frozenset[BookingRole]:
    """What gives the user a right to see the booking; empty for a stranger."""
    return _roles(booking.owner_id == user.pk, booking.worker_id == user.pk, user.effective_role == Role.ADMIN)


@cache
def _roles(owner: bool, worker: bool, staff: bool) -> frozenset[BookingRole]:
    """One set for all of the same grounds: each open socket keeps one."""
    held = {BookingRole.OWNER: owner, BookingRole.WORKER: worker, BookingRole.STAFF: staff}
    return frozenset(role for role, holds in held.items() if holds)


def bookings_visible_to(user: User) -> QuerySet[Booking]:
    """Newest first: all of them for staff, else those that the user owns or works on."""
    bookings = Booking.objects.select_related("owner", "worker").order_by("-created_at", "pk")
    if user.effective_role == Role.ADMIN:
        return bookings
    return bookings.filter(Q(owner=user) | Q(worker=user))


def booking_visible_to(user: User, booking_id: UUID) -> Booking | None:
    return bookings_visible_to(user).filter(pk=booking_id).first()


def events_after(booking_id: UUID, since: int) -> QuerySet[BookingEvent]:
    """The log after ``since``, in order."""
    return BookingEvent.objects.filter(booking_id=booking_id, seq__gt=since).order_by("seq")
