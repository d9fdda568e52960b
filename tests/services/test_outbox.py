"""The outbox: publishing on commit, the relay, the quarantine, the backlog, and revocations."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction

from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.common.clock import to_microseconds, utc_now
from hunarmitra.notifications.models import Notification
from hunarmitra.outbox import retention, revocations
from hunarmitra.outbox.backlog import Backlog, backlog
from hunarmitra.outbox.models import OutboxRow, Revocation
from hunarmitra.outbox.on_commit import announce_on_commit
from hunarmitra.outbox.redis_publisher import PublisherUnavailableError
from hunarmitra.outbox.relay import NotPublishedError, relay_once, release_quarantined
from hunarmitra.protocol.messages import Message
from hunarmitra.protocol.statuses import Status
from hunarmitra.telemetry import relay as metrics
from tests.services.conftest import CommittedBlock, RecordingLayer
from tests.services.people import People

DOWN = PublisherUnavailableError("down")


def unpublished() -> list[int]:
    return list(BookingEvent.objects.filter(published_at=None).order_by("pk").values_list("seq", flat=True))


def seqs(layer: RecordingLayer, booking: Booking) -> list[int]:
    return [message.body["seq"] for message in layer.take() if message.channel == f"booking.{booking.pk}"]


def counted(name: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"hunarmitra_{name}") or 0.0


def test_a_commit_publishes_its_rows_in_order_and_marks_them(
    people: People, layer: RecordingLayer, committed: CommittedBlock
) -> None:
    with committed():
        booking = people.booking(Status.CONFIRMED)
        assert layer.messages == [], "nothing is published before the commit"
    assert seqs(layer, booking) == [1, 2, 3]
    assert unpublished() == []
    assert not Notification.objects.filter(published_at=None).exists()


def test_a_rollback_publishes_nothing(people: People, layer: RecordingLayer, committed: CommittedBlock) -> None:
    with committed(), transaction.atomic():
        people.booking()
        transaction.set_rollback(True)
    assert layer.take() == []
    assert not Booking.objects.exists()


def test_what_no_backend_takes_stays_unpublished_until_the_relay_has_it(
    people: People, layer: RecordingLayer, committed: CommittedBlock
) -> None:
    layer.error = DOWN
    with committed():
        booking = people.booking(Status.CONFIRMED)
    assert unpublished() == [1, 2, 3]
    with pytest.raises(NotPublishedError, match="no backend took 3 booking events"):
        relay_once(older_than_seconds=0)
    assert unpublished() == [1, 2, 3]
    layer.error = None
    assert relay_once(older_than_seconds=0) == 3 + Notification.objects.count()
    assert seqs(layer, booking) == [1, 2, 3]
    assert unpublished() == []
    assert relay_once(older_than_seconds=0) == 0


def test_the_relay_leaves_young_rows_to_the_process_that_wrote_them(people: People, layer: RecordingLayer) -> None:
    people.booking()
    assert relay_once(older_than_seconds=60) == 0
    BookingEvent.objects.update(created_at=utc_now() - timedelta(seconds=61))
    assert relay_once(older_than_seconds=60) == 1
    [message] = layer.take()
    assert message.body["committed_at"] == to_microseconds(BookingEvent.objects.get().created_at)


def test_a_message_without_a_row_is_announced_on_commit(layer: RecordingLayer, committed: CommittedBlock) -> None:
    message = Message("control", {"type": "example"})
    with committed():
        announce_on_commit(message)
        assert layer.take() == []
    assert layer.take() == [message]


# ── quarantine ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def unrenderable(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make `to_message` raise for rows with this `seq`."""

    def install(model: type[OutboxRow], seq: int, error: Exception) -> None:
        to_message = model.to_message

        def failing(row: Any, *, ack: bool = False) -> Message:
            if row.seq == seq:
                raise error
            return to_message(row, ack=ack)

        monkeypatch.setattr(model, "to_message", failing)

    return install


