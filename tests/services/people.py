"""The users of the service tests, and bookings in each status."""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.services import user_create
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.services import BookingOrder, booking_assign, booking_create, booking_status_change
from hunarmitra.protocol.statuses import Status

ORDER = BookingOrder(service="Plumbing", address="12 MG Road")

_PATH = (Status.ON_THE_WAY, Status.ARRIVED, Status.COMPLETED)


def new_user(username: str, role: Role) -> User:
    return user_create(username=username, password=None, name=username.title(), role=role)


@dataclass(frozen=True)
class People:
    """Users: `owner` of the bookings, `worker` assigned to them, and two strangers without a role on them."""

    owner: User
    worker: User
    staff: User
    stranger: User
    other_worker: User

    @classmethod
    def make(cls) -> People:
        return cls(
            owner=new_user("owner", Role.EMPLOYER),
            worker=new_user("worker", Role.WORKER),
            staff=new_user("staff", Role.ADMIN),
            stranger=new_user("stranger", Role.EMPLOYER),
            other_worker=new_user("other_worker", Role.WORKER),
        )

    def named(self, name: str) -> User:
        user: User = getattr(self, name)
        return user

    def booking(self, status: Status = Status.REQUESTED) -> Booking:
        """Create a booking in this status. Unless it is `requested`, the worker is assigned."""
        booking, _ = booking_create(owner=self.owner, order=ORDER)
        if status is Status.REQUESTED:
            return booking
        if status is Status.CANCELLED:
            return self._change(booking, Status.CANCELLED)
        booking = booking_assign(booking_id=booking.pk, staff=self.staff, worker_id=self.worker.pk)
        for following in _PATH:
            if booking.status == status:
                break
            booking = self._change(booking, following)
        return booking

    def _change(self, booking: Booking, status: Status) -> Booking:
        return booking_status_change(booking_id=booking.pk, user=self.staff, status=status)
