"""People, their signed-in sessions, and the single-use tickets that open connections."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.crypto import salted_hmac

from hunarmitra.common.plain_text import validate_plain_text


class Role(models.TextChoices):
    EMPLOYER = "employer", "Employer"
    WORKER = "worker", "Worker"
    ADMIN = "admin", "Admin"


class User(AbstractUser):
    """A customer (``employer``), a worker or a member of staff.

    ``notification_seq`` is the number of the user's newest notification; it changes only under this row's lock.
    ``session_epoch`` counts how often all sessions of the user were ended; what belongs to an earlier epoch has ended.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name = models.CharField(
        max_length=120,
        help_text="Shown to the other side of a booking; never a phone number.",
        validators=[validate_plain_text],
    )
    phone = models.CharField(max_length=20, blank=True, validators=[validate_plain_text])
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.EMPLOYER)
    notification_seq = models.BigIntegerField(default=0, editable=False)
    session_epoch = models.BigIntegerField(default=0, db_default=0, editable=False)

    REQUIRED_FIELDS = ["name"]

    class Meta(AbstractUser.Meta):
        indexes = [models.Index(fields=["role"], name="accounts_user_role")]

    def __str__(self) -> str:
        return self.name

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name

    def get_session_auth_hash(self) -> str:
        """Return what a session of the admin must match at each request. Epoch 0 has Django's own value.

        Pods of version 0.1 know no epoch, and their sessions stay valid during an upgrade.
        """
        own: str = super().get_session_auth_hash()
        if not self.session_epoch:
            return own
        return salted_hmac("hunarmitra.session", f"{self.session_epoch}.{own}", algorithm="sha256").hexdigest()

    @property
    def effective_role(self) -> str:
        """The role that decides what a user may do: ``is_staff`` counts as admin."""
        return Role.ADMIN.value if self.is_staff else self.role


class Session(models.Model):
    """One sign-in, from its first token to its last rotation. All its tokens have its id as ``sid``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_sessions")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True, help_text="When its newest refresh token expires.")
    revoked_at = models.DateTimeField(null=True, blank=True)


class Ticket(models.Model):
    """A ticket opens one connection, once, within seconds. Only its hash is stored."""

    digest = models.CharField(primary_key=True, max_length=64)
    session = models.ForeignKey(Session, on_delete=models.CASCADE)
    token_expires_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)
