"""Rights that end: recorded in the transaction that ends them, announced to every process at once.

The announcement may be lost; the row is not. Each ws process knows the number of the newest revocation it has
handled and reads later ones from the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from hunarmitra.common.clock import utc_now
from hunarmitra.outbox import on_commit
from hunarmitra.outbox.models import Counter, Revocation
from hunarmitra.protocol import channels, messages

COUNTER = "revocation"


class Kind(StrEnum):
    """What ended: a sign-in, an account, the staff right, or a worker's assignment to one booking."""

    SESSION = "session"
    USER = "user"
    STAFF = "staff"
    ASSIGNMENT = "assignment"


def record(kind: Kind, *, subject: UUID, booking: UUID | None = None) -> None:
    """Call inside the transaction that ends the right, as its last lock: the counter's row is held to the commit."""
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
    on_commit.announce_on_commit(message)


def newest_number() -> int:
    return Counter.objects.filter(name=COUNTER).values_list("value", flat=True).first() or 0


def recorded_after(number: int) -> Sequence[Revocation]:
    """At most 1,000, in order. The counter's lock makes numbers visible in order, so none can appear later below."""
    return list(Revocation.objects.filter(number__gt=number).order_by("number")[:1000])
