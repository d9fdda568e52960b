"""Store locations: one conditional UPDATE checks and stores them, from any pod.

On PostgreSQL this is one statement, prepared once for each connection. It reads revoked sessions, reassigned workers
and final statuses from the tables, so that there is no cache to invalidate. The commit does not wait for the disk
(``synchronous_commit``): if a crash of the database loses a location, the next one follows after two seconds. SQLite
has one writer at a time, and the checks run in Python under its write lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from hunarmitra.accounts.models import User
from hunarmitra.accounts.selectors import user_of_session
from hunarmitra.accounts.tokens import Identity
from hunarmitra.bookings.errors import BookingError
from hunarmitra.bookings.eta import FIXES_FOR_AN_ESTIMATE, site_of
from hunarmitra.bookings.fields import fixes_from_column
from hunarmitra.bookings.models import Booking
from hunarmitra.database import prepared
from hunarmitra.database.retries import whole_transaction
from hunarmitra.locations.fixes import FIX_SPACING_SECONDS, MOST_FIXES, NUMBERS_PER_FIX, with_fix
from hunarmitra.protocol.statuses import TRACKED
from hunarmitra.tracking.judging import TooSoonError, judge
from hunarmitra.tracking.locations import PostedLocation, StoredLocation

_ONE: Final = """\
SELECT %(booking_id)s::uuid AS booking_id, %(session_id)s::uuid AS session_id, %(user_id)s::uuid AS user_id,
       %(lat)s::float8 AS lat, %(lng)s::float8 AS lng, %(moment)s::timestamptz AS moment,
       %(received)s::timestamptz AS received, %(accuracy)s::float8 AS accuracy, %(heading)s::float8 AS heading,
       %(speed)s::float8 AS speed, %(uncertain)s::boolean AS uncertain"""

_MANY: Final = """\
SELECT * FROM unnest(%(booking_id)s::uuid[], %(session_id)s::uuid[], %(user_id)s::uuid[], %(lat)s::float8[],
                     %(lng)s::float8[], %(moment)s::timestamptz[], %(received)s::timestamptz[],
                     %(accuracy)s::float8[], %(heading)s::float8[], %(speed)s::float8[], %(uncertain)s::boolean[])
  AS posted(booking_id, session_id, user_id, lat, lng, moment, received, accuracy, heading, speed, uncertain)"""

_LOCKED: Final = """,
locked AS MATERIALIZED (
  SELECT id FROM bookings_booking WHERE id = ANY(%(booking_id)s::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)"""
"""Batches of several processes lock bookings in one order, and skip locked ones, which are stored separately later."""

_N: Final = NUMBERS_PER_FIX
_FIX: Final = "ARRAY[extract(epoch FROM posted.moment)::float8, posted.lat, posted.lng, coalesce(posted.accuracy, -1)]"
_FIXES: Final = f"""\
CASE WHEN posted.uncertain THEN booking.location_fixes
     WHEN cardinality(booking.location_fixes) >= {2 * _N}
          AND booking.location_fixes[cardinality(booking.location_fixes) - {_N - 1}]
            - booking.location_fixes[cardinality(booking.location_fixes) - {2 * _N - 1}] < {FIX_SPACING_SECONDS}
     THEN booking.location_fixes[:cardinality(booking.location_fixes) - {_N}] || {_FIX}
     WHEN cardinality(booking.location_fixes) >= {MOST_FIXES * _N}
     THEN booking.location_fixes[cardinality(booking.location_fixes) - {(MOST_FIXES - 1) * _N - 1}:] || {_FIX}
     ELSE coalesce(booking.location_fixes, '{{}}') || {_FIX} END"""
""":func:`hunarmitra.locations.fixes.with_fix` in SQL. The indexes of a sliced array start at 1 again."""

_STATED_MINUTES: Final = f"""\
CASE WHEN NOT posted.uncertain AND cardinality(booking.location_fixes) >= {FIXES_FOR_AN_ESTIMATE * _N} THEN NULL
     ELSE booking.eta_minutes END"""
"""The ETA that the worker stated. It is kept until there are enough fixes for an estimate."""

_STATUSES: Final = ", ".join(f"'{status}'" for status in sorted(TRACKED))


def _statement(posted: str, locked: str, join: str) -> str:
    return f"""\
WITH durability AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
posted AS MATERIALIZED ({posted}){locked}
UPDATE bookings_booking AS booking
SET location_lat = posted.lat, location_lng = posted.lng, location_at = posted.moment,
    location_received_at = posted.received, location_accuracy = posted.accuracy, location_heading = posted.heading,
    location_speed = posted.speed, location_actor = "user".name, location_fixes = {_FIXES},
    eta_minutes = {_STATED_MINUTES}
FROM durability, posted
JOIN accounts_session AS session ON session.id = posted.session_id
JOIN accounts_user AS "user" ON "user".id = session.user_id{join}
WHERE booking.id = posted.booking_id AND "user".id = posted.user_id
  AND session.revoked_at IS NULL AND session.expires_at > posted.received AND "user".is_active
  AND booking.status IN ({_STATUSES})
  AND (booking.worker_id = "user".id OR "user".is_staff OR "user".role = 'admin')
  AND (booking.location_received_at IS NULL
       OR booking.location_received_at <= posted.received - %(interval)s::interval)
  AND (booking.location_at IS NULL OR booking.location_at <= posted.moment)
RETURNING booking.id, booking.seq, booking.status, booking.location_fixes, booking.lat, booking.lng,
  booking.eta_minutes, "user".name"""  # noqa: S608 - made of constants


STORE_ONE: Final = _statement(_ONE, "", "")
STORE_MANY: Final = _statement(_MANY, _LOCKED, "\nJOIN locked ON locked.id = posted.booking_id")


@whole_transaction
def store(batch: Sequence[PostedLocation]) -> Mapping[UUID, StoredLocation]:
    """Store the allowed locations, at most one for each booking; return the stored ones by booking.

    A booking is missing from the result if its location was not allowed, or, in a batch, if another transaction had
    locked it.
    """
    if connection.vendor == "postgresql":
        return _store_in_postgresql(batch)
    return {posted.booking_id: stored for posted in batch if (stored := _store_in_sqlite(posted)) is not None}


def _store_in_postgresql(batch: Sequence[PostedLocation]) -> Mapping[UUID, StoredLocation]:
    columns: list[dict[str, Any]] = [
        {
            "booking_id": posted.booking_id,
            "session_id": posted.session_id,
            "user_id": posted.user_id,
            "lat": posted.reading.lat,
            "lng": posted.reading.lng,
            "moment": posted.moment,
            "received": posted.received,
            "accuracy": posted.reading.accuracy,
            "heading": posted.reading.heading,
            "speed": posted.reading.speed,
            "uncertain": posted.reading.uncertain,
        }
        for posted in batch
    ]
    interval = {"interval": timedelta(seconds=settings.ENVIRONMENT.tracking_min_interval)}
    if len(columns) == 1:
        rows = prepared.fetch_all(STORE_ONE, {**columns[0], **interval})
    else:
        arrays = {name: [column[name] for column in columns] for name in columns[0]}
        rows = prepared.fetch_all(STORE_MANY, {**arrays, **interval})
    return {
        booking_id: StoredLocation(
            seq,
            status,
            fixes_from_column(fixes),
            None if lat is None or lng is None else (float(lat), float(lng)),
            stated,
            actor,
        )
        for booking_id, seq, status, fixes, lat, lng, stated, actor in rows
    }


def _store_in_sqlite(posted: PostedLocation) -> StoredLocation | None:
    with transaction.atomic():
        user = user_of_session(Identity(posted.user_id, posted.session_id, posted.received))
        booking = Booking.objects.filter(pk=posted.booking_id).first()
        if user is None or booking is None or not _allowed(booking, user, posted):
            return None
        reading, fixes = posted.reading, booking.location_fixes or ()
        stated = booking.eta_minutes
        if not reading.uncertain:
            stated = None if len(fixes) >= FIXES_FOR_AN_ESTIMATE else stated
            fixes = with_fix(fixes, posted.fix)
        Booking.objects.filter(pk=booking.pk).update(
            location_lat=reading.lat,
            location_lng=reading.lng,
            location_at=posted.moment,
            location_received_at=posted.received,
            location_accuracy=reading.accuracy,
            location_heading=reading.heading,
            location_speed=reading.speed,
            location_actor=user.name,
            location_fixes=fixes,
            eta_minutes=stated,
        )
    return StoredLocation(booking.seq, booking.status, fixes, site_of(booking), stated, user.name)


def _allowed(booking: Booking, user: User, posted: PostedLocation) -> bool:
    try:
        judge(booking, user, posted)
    except (BookingError, TooSoonError):
        return False
    return True
