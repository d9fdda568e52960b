"""Reads of accounts."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Count, Q, QuerySet
from rest_framework_simplejwt.tokens import Token

from hunarmitra.accounts.models import Role, Session, User
from hunarmitra.accounts.tokens import AccessToken, AnyToken, Identity, RefreshToken, identity_of
from hunarmitra.common.clock import utc_now

BUSY_STATUSES = ("on_the_way", "arrived")


def users_of_sessions(identities: Collection[Identity]) -> dict[Identity, User]:
    """The active users whose unrevoked sessions tokens name, in one query; other identities are not in the answer."""
    found = (
        Session.objects.filter(pk__in=[identity.session_id for identity in identities], revoked_at=None)
        .filter(user__is_active=True, expires_at__gt=utc_now())
        .select_related("user")
    )
    users = {(session.pk, session.user_id): session.user for session in found}
    keys = {identity: (identity.session_id, identity.user_id) for identity in identities}
    return {identity: users[key] for identity, key in keys.items() if key in users}


def user_of_session(identity: Identity) -> User | None:
    """As :func:`users_of_sessions`, for one: REST and sockets ask the same question."""
    return users_of_sessions([identity]).get(identity)


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
