"""Fills the database: staff, employers, and bookings under way with a worker each; a session and a token for everyone.

Reads ``{"people", "employers", "bookings"}`` on stdin and prints ``{"tokens", "employer_tokens", "bookings",
"worker_ids", "worker_tokens"}``; the last three are in one order. It runs with the models of the version that is
measured (the current one, or an earlier one), so it uses only what they have in common.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta

import django

PASSWORD = "benchmark-of-this-machine-only"
"""The employers' password."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()

    from django.contrib.auth.hashers import make_password
    from django.db import connection

    from hunarmitra.accounts.models import Role, Session, User
    from hunarmitra.accounts.tokens import SESSION_CLAIM, AccessToken
    from hunarmitra.bookings.models import Booking
    from hunarmitra.common.clock import utc_now

    wanted = json.load(sys.stdin)
    now = utc_now()
    until = now + timedelta(days=1)
    people = [
        User(username=f"watcher-{number}", name=f"Watcher {number}", role=Role.ADMIN, is_staff=True, password="!")
        for number in range(wanted["people"])
    ]
    hashed = make_password(PASSWORD)
    employers = [
        User(username=f"employer-{number}", name=f"Employer {number}", role=Role.EMPLOYER, password=hashed)
        for number in range(wanted["employers"])
    ]
    workers = [
        User(username=f"worker-{number}", name=f"Worker {number}", role=Role.WORKER, password="!")
        for number in range(wanted["bookings"])
    ]
    everyone = [*people, *employers, *workers]
    User.objects.bulk_create(everyone)
    sessions = {user.pk: Session(user=user, created_at=now, expires_at=until) for user in everyone}
    Session.objects.bulk_create(sessions.values())
    bookings = [
        Booking(
            owner=people[0],
            worker=worker,
            status="on_the_way",
            service="plumbing",
            lat=28.6139,
            lng=77.2090,
            created_at=now,
            updated_at=now,
        )
        for worker in workers
    ]
    Booking.objects.bulk_create(bookings)
    with connection.cursor() as cursor:
        # Without statistics a batch of locations is planned as a sequential scan.
        cursor.execute("VACUUM ANALYZE")

    def token(user: User) -> str:
        access = AccessToken()
        access["user_id"] = str(user.pk)
        access[SESSION_CLAIM] = str(sessions[user.pk].pk)
        return str(access)

    seeded = {
        "tokens": [token(user) for user in people],
        "employer_tokens": [token(user) for user in employers],
        "bookings": [str(booking.pk) for booking in bookings],
        "worker_ids": [str(worker.pk) for worker in workers],
        "worker_tokens": [token(worker) for worker in workers],
    }
    json.dump(seeded, sys.stdout)


if __name__ == "__main__":
    main()
