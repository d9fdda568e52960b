"""Asyncio client for HunarMitra realtime: bookings and notifications, each event once and in order."""

from hunarmitra_realtime.booking import BookingStream
from hunarmitra_realtime.events import Event, State
from hunarmitra_realtime.locations import Point, Progress, SharingEndedError, TrackError, read_gpx, send_locations
from hunarmitra_realtime.notifications import MarkReadError, NotificationStream
from hunarmitra_realtime.session import Session

__all__ = [
    "BookingStream",
    "Event",
    "MarkReadError",
    "NotificationStream",
    "Point",
    "Progress",
    "Session",
    "SharingEndedError",
    "State",
    "TrackError",
    "read_gpx",
    "send_locations",
]
