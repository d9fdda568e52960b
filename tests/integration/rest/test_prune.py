"""``manage.py prune`` over real servers. `tests/services` has the rules of each table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hunarmitra.accounts.services import user_set_active
from tests.support.actors import Actors
from tests.support.shell import Shell
from tests.support.stack import Stack


def finish_days_ago(booking_id: str, days: int) -> None:
    from datetime import timedelta

    from hunarmitra.bookings.models import Booking
    from hunarmitra.common.clock import utc_now

    Booking.objects.filter(pk=booking_id).update(finished_at=utc_now() - timedelta(days=days))


def rows_of_user(user_id: str) -> dict[str, int]:
    """Return the number of rows of a user in each table that `prune` shortens."""
    from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

    from hunarmitra.accounts.models import Session, Ticket
    from hunarmitra.notifications.models import Notification
    from hunarmitra.outbox.models import Revocation

    return {
        "sessions": Session.objects.filter(user_id=user_id).count(),
        "tickets": Ticket.objects.filter(session__user_id=user_id).count(),
        "outstanding": OutstandingToken.objects.filter(user_id=user_id).count(),
        "blacklisted": BlacklistedToken.objects.filter(token__user_id=user_id).count(),
        "revocations": Revocation.objects.filter(subject=user_id).count(),
        "notifications": Notification.objects.filter(user_id=user_id).count(),
    }


def expire_and_prune(user_id: str) -> str:
    """Let the user's session, ticket and tokens expire, and prune; return what it prints.

    A spent refresh token expires within the leeway, an unspent one and the revocations long ago. All of this is one
    call, because starting a process for `prune` may take longer than the leeway.
    """
    from datetime import timedelta
    from io import StringIO

    from django.core.management import call_command
    from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

    from hunarmitra.accounts.models import Session, Ticket
    from hunarmitra.common.clock import utc_now
    from hunarmitra.outbox.models import Revocation

    Session.objects.filter(user_id=user_id).update(expires_at=utc_now() - timedelta(seconds=1))
    Ticket.objects.filter(session__user_id=user_id).update(expires_at=utc_now() - timedelta(seconds=1))
    tokens = OutstandingToken.objects.filter(user_id=user_id).order_by("pk")
    long_ago = utc_now() - timedelta(days=8)
    tokens.filter(blacklistedtoken__isnull=False).update(expires_at=utc_now() - timedelta(seconds=5))
    tokens.filter(blacklistedtoken__isnull=True).update(expires_at=long_ago)
    Revocation.objects.filter(subject=user_id).update(created_at=long_ago)
    printed = StringIO()
    call_command("prune", stdout=printed)
    return printed.getvalue()


@pytest.fixture
def people(stack: Stack) -> Iterator[Actors]:
    fresh = Actors.of(stack)
    yield fresh
    fresh.close()


def counts_of(output: str) -> dict[str, int]:
    """Read lines such as `booking events: deleted 12 (0.0 s)`."""
    pairs = (line.split(": ") for line in output.splitlines() if ": " in line)
    return {what: int(rest.partition(" (")[0].split()[-1]) for what, rest in pairs}


def test_events_of_bookings_that_ended_long_ago(stack: Stack, people: Actors, shell: Shell) -> None:
    old, recent, open_one = (people.new_booking(status) for status in ("completed", "completed", "arrived"))
    shell.call(finish_days_ago, booking_id=old, days=91)
    shell.call(finish_days_ago, booking_id=recent, days=89)
    before = people.employer.booking(old)

    dry = counts_of(stack.manage("prune", "--dry-run"))
    assert dry["booking events"] == 6
    assert len(people.employer.events(old)["results"]) == 6, "a dry run deletes nothing"
    assert counts_of(stack.manage("prune"))["booking events"] == 6
    assert counts_of(stack.manage("prune"))["booking events"] == 0

    assert people.employer.events(old) == {"results": [], "seq": 6, "pruned_seq": 6}
    assert people.employer.booking(old) == before, "the booking stays"
    for kept in (recent, open_one):
        log = people.employer.events(kept)
        assert (len(log["results"]), log["pruned_seq"]) == (log["seq"], 0)


def test_expired_sessions_tickets_tokens_and_old_revocations(stack: Stack, people: Actors, shell: Shell) -> None:
    stranger = people.stranger
    stranger.ticket()
    stranger.refresh()
    counts = shell.call(rows_of_user, user_id=stranger.id)
    assert {name: counts[name] for name in ("sessions", "tickets", "outstanding", "blacklisted")} == {
        "sessions": 1, "tickets": 1, "outstanding": 2, "blacklisted": 1,
    }  # fmt: skip
    stack.manage("prune")
    assert shell.call(rows_of_user, user_id=stranger.id) == counts, "nothing of it has expired"
    assert stranger.me()

    for active in (False, True):
        shell.call(user_set_active, user_id=stranger.id, active=active)
    printed = counts_of(shell.call(expire_and_prune, user_id=stranger.id))
    assert min(printed[name] for name in ("tickets", "sessions", "refresh tokens", "revocations")) >= 1
    after = shell.call(rows_of_user, user_id=stranger.id)
    assert (after["sessions"], after["tickets"], after["revocations"]) == (0, 0, 0)
    assert (after["outstanding"], after["blacklisted"]) == (1, 1), "within the leeway a spent token must stay known"
    assert stranger.send("GET", "users/me/").status_code == 401
    stranger.sign_in()
    assert people.employer.me(), "others are still signed in"
