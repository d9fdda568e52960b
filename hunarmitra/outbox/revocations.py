"""Revocations: rights that end, recorded in the transaction that ends them and announced to every ws process.

The announcement may be lost; the row is not. Each ws process knows the number of the newest revocation that it has
handled, and reads later ones from the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from hunarmitra.common.clock import utc_now
from hunarmitra.outbox.models import Counter, Revocation
from hunarmitra.outbox.on_commit import announce_on_commit
from hunarmitra.protocol import channels, messages

COUNTER = "revocation"


class Kind(StrEnum):
    """What ended: a sign-in, an account, the staff right, or a worker's assignment to one booking."""

    SESSION = "session"
    USER = "user"
    STAFF = "staff"
    ASSIGNMENT = "assignment"


def record(kind: Kind, *, subject: UUID, booking: UUID | None = None) -> None:
    """Record a revocation inside the transaction that ends the right.

    Call it last: it locks the row of the shared counter until the commit.
    """
    assert transaction.get_connection().in_atomic_block
    Counter.objects.get_or_create(name=COUNTER)
    counter = Counter.objects.select_for_update().get(name=COUNTER)
    counter.value += 1
    counter.save(update_fields=["value"])
    Revocation.objects.create(
        number=counter.value, kind=kind.value, subject=subject, booking=booking, created_at=utc_now()
    )
    message = messages.revocation_message(
        channels.CONTROL,
        number=counter.value,
        kind=kind.value,
        subject=str(subject),
        booking=str(booking) if booking else None,
    )
    announce_on_commit(message)


def newest_number() -> int:
    """Return the number of the newest revocation, 0 without any."""
    return Counter.objects.filter(name=COUNTER).values_list("value", flat=True).first() or 0


def recorded_after(number: int) -> Sequence[Revocation]:
    """Return at most 1,000 revocations after ``number``, in order.

    The counter's lock makes numbers visible in order, so a lower number never appears later.
    """
    return list(Revocation.objects.filter(number__gt=number).order_by("number")[:1000])