def test_a_row_that_cannot_be_rendered_is_quarantined_and_the_others_go_on(
    people: People, layer: RecordingLayer, unrenderable: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    booking = people.booking(Status.CONFIRMED)
    unrenderable(BookingEvent, 2, ValueError("Out of range float values are not JSON compliant"))
    quarantined = counted("relay_quarantined_total")
    relayed = counted("relay_published_total")
    rows = 3 + Notification.objects.count()
    with caplog.at_level(logging.ERROR):
        assert relay_once(older_than_seconds=0) == rows
        assert relay_once(older_than_seconds=0) == 0, "it is not tried again"
    assert seqs(layer, booking) == [1, 3]
    [record] = caplog.records
    assert "hunarmitra" not in record.getMessage()
    assert record.getMessage().startswith("the event bookings.BookingEvent ")
    assert "(seq 2) cannot be rendered; quarantined" in record.getMessage()
    assert counted("relay_quarantined_total") - quarantined == 1
    assert counted("relay_published_total") - relayed == rows - 1
    assert backlog() == Backlog({"bookings": 0, "notifications": 0}, 0.0, {"bookings": 1, "notifications": 0})


def test_a_quarantine_holds_although_no_backend_takes_the_other_rows(
    people: People, layer: RecordingLayer, unrenderable: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    people.booking(Status.CONFIRMED)
    unrenderable(BookingEvent, 1, KeyError("status"))
    layer.error = DOWN
    for _ in range(3):
        with pytest.raises(NotPublishedError, match="took 2 booking events"):
            relay_once(older_than_seconds=0)
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_a_row_alone_in_its_batch_is_quarantined_too(
    people: People, layer: RecordingLayer, unrenderable: Callable[..., None]
) -> None:
    people.booking()
    unrenderable(BookingEvent, 1, RuntimeError("a bug"))
    assert relay_once(older_than_seconds=0) == 1
    assert layer.take() == []
    assert relay_once(older_than_seconds=0) == 0


def test_a_stored_number_that_no_frame_can_have_is_such_a_row(people: People, layer: RecordingLayer) -> None:
    """The number is valid in the database's JSON, but Python reads it as infinity."""
    people.booking(Status.CONFIRMED)
    broken = Notification.objects.filter(user=people.owner).earliest("seq")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notifications_notification SET data = '1e400' WHERE seq = %s", [broken.seq])
    relay_once(older_than_seconds=0)
    assert not Notification.unpublished().exists()
    assert broken in Notification.quarantined()


def test_a_lost_database_is_not_a_reason_to_quarantine(people: People, unrenderable: Callable[..., None]) -> None:
    people.booking()
    unrenderable(BookingEvent, 1, OperationalError("server closed the connection"))
    with pytest.raises(OperationalError):
        relay_once(older_than_seconds=0)
    assert BookingEvent.objects.get().quarantined_at is None


def test_released_rows_are_published(
    people: People, layer: RecordingLayer, unrenderable: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = people.booking()
    with monkeypatch.context() as broken:
        broken.setattr(BookingEvent, "to_message", lambda row, *, ack=False: 1 / 0)
        relay_once(older_than_seconds=0)
    assert release_quarantined() == 1
    assert relay_once(older_than_seconds=0) == 1
    assert seqs(layer, booking) == [1]
    assert release_quarantined() == 0


def test_the_command_releases_them(people: People, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    people.booking()
    BookingEvent.objects.update(quarantined_at=utc_now(), created_at=utc_now() - timedelta(seconds=60))

    class WithRedis:
        redis_url = object()

        def __getattr__(self, name: str) -> Any:
            return getattr(environment, name)

    environment = settings.ENVIRONMENT
    settings.ENVIRONMENT = WithRedis()
    printed = StringIO()
    call_command("relay", "--once", "--retry-quarantined", stdout=printed)
    assert printed.getvalue().splitlines() == ["1 released from quarantine", "1 published"]


# ── backlog ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_backlog_counts_unpublished_rows_and_the_oldest_age(people: People) -> None:
    assert backlog() == Backlog({"bookings": 0, "notifications": 0}, 0.0, {"bookings": 0, "notifications": 0})
    people.booking(Status.CONFIRMED)
    BookingEvent.objects.filter(seq=1).update(created_at=utc_now() - timedelta(seconds=90))
    found = backlog()
    assert found.rows == {"bookings": 3, "notifications": Notification.objects.count()}
    assert found.oldest_age >= 90


# ── revocations ─────────────────────────────────────────────────────────────────────────────────────────────
def test_revocations_are_numbered_in_order_and_announced(layer: RecordingLayer, committed: CommittedBlock) -> None:
    assert revocations.newest_number() == 0
    user, booking = uuid4(), uuid4()
    with committed(), transaction.atomic():
        revocations.record(revocations.Kind.USER, subject=user)
        revocations.record(revocations.Kind.ASSIGNMENT, subject=user, booking=booking)
    assert revocations.newest_number() == 2
    assert [(row.number, row.kind) for row in revocations.recorded_after(0)] == [(1, "user"), (2, "assignment")]
    assert [row.number for row in revocations.recorded_after(1)] == [2]
    assert [message.channel for message in layer.messages] == ["control", "control"]
    assert [message.body["number"] for message in layer.take()] == [1, 2]


def test_numbers_continue_after_old_revocations_are_pruned() -> None:
    with transaction.atomic():
        revocations.record(revocations.Kind.USER, subject=uuid4())
    later = utc_now() + timedelta(seconds=1)
    assert retention.revocations_prune(created_before=later, dry_run=True) == 1
    assert Revocation.objects.count() == 1
    assert retention.revocations_prune(created_before=later, dry_run=False) == 1
    with transaction.atomic():
        revocations.record(revocations.Kind.STAFF, subject=uuid4())
    assert revocations.newest_number() == 2
