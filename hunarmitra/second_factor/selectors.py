"""Reads of the second factor: who has a device, and what an authenticator app needs of it."""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django_otp.plugins.otp_totp.models import TOTPDevice

from hunarmitra.accounts.models import User
from hunarmitra.second_factor.models import RecoveryCode


@dataclass(frozen=True)
class State:
    """The second factor of a user: since when, and how many recovery codes are left."""

    since: datetime
    recovery_codes: int


def device_of(user_id: UUID) -> TOTPDevice | None:
    """Return the device of a user, or None. A user has one at most."""
    return TOTPDevice.objects.filter(user_id=user_id, confirmed=True).first()


def state_of(user_id: UUID) -> State | None:
    """Return the state of a user's second factor, or None if there is none."""
    device = device_of(user_id)
    return device and State(device.created_at, RecoveryCode.objects.filter(user_id=user_id).count())


def setup_url(user: User, secret: str) -> str:
    """Return the ``otpauth://`` URL that an authenticator app reads, from a QR code or a link."""
    return str(TOTPDevice(user=user, key=secret).config_url)


def setup_text(secret: str) -> str:
    """Return the secret for typing: base32 in groups of four."""
    text = b32encode(bytes.fromhex(secret)).decode()
    return " ".join(text[begin : begin + 4] for begin in range(0, len(text), 4))
