"""Further bookings of the demo's people, so that lists, filters and the dispatcher's map have something to show."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from hunarmitra.accounts.models import User
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.services import BookingOrder, booking_assign, booking_create, booking_status_change
from hunarmitra.common.clock import utc_now
from hunarmitra.notifications.services import notifications_mark_all_read
from hunarmitra.protocol.statuses import Status


def make_other_bookings(*, employer: User, worker: User, admin: User) -> None:
    """Make bookings that are completed, cancelled and requested, unless the employer already has any booking.

    None is confirmed or under way: `manage.py drive` and the page's drive find the one that `demo_data` makes. Their
    notifications are read, so that the bell counts only those of that booking.
    """
    if Booking.objects.filter(owner=employer).exists():
        return
    tomorrow = utc_now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    completed, cancelled, *_ = [
        booking_create(owner=employer, order=order)[0]
        for order in (
            _order("Fan repair", "Barakhamba Road, New Delhi", "349.00", lat="28.629800", lng="77.222400"),
            _order("Door lock repair", "Mandi House, New Delhi", "299.00", lat="28.625800", lng="77.222000"),
            _order("Wall painting", "Gole Market, New Delhi", "4500.00", tomorrow, lat="28.633600", lng="77.209300"),
            _order("Switchboard repair", "Janpath, New Delhi", "249.00", tomorrow, lat="28.625900", lng="77.218400"),
        )
    ]
    booking_assign(booking_id=completed.pk, staff=admin, worker_id=worker.pk)
    for status in (Status.ON_THE_WAY, Status.ARRIVED, Status.COMPLETED):
        booking_status_change(booking_id=completed.pk, user=worker, status=status)
    booking_status_change(booking_id=cancelled.pk, user=employer, status=Status.CANCELLED)
    for user in (employer, worker, admin):
        notifications_mark_all_read(user_id=user.pk)


def _order(
    service: str, address: str, price: str, preferred_time: datetime | None = None, *, lat: str, lng: str
) -> BookingOrder:
    return BookingOrder(
        service=service,
        address=address,
        lat=Decimal(lat),
        lng=Decimal(lng),
        preferred_time=preferred_time,
        estimated_price=Decimal(price),
    )
