"""Why a change of a booking was refused. ``code`` is the API's, the message is for people."""

from __future__ import annotations


class BookingError(Exception):
    code = "error"


class NotVisibleError(BookingError):
    """There is no such booking, or the asking user has no part in it: deliberately the same answer."""

    code = "not_found"


class NotAllowedError(BookingError):
    """The user sees the booking but may not do this to it."""

    code = "permission_denied"


class ConflictError(BookingError):
    """The booking's state does not allow the change, for any user."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidWorkerError(BookingError):
    """The named worker does not exist, is not a worker, or is deactivated."""

    code = "invalid"
