"""Reads of accounts."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet
from rest_framework_simplejwt.tokens import Token

from hunarmitra.accounts.models import Role, Session, User
from hunarmitra.accounts.tokens import AccessToken, AnyToken, Identity, RefreshToken, identity_of
from hunarmitra.common.clock import utc_now

BUSY_STATUSES = ("on_the_way", "arrived")


def user_of_session(identity: Identity) -> User | None:
    """The active user whose unrevoked session a token names, or None: one query, for REST and sockets alike."""
    session = (
        Session.objects.filter(
            pk=identity.session_id,
            user_id=identity.user_id,
            revoked_at=None,
            user__is_active=True,
            expires_at__gt=utc_now(),
        )
        .select_related("user")
        .first()
    )
    return session.user if session else None


def user_of_token(encoded: str) -> User | None:
    """As :func:`user_of_session`, for an access or a refresh token. Raises TokenError for one that is not valid."""
    kind: type[Token] = AccessToken
    if AnyToken(encoded).get("token_type") == RefreshToken.token_type:  # type: ignore[arg-type]
        kind = RefreshToken  # which also knows those that were spent
    return user_of_session(identity_of(kind(encoded)))  # type: ignore[arg-type]


def worker_list() -> QuerySet[User]:
    """Active workers, each with ``busy``: how many bookings the worker is on the way to or at."""
    busy = Count("worked_bookings", filter=Q(worked_bookings__status__in=BUSY_STATUSES))
    return User.objects.filter(role=Role.WORKER, is_active=True).annotate(busy=busy).order_by("name", "pk")
