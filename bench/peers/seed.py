"""Fills the database: staff with a session and a token each, bookings under way, and their worker.

Reads ``{"people", "bookings"}`` on stdin and prints ``{"tokens", "worker_token", "bookings"}``.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()

    from hunarmitra.accounts.models import Role, Session, User
    from hunarmitra.accounts.tokens import SESSION_CLAIM, AccessToken
    from hunarmitra.bookings.models import Booking
    from hunarmitra.common.clock import utc_now
    from hunarmitra.protocol.statuses import Status

    wanted = json.load(sys.stdin)
    now = utc_now()
    until = now + timedelta(days=1)
    people = [
        User(username=f"watcher-{number}", name=f"Watcher {number}", role=Role.ADMIN, is_staff=True, password="!")
        for number in range(wanted["people"])
    ]
    worker = User(username="worker", name="Ravi Kumar", role=Role.WORKER, password="!")
    User.objects.bulk_create([*people, worker])
    sessions = [Session(user=user, created_at=now, expires_at=until) for user in [*people, worker]]
    Session.objects.bulk_create(sessions)
    bookings = [
        Booking(
            owner=people[0],
            worker=worker,
            status=Status.ON_THE_WAY.value,
            service="plumbing",
            lat=28.6139,
            lng=77.2090,
            created_at=now,
            updated_at=now,
        )
        for _ in range(wanted["bookings"])
    ]
    Booking.objects.bulk_create(bookings)

    def token(session: Session) -> str:
        access = AccessToken()
        access["user_id"] = str(session.user_id)
        access[SESSION_CLAIM] = str(session.pk)
        return str(access)

    tokens = [token(session) for session in sessions]
    json.dump(
        {"tokens": tokens[:-1], "worker_token": tokens[-1], "bookings": [str(booking.pk) for booking in bookings]},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
