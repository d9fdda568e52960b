"""Asyncio client for HunarMitra realtime: bookings and notifications, each event once and in order."""

from hunarmitra_realtime.booking import BookingStream
from hunarmitra_realtime.connection import RealtimeConnection
from hunarmitra_realtime.events import Event, State
from hunarmitra_realtime.live import LiveSubscription
from hunarmitra_realtime.locations import Point, Progress, TrackError, read_gpx, send_locations
from hunarmitra_realtime.notifications import MarkReadError, NotificationStream
from hunarmitra_realtime.sender import LocationSender, Sent, SharingEndedError
from hunarmitra_realtime.session import RequestError, Session
from hunarmitra_realtime.subscription import BookingSubscription, NotificationSubscription

__all__ = [
    "BookingStream",
    "BookingSubscription",
    "Event",
    "LiveSubscription",
    "LocationSender",
    "MarkReadError",
    "NotificationStream",
    "NotificationSubscription",
    "Point",
    "Progress",
    "RealtimeConnection",
    "RequestError",
    "Sent",
    "Session",
    "SharingEndedError",
    "State",
    "TrackError",
    "read_gpx",
    "send_locations",
]
