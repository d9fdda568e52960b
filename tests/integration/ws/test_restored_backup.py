"""The database goes back in time under open sockets: they are told, and go on from what is true now.

The comparison with the database finds it, so these run on stacks whose comparison has its usual interval.
"""

from __future__ import annotations

import pytest

from tests.support.actors import Actors
from tests.support.live import join
from tests.support.shell import Shell
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over_rarely")


def restore_a_backup(booking_id: str, last_notification: int) -> None:
    """Set the booking back to its second event, and its owner to the notification `last_notification`."""
    from hunarmitra.accounts.models import User
    from hunarmitra.bookings.models import Booking, BookingEvent
    from hunarmitra.notifications.models import Notification

    BookingEvent.objects.filter(booking_id=booking_id, seq__gt=2).delete()
    row = Booking.objects.get(pk=booking_id)
    row.seq, row.status, row.location_lat = 2, "confirmed", None
    row.save()
    Notification.objects.filter(user=row.owner, seq__gt=last_notification).delete()
    User.objects.filter(pk=row.owner_id).update(notification_seq=last_notification)


def delete_booking(booking_id: str) -> None:
    from hunarmitra.bookings.models import Booking

    Booking.objects.get(pk=booking_id).delete()


async def test_a_restored_backup_makes_connections_fetch_their_state_anew(stack: Stack, actors: Actors) -> None:
    booking = actors.new_booking("on_the_way")
    token = actors.employer.token
    watching = await join(stack.booking_url(booking), token)
    told = await join(stack.notifications_url(pod=1), token)
    last = told.frames[0]["seq"] - 1
    with Shell(stack) as shell:
        shell.call(restore_a_backup, booking_id=booking, last_notification=last)
    assert await watching.next_frame() == {"type": "resync_required", "seq": 2}
    assert await told.next_frame() == {"type": "resync_required", "seq": last}
    # A client with a `since` from before the restore gets it as well.
    for url, newest in ((stack.booking_url(booking, pod=1), 2), (stack.notifications_url(), last)):
        async with await join(url, token, since=newest + 2) as later:
            assert await later.next_frame() == {"type": "resync_required", "seq": newest}
    # Numbers that were used before the restore are used again, for other events.
    actors.worker.status(booking, "on_the_way")
    assert (await watching.until_seq(3))[-1]["event_type"] == "booking_on_the_way"
    assert (await told.until_seq(last + 1))[-1]["data"]["event_type"] == "booking_on_the_way"
    await watching.close()
    await told.close()


async def test_a_booking_deleted_by_hand_closes_its_connections(stack: Stack, actors: Actors) -> None:
    booking = actors.new_booking("requested")
    async with await join(stack.booking_url(booking), actors.employer.token) as socket:
        with Shell(stack) as shell:
            shell.call(delete_booking, booking_id=booking)
        assert (await socket.closed())[0] == 4003
