"""Reads of accounts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q, QuerySet
from rest_framework_simplejwt.tokens import Token

from hunarmitra.accounts.models import Role, Session, User
from hunarmitra.accounts.tokens import AccessToken, AnyToken, Identity, RefreshToken, identity_of
from hunarmitra.common.clock import utc_now
from hunarmitra.database.rows import RowReader, one_of

BUSY_STATUSES = ("on_the_way", "arrived")


_USERS: Final = RowReader(User, [field.name for field in User._meta.concrete_fields])
_USERS_OF_SESSIONS: Final = """
SELECT {columns}, accounts_session.id
FROM accounts_session JOIN accounts_user ON accounts_user.id = accounts_session.user_id
WHERE {sessions} AND accounts_session.revoked_at IS NULL AND accounts_session.expires_at > %s
  AND accounts_user.is_active
"""
"""Runs for every request and every handshake. The ORM takes three times as long to compose it (0.7 ms against 0.2 ms,
measured with SQLite)."""


def users_of_sessions(identities: Collection[Identity]) -> dict[Identity, User]:
    """Return the users of identities whose session is valid and whose user is active, in one query."""
    if not identities:
        return {}
    sessions, parameters = one_of(Session, "id", {identity.session_id for identity in identities})
    statement = _USERS_OF_SESSIONS.format(columns=_USERS.columns, sessions=sessions)
    now = connection.ops.adapt_datetimefield_value(utc_now())
    # SQLite has no UUID type and returns text.
    users = {
        (UUID(str(session_id)), user.pk): user for user, (session_id,) in _USERS.read(statement, [*parameters, now])
    }
    keys = {identity: (identity.session_id, identity.user_id) for identity in identities}
    return {identity: users[key] for identity, key in keys.items() if key in users}


def users_by_id(ids: Collection[UUID]) -> dict[UUID, User]:
    """Return users by id, in one query; none for an unknown id."""
    return _USERS.by_id(ids)


def user_of_session(identity: Identity) -> User | None:
    """Return the user of one identity, as :func:`users_of_sessions` does, for REST and WebSocket alike."""
    return users_of_sessions([identity]).get(identity)


def user_of_token(encoded: str) -> User | None:
    """Return the user of an access or a refresh token. Raises TokenError for an invalid one."""
    kind: type[Token] = AccessToken
    if AnyToken(encoded).get("token_type") == RefreshToken.token_type:  # type: ignore[arg-type]
        kind = RefreshToken  # which also knows spent tokens
    return user_of_session(identity_of(kind(encoded)))  # type: ignore[arg-type]


def worker_list() -> QuerySet[User]:
    """Return active workers, each with ``busy``: the number of bookings in progress."""
    busy = Count("worked_bookings", filter=Q(worked_bookings__status__in=BUSY_STATUSES))
    return User.objects.filter(role=Role.WORKER, is_active=True).annotate(busy=busy).order_by("name", "pk")
