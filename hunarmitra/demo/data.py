"""Demo data: three people and a booking in Delhi, or several, made once and kept."""

from __future__ import annotations

import logging
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from hunarmitra.accounts.models import Role, User
from hunarmitra.accounts.services import session_start, user_create, user_set_password
from hunarmitra.bookings.models import Booking
from hunarmitra.bookings.services import BookingOrder, booking_assign, booking_create
from hunarmitra.common.clock import utc_now
from hunarmitra.demo.credentials import keep_passwords, read_passwords
from hunarmitra.demo.other_bookings import make_other_bookings
from hunarmitra.telemetry import security

SITE: Final = (Decimal("28.631500"), Decimal("77.216700"))
"""Connaught Place, New Delhi: where the booking's work is, in degrees (WGS 84)."""

WORKER_USERNAME: Final = "demo-worker"

_PEOPLE: Final = (
    (Role.EMPLOYER, "demo-employer", "Asha Verma"),
    (Role.WORKER, WORKER_USERNAME, "Ravi Kumar"),
    (Role.ADMIN, "demo-admin", "Meera Iyer"),
)


@dataclass(frozen=True)
class DemoUser:
    """A demo user, signed in. The repr hides what may not be logged."""

    user: User
    username: str
    password: str
    access: str

    def __repr__(self) -> str:
        return f"DemoUser({self.username!r})"

    def to_json(self) -> dict[str, str]:
        return {"username": self.username, "password": self.password, "access": self.access}


@dataclass(frozen=True)
class DemoData:
    """What `manage.py demo` prints."""

    employer: DemoUser
    worker: DemoUser
    admin: DemoUser
    booking: Booking

    @property
    def users(self) -> tuple[DemoUser, DemoUser, DemoUser]:
        return self.employer, self.worker, self.admin

    def to_json(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "booking_id": str(self.booking.pk),
            "employer": self.employer.to_json(),
            "worker": self.worker.to_json(),
            "admin": self.admin.to_json(),
        }


def demo_data(*, several: bool = False) -> DemoData:
    """Make what is missing, keep what is there, and sign the users in. ``several``: further bookings besides the one.

    A demo user whose kept password is unknown or no longer right (somebody lost the file) gets a new one.
    """
    kept = read_passwords()
    passwords = {username: kept.get(username) or _password() for _, username, _ in _PEOPLE}
    if passwords != kept:
        keep_passwords(passwords)
    users = [_user(role, username, name, passwords[username]) for role, username, name in _PEOPLE]
    with _silent_sign_ins():
        employer, worker, admin = (
            DemoUser(user, user.username, passwords[user.username], session_start(user=user).access) for user in users
        )
    if several:
        make_other_bookings(employer=employer.user, worker=worker.user, admin=admin.user)
    return DemoData(employer, worker, admin, _booking(employer.user, worker.user, admin.user))


@contextmanager
def _silent_sign_ins() -> Iterator[None]:
    """Keep the log lines of these sign-ins, which nobody made, from the first screen."""
    level = security.logger.level
    security.logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        security.logger.setLevel(level)


def _password() -> str:
    """Letters and digits only: it can be pasted into any command line."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))


def _user(role: Role, username: str, name: str, password: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        return user_create(username=username, password=password, name=name, role=role)
    if not user.check_password(password):
        user_set_password(user_id=user.pk, password=password)
        user.refresh_from_db()
    return user


def _booking(employer: User, worker: User, admin: User) -> Booking:
    """Return the newest unfinished booking of the demo employer and worker, else a new one, confirmed and assigned.

    A booking that exists is never changed: the demo employer may have made it by hand.
    """
    theirs = Booking.objects.filter(owner=employer, worker=worker, finished_at=None)
    if booking := theirs.order_by("-created_at", "pk").first():
        return booking
    order = BookingOrder(
        service="Kitchen tap repair",
        address="Block E, Connaught Place, New Delhi",
        lat=SITE[0],
        lng=SITE[1],
        preferred_time=utc_now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1),
        notes="The tap in the kitchen drips.",
        estimated_price=Decimal("499.00"),
    )
    booking, _ = booking_create(owner=employer, order=order)
    return booking_assign(booking_id=booking.pk, staff=admin, worker_id=worker.pk)
