"""The rows of an exchange of refresh tokens, read and written under the lock of the session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from hunarmitra.accounts.models import Session
from hunarmitra.accounts.tokens import RefreshToken, stored_form
from hunarmitra.database.rows import RowReader, RowWriter, one_of

_SESSION: Final = """\
SELECT {columns} FROM accounts_session JOIN accounts_user ON accounts_user.id = accounts_session.user_id
WHERE {condition} AND accounts_session.revoked_at IS NULL AND accounts_user.is_active"""
_STORED: Final = """\
SELECT {columns}, spent.blacklisted_at FROM token_blacklist_outstandingtoken
LEFT JOIN token_blacklist_blacklistedtoken spent ON spent.token_id = token_blacklist_outstandingtoken.id
WHERE token_blacklist_outstandingtoken.jti = %s"""

_SESSIONS: Final = RowReader(Session, [field.name for field in Session._meta.concrete_fields])
_SESSION_ROWS: Final = RowWriter(Session)
_TOKENS: Final = RowReader(OutstandingToken, ["id", "jti"])
_TOKEN_ROWS: Final = RowWriter(OutstandingToken)
_SPENT_ROWS: Final = RowWriter(BlacklistedToken)


def locked_session(session_id: UUID) -> Session | None:
    """Lock a session, and return it unless it was revoked or its user is not active."""
    condition, parameters = one_of(Session, "id", [session_id])
    lock = " FOR UPDATE OF accounts_session" if connection.features.has_select_for_update else ""
    statement = _SESSION.format(columns=_SESSIONS.columns, condition=condition) + lock
    return next((session for session, _ in _SESSIONS.read(statement, parameters)), None)


def stored(refresh: RefreshToken) -> tuple[OutstandingToken, datetime | None]:
    """Return the row of a refresh token, and when the token was spent; None if it is not."""
    for row, (spent_at,) in _TOKENS.read(_STORED.format(columns=_TOKENS.columns), [refresh["jti"]]):
        return row, spent_at and _moment(spent_at)
    return refresh.outstand()[0], None  # pruned within the leeway


def _moment(value: Any) -> datetime:
    """SQLite has no type of moments, and returns text, or a moment without an offset."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    operations: Any = connection.ops
    moment: datetime = operations.convert_datetimefield_value(value, None, connection)
    return moment


def spend(session: Session, row: OutstandingToken, successor: RefreshToken, encoded: str, now: datetime) -> None:
    """Mark a token as spent, and store its successor and the session's expiry. ``encoded`` is the successor."""
    _SPENT_ROWS.insert([BlacklistedToken(token=row, blacklisted_at=now)])
    _SESSION_ROWS.update(session, ["expires_at"])
    follows = OutstandingToken(
        user_id=session.user_id,
        jti=successor["jti"],
        token=stored_form(encoded),
        # A repeated request makes the claim of this value.
        created_at=datetime.fromtimestamp(successor["iat"], tz=UTC),
        expires_at=datetime.fromtimestamp(successor["exp"], tz=UTC),
    )
    # A token that was pruned, and is used again within the leeway, has its successor already.
    _TOKEN_ROWS.insert([follows], unless_there=True)
