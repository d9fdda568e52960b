"""Errors of booking services. ``code`` is the code of the API; the message is for people."""

from __future__ import annotations


class BookingError(Exception):
    code = "error"


class NotVisibleError(BookingError):
    """The booking does not exist, or the user has no role on it: deliberately the same error."""

    code = "not_found"


class NotAllowedError(BookingError):
    """The user can see the booking but may not do this."""

    code = "permission_denied"


class ConflictError(BookingError):
    """The booking's state does not allow the change, for any user."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidWorkerError(BookingError):
    """The named worker does not exist, is not a worker, or is deactivated."""

    code = "invalid"
