"""Writes of the second factor: add and remove a device, use a code, make recovery codes.

django-otp has the device (TOTP, RFC 6238) and refuses the second use of a code. Recovery codes are ours: those of
django-otp are short, and stored in plain text. Failed codes count in the limits of sign-in, by user name and network,
and not for each device as in django-otp: there an attacker would lock out the user.

Locks are taken in one order: the user, the device, then recovery codes. Revocations come last.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b32encode
from typing import Final
from uuid import UUID

from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from hunarmitra.accounts.models import User
from hunarmitra.accounts.services import user_sign_out
from hunarmitra.database.retries import whole_transaction
from hunarmitra.second_factor.models import RecoveryCode
from hunarmitra.telemetry import security

RECOVERY_CODES: Final = 8
_SECRET_BYTES: Final = 20
"""The length of a SHA-1, which RFC 4226 (section 4) recommends."""
_RECOVERY_BYTES: Final = 15
"""120 bits: too many to guess, so that a plain hash protects them."""
_DIGITS: Final = re.compile(r"[0-9]{6}")


class WrongCodeError(Exception):
    """A code is wrong, too old, or was used before."""


class DeviceExistsError(Exception):
    """The user has a device already: it must be removed before another one is added."""


class NoDeviceError(Exception):
    """The user has no device."""


def secret_generate() -> str:
    """Return a new secret of a device, in hexadecimal digits."""
    return secrets.token_hex(_SECRET_BYTES)


@whole_transaction
def device_add(*, user_id: UUID, secret: str, code: str) -> list[str]:
    """Add a device that has this secret, and end all sessions of the user. Return recovery codes, which are not stored.

    Raises WrongCodeError unless ``code`` is a code of this secret now: it proves that the app has the secret. Raises
    DeviceExistsError.
    """
    with transaction.atomic():
        _lock(user_id)
        if TOTPDevice.objects.filter(user_id=user_id).exists():
            raise DeviceExistsError
        device = TOTPDevice.objects.create(user_id=user_id, name="authenticator", key=secret)
        if not _accepts(device, _plain(code)):
            raise WrongCodeError
        codes = _make_recovery_codes(user_id)
        user_sign_out(user_id=user_id)
        security.record("second_factor", "added", user_id=user_id)
    return codes


@whole_transaction
def device_remove(*, user_id: UUID) -> bool:
    """Remove the device and the recovery codes, and end all sessions of the user. Return False without a device."""
    with transaction.atomic():
        _lock(user_id)
        deleted, _ = TOTPDevice.objects.filter(user_id=user_id).delete()
        if not deleted:
            return False
        RecoveryCode.objects.filter(user_id=user_id).delete()
        user_sign_out(user_id=user_id)
        security.record("second_factor", "removed", user_id=user_id)
    return True


@whole_transaction
def recovery_codes_renew(*, user_id: UUID) -> list[str]:
    """Replace the recovery codes by new ones, and return these. Raises NoDeviceError."""
    with transaction.atomic():
        _lock(user_id)
        if _locked_device(user_id) is None:
            raise NoDeviceError
        codes = _make_recovery_codes(user_id)
        security.record("second_factor", "recovery_codes", user_id=user_id)
    return codes


@whole_transaction
def code_use(*, user_id: UUID, code: str) -> TOTPDevice:
    """Use up a code of the device, or a recovery code, and return the device.

    Raises WrongCodeError if the code is wrong or was used before, and NoDeviceError. The lock of the device puts
    simultaneous uses in order: of two with the same code, one is refused.
    """
    plain, recovered = _plain(code), 0
    with transaction.atomic():
        device = _locked_device(user_id)
        if device is None:
            raise NoDeviceError
        accepted = _accepts(device, plain)
        if not accepted:
            recovered, _ = RecoveryCode.objects.filter(user_id=user_id, digest=_digest(plain)).delete()
        if recovered:
            security.record("second_factor", "recovery_code", user_id=user_id)
    if not accepted and not recovered:
        raise WrongCodeError
    return device


def _lock(user_id: UUID) -> None:
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user_id)


def _locked_device(user_id: UUID) -> TOTPDevice | None:
    return TOTPDevice.objects.select_for_update().filter(user_id=user_id, confirmed=True).first()


def _accepts(device: TOTPDevice, code: str) -> bool:
    """Whether this is a code of the device that was not used before. django-otp alone accepts ``+12_3`` too."""
    return _DIGITS.fullmatch(code) is not None and bool(device.verify_token(code))


def _make_recovery_codes(user_id: UUID) -> list[str]:
    RecoveryCode.objects.filter(user_id=user_id).delete()
    codes = [b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(digest=_digest(code), user_id=user_id) for code in codes)
    return ["-".join(code[begin : begin + 4] for begin in range(0, len(code), 4)) for code in codes]


def _plain(code: str) -> str:
    """Return a code as it is compared: people type spaces, dashes and capital letters."""
    return re.sub(r"[\s-]", "", code).lower()


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
