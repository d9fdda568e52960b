"""Bookings and their numbered event log."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from hunarmitra.accounts.models import User
from hunarmitra.bookings import wire
from hunarmitra.bookings.fields import FixesField
from hunarmitra.outbox.models import OutboxRow
from hunarmitra.protocol import channels, messages
from hunarmitra.protocol.frames import encode
from hunarmitra.protocol.messages import Message
from hunarmitra.protocol.statuses import Status

STATUS_CHOICES = [(status.value, status.value.replace("_", " ")) for status in Status]


class Booking(models.Model):
    """A customer's order for a service, and where its worker is.

    ``seq`` is the number of the newest event. The ``location_…`` columns are the last accepted location. They are in
    this row, and in no index, so that one conditional UPDATE can judge status, worker, rate and order at once and
    stays a HOT update. ``location_fixes`` has the last minutes, for the estimate of the arrival. Only
    ``bookings.services`` and ``tracking.storing`` change these columns. ``eta_minutes`` is what the worker said; see
    :func:`hunarmitra.bookings.eta.eta_minutes`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="owned_bookings")
    worker = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="worked_bookings")
    status = models.CharField(max_length=12, choices=STATUS_CHOICES, default=Status.REQUESTED.value)
    seq = models.BigIntegerField(default=0, editable=False)
    pruned_seq = models.BigIntegerField(default=0, editable=False, help_text="Events up to this number were pruned.")

    service = models.CharField(max_length=120)
    address = models.CharField(max_length=400, blank=True)
    lat = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    lng = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    preferred_time = models.DateTimeField(null=True, blank=True)
    notes = models.TextField(max_length=2000, blank=True)
    estimated_price = models.DecimalField(max_digits=10, decimal_places=2, null=True, blank=True)
    eta_minutes = models.PositiveIntegerField(null=True, blank=True)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    idempotency_key = models.CharField(max_length=200, null=True, editable=False)  # noqa: DJ001 - NULL is not unique
    idempotency_digest = models.CharField(max_length=64, blank=True, editable=False)

    location_lat = models.FloatField(null=True, editable=False)
    location_lng = models.FloatField(null=True, editable=False)
    location_at = models.DateTimeField(null=True, editable=False)
    location_received_at = models.DateTimeField(null=True, editable=False)
    location_accuracy = models.FloatField(null=True, editable=False, help_text="Radius of 68 %, in metres.")
    location_heading = models.FloatField(null=True, editable=False, help_text="Degrees clockwise from north.")
    location_speed = models.FloatField(null=True, editable=False, help_text="As the phone told it, in m/s.")
    location_fixes = FixesField(null=True, editable=False, help_text="What the estimate is made of.")
    location_actor = models.CharField(max_length=120, blank=True, editable=False)
    min_location_seq = models.BigIntegerField(
        default=0,
        editable=False,
        db_column="location_floor_seq",
        help_text="Locations accepted before this event are void.",
    )

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="bookings_by_owner"),
            models.Index(fields=["worker", "-created_at"], name="bookings_by_worker"),
            models.Index(fields=["-created_at", "id"], name="bookings_newest"),
            models.Index(fields=["owner"], name="bookings_open", condition=models.Q(finished_at__isnull=True)),
            models.Index(
                fields=["finished_at"], name="bookings_finished", condition=models.Q(finished_at__isnull=False)
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="bookings_idempotency"),
        ]

    def __str__(self) -> str:
        return f"{self.service} ({self.status})"


class BookingEvent(OutboxRow):
    """One entry of a booking's log; ``seq`` is 1, 2, 3 … without a gap.

    ``actor`` is the display name, which other users see. ``acted_by`` is the id, which only the admin shows: names
    change, and two users may have the same one. It is not a foreign key, so that it stays when the user is deleted.
    """

    stream_field: ClassVar[str] = "booking"

    booking = models.ForeignKey(Booking, on_delete=models.CASCADE, related_name="events")
    event_type = models.CharField(max_length=32)
    status = models.CharField(max_length=12, choices=STATUS_CHOICES)
    actor = models.CharField(max_length=120)
    acted_by = models.UUIDField(
        null=True,
        editable=False,
        help_text="Id of the user who acted, for staff. Empty for the system, and for events of version 0.1.",
    )
    eta_minutes = models.PositiveIntegerField(null=True)
    clears_location = models.BooleanField(default=False)

    class Meta:
        ordering = ["booking", "seq"]
        constraints = [models.UniqueConstraint(fields=["booking", "seq"], name="booking_event_seq")]
        indexes = [
            models.Index(
                fields=["created_at"], name="booking_event_unpublished", condition=models.Q(published_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.event_type}"

    def to_message(self, *, ack: bool = False) -> Message:
        return messages.status_message(
            channels.booking_channel(self.booking_id),
            seq=self.seq,
            frame=encode(wire.status_frame(self, ack=ack)),
            clears_location=self.clears_location,
            ack=ack,
            origin=self.traceparent,
        )
