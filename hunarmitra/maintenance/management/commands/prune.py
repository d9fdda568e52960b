"""``manage.py prune``: delete expired rows and hash old refresh tokens. Run it once a day."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from hunarmitra.accounts import retention as accounts
from hunarmitra.bookings import retention as bookings
from hunarmitra.common.clock import utc_now
from hunarmitra.notifications import retention as notifications
from hunarmitra.outbox import retention as realtime

Job = Callable[[bool], int]
PLAIN_TOKENS = "refresh tokens in plain text"


class Command(BaseCommand):
    help = (
        "Delete the events of bookings that ended more than PRUNE_EVENTS_AFTER_DAYS ago, notifications read and older "
        "than PRUNE_NOTIFICATIONS_AFTER_DAYS, unread ones older than PRUNE_UNREAD_NOTIFICATIONS_AFTER_DAYS, and "
        "expired sessions, tickets, tokens and revocations. Hash refresh tokens that an older version stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count only; delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run: bool = options["dry_run"]
        for what, job in _jobs().items():
            self.stdout.write(f"{what}: ", ending="")
            self.stdout.flush()
            begun = time.monotonic()
            count = job(dry_run)
            verb = "hash" if what == PLAIN_TOKENS else "delete"
            verb = f"would {verb}" if dry_run else f"{verb.removesuffix('e')}ed"
            self.stdout.write(f"{verb} {count} ({time.monotonic() - begun:.1f} s)")


def _jobs() -> dict[str, Job]:
    environment, now = settings.ENVIRONMENT, utc_now()
    finished_before = now - timedelta(days=environment.prune_events_after_days)
    read_before = now - timedelta(days=environment.prune_notifications_after_days)
    unread_before = now - timedelta(days=environment.prune_unread_notifications_after_days)
    revoked_before = now - timedelta(seconds=environment.jwt_refresh_lifetime)
    return {
        "booking events": lambda dry_run: bookings.booking_events_prune(
            finished_before=finished_before, dry_run=dry_run
        ),
        "notifications": lambda dry_run: notifications.notifications_prune(
            created_before=read_before, unread_created_before=unread_before, dry_run=dry_run
        ),
        "tickets": lambda dry_run: accounts.tickets_prune(now=now, dry_run=dry_run),
        "sessions": lambda dry_run: accounts.sessions_prune(now=now, dry_run=dry_run),
        "refresh tokens": lambda dry_run: accounts.refresh_tokens_prune(now=now, dry_run=dry_run),
        PLAIN_TOKENS: lambda dry_run: accounts.refresh_tokens_hash(dry_run=dry_run),
        "admin sign-ins": lambda dry_run: accounts.browser_sessions_prune(now=now, dry_run=dry_run),
        "revocations": lambda dry_run: realtime.revocations_prune(created_before=revoked_before, dry_run=dry_run),
    }
