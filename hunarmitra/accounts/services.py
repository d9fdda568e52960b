"""Writes of accounts: users, sessions, tickets, and the revocations that close connections."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F, QuerySet
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from hunarmitra.accounts import refresh_rows
from hunarmitra.accounts.models import Role, Session, Ticket, User
from hunarmitra.accounts.results import (
    IssuedTicket,
    SessionExpiredError,
    SessionReusedError,
    SessionsEndedError,
    TokenPair,
)
from hunarmitra.accounts.tokens import (
    SESSION_CLAIM,
    Identity,
    PresentedRefreshToken,
    RefreshToken,
    become_successor,
    identity_of,
    successor_jti,
)
from hunarmitra.common import checkpoints
from hunarmitra.common.clock import utc_now
from hunarmitra.common.plain_text import hidden_character, hidden_character_error
from hunarmitra.database import prepared
from hunarmitra.database.retries import whole_transaction
from hunarmitra.outbox import revocations
from hunarmitra.telemetry import security

TICKET_PREFIX = "hmt_"
_ADVANCE: Final = """\
UPDATE accounts_user SET notification_seq = notification_seq + %s WHERE id = %s RETURNING notification_seq"""


class Use(Enum):
    """Which use of a refresh token a request is."""

    FIRST = auto()
    REPEATED = auto()
    REUSED = auto()


@whole_transaction
def user_create(*, username: str, password: str | None, name: str, role: str = Role.EMPLOYER, phone: str = "") -> User:
    """Create a user. An ``admin`` may sign in to Django's admin; with ``password=None`` no password works."""
    if character := hidden_character(username):  # Django's validator does not name it
        raise ValidationError({"username": hidden_character_error(character)})
    user = User(username=username, name=name, role=role, phone=phone)
    user.is_staff = user.is_superuser = role == Role.ADMIN
    _check_password(password, user)
    user.set_password(password)
    user.full_clean(exclude=["password"])
    user.save()
    return user


def _check_password(password: str | None, user: User) -> None:
    """Apply AUTH_PASSWORD_VALIDATORS. Raises ValidationError for the field ``password``."""
    if password is None:
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.error_list}) from None


@whole_transaction
def session_start(*, user: User) -> TokenPair:
    """Sign a user in: create a session and its first pair of tokens.

    Raises SessionsEndedError if the user was deactivated, or all sessions were ended, since ``user`` was read: its
    password was checked before that.
    """
    refresh = RefreshToken()
    now = utc_now()
    with transaction.atomic():
        # The lock puts this and the end of all sessions in order.
        current = User.objects.select_for_update(no_key=True).only("is_active", "session_epoch").get(pk=user.pk)
        if not current.is_active or current.session_epoch != user.session_epoch:
            raise SessionsEndedError
        session = Session(user=user, created_at=now)
        session.expires_at = _expiry_of(session, now)
        session.save(force_insert=True)
        refresh["user_id"] = str(user.pk)
        refresh[SESSION_CLAIM] = str(session.pk)
        refresh.outstand()
        security.record("sign_in", "accepted", user_id=user.pk, session_id=session.pk)
    return TokenPair(access=_access_of(session, refresh), refresh=str(refresh))


def _end_of(session: Session) -> datetime:
    return session.created_at + timedelta(seconds=settings.ENVIRONMENT.session_lifetime)


def _expiry_of(session: Session, now: datetime) -> datetime:
    """Return when the session expires if it is not refreshed after ``now``."""
    return min(now + timedelta(seconds=settings.ENVIRONMENT.jwt_refresh_lifetime), _end_of(session))


def _access_of(session: Session, refresh: RefreshToken) -> str:
    """Return a new access token, which ends with its session at the latest, and with it open connections."""
    access = refresh.access_token
    end = int(_end_of(session).timestamp())
    access["exp"] = min(access["exp"], end)
    return str(access)


@whole_transaction
def session_rotate(*, encoded_refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair. The old token is spent; the session and its connections continue.

    A repeat within ``JWT_REFRESH_GRACE`` seconds returns the same refresh token: the first answer may have been lost.
    A later one ends the session, because then two parties have the token (RFC 9700, section 4.14.2).

    Raises SessionReusedError in that case, SessionExpiredError at the end of the session's lifetime, and TokenError for
    other tokens that are not accepted. The row lock of the session puts simultaneous exchanges in order; without it
    both would read the blacklist before one writes to it.
    """
    refresh = PresentedRefreshToken(encoded_refresh)  # type: ignore[arg-type]
    identity = identity_of(refresh)
    checkpoints.reach("refresh read, not locked")
    with transaction.atomic():
        session = refresh_rows.locked_session(identity.session_id)
        if session is None:
            raise TokenError("Token is revoked")
        if utc_now() >= _end_of(session):
            raise SessionExpiredError
        row, spent_at = refresh_rows.stored(refresh)
        pair = None
        match _use_after(spent_at):
            case Use.FIRST:
                pair = _spend(session, refresh, row)
            case Use.REPEATED:
                pair = _repeat(session, refresh)
            case Use.REUSED:
                _end_reused(identity)
        checkpoints.reach("refresh exchanged, not committed")
    if pair is None:
        raise SessionReusedError
    checkpoints.reach("refresh committed, not answered")
    return pair


def _use_after(spent_at: datetime | None) -> Use:
    """Return which use of a refresh token this is, by the moment when it was spent, read under the session's lock."""
    if spent_at is None:
        return Use.FIRST
    grace = timedelta(seconds=settings.ENVIRONMENT.jwt_refresh_grace)
    return Use.REPEATED if grace and utc_now() - spent_at <= grace else Use.REUSED


def _spend(session: Session, refresh: RefreshToken, row: OutstandingToken) -> TokenPair:
    access = _access_of(session, refresh)
    now = utc_now()
    session.expires_at = _expiry_of(session, now)
    # Not cut to the session's lifetime: its use after that must be told apart from an expired token.
    expires_at = now + timedelta(seconds=settings.ENVIRONMENT.jwt_refresh_lifetime)
    become_successor(refresh, issued_at=now, expires_at=expires_at)
    encoded = str(refresh)
    refresh_rows.spend(session, row, refresh, encoded, now)
    return TokenPair(access=access, refresh=encoded)


def _repeat(session: Session, refresh: RefreshToken) -> TokenPair:
    """Sign the successor again, with a new access token. Raises TokenError if an older version made the successor."""
    successor = OutstandingToken.objects.filter(jti=successor_jti(refresh["jti"])).first()
    if successor is None:
        raise TokenError("Token is blacklisted")
    access = _access_of(session, refresh)
    assert successor.created_at is not None
    become_successor(refresh, issued_at=successor.created_at, expires_at=successor.expires_at)
    security.record("refresh", "repeated", user_id=session.user_id, session_id=session.pk)
    return TokenPair(access=access, refresh=str(refresh))


def _end_reused(identity: Identity) -> None:
    session_revoke(session_id=identity.session_id)
    security.record("refresh", "reused", user_id=identity.user_id, session_id=identity.session_id)


def session_revoke(*, session_id: UUID) -> bool:
    """Sign out: no token of the session is accepted any more and its connections are closed.

    Return False if it had ended before.
    """
    return bool(_revoke(Session.objects.filter(pk=session_id)))


@whole_transaction
def session_end(*, encoded_refresh: str) -> None:
    """End the session of a refresh token, also of a spent one: the answer with its successor may have been lost.

    Raises SessionReusedError after the grace of a spent token, and TokenError for an invalid token or an ended session.
    """
    token = PresentedRefreshToken(encoded_refresh)  # type: ignore[arg-type]
    identity = identity_of(token)
    with transaction.atomic():
        # Lock the session first, as session_rotate does; the other order would deadlock.
        session = Session.objects.select_for_update().filter(pk=identity.session_id).first()
        if session is None or session.revoked_at is not None:
            raise TokenError("Token is revoked")
        _, spent_at = refresh_rows.stored(token)
        reused = _use_after(spent_at) is Use.REUSED
        if reused:
            _end_reused(identity)
        else:
            token.blacklist()
            session_revoke(session_id=identity.session_id)
            ids = {"user_id": identity.user_id, "session_id": identity.session_id}
            security.record("revocation", "sign_out", **ids)
    if reused:
        raise SessionReusedError


@whole_transaction
def user_set_active(*, user_id: UUID, active: bool) -> None:
    """Activate or deactivate a user.

    Deactivating closes all connections of the user and ends the sessions, so that activating again revives none.
    """
    with transaction.atomic():
        changed = User.objects.filter(pk=user_id, is_active=not active).update(is_active=active)
        if changed and not active:
            _begin_epoch(user_id)
            sessions = Session.objects.filter(user_id=user_id, revoked_at=None).select_for_update().order_by("pk")
            ids = list(sessions.values_list("pk", flat=True))
            Session.objects.filter(pk__in=ids).update(revoked_at=utc_now())
            revocations.record(revocations.Kind.USER, subject=user_id)
            security.record("revocation", "deactivated", user_id=user_id)


def user_set_staff(*, user_id: UUID, staff: bool) -> None:
    """Grant or remove the staff right. Removing it closes the connections that need it."""
    _change_rights(user_id, is_staff=staff)


def user_set_role(*, user_id: UUID, role: str) -> None:
    """Set the role. Removing the admin role closes the connections that need it."""
    _change_rights(user_id, role=role)


@whole_transaction
def _change_rights(user_id: UUID, **fields: object) -> None:
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user_id)
        before = user.effective_role
        for name, value in fields.items():
            setattr(user, name, value)
        user.save(update_fields=list(fields))
        if before == Role.ADMIN and user.effective_role != Role.ADMIN:
            revocations.record(revocations.Kind.STAFF, subject=user_id)
            security.record("revocation", "staff_right", user_id=user_id)


@whole_transaction
def user_set_password(*, user_id: UUID, password: str | None) -> None:
    """Set the password and sign the user out everywhere. With ``None`` no password works.

    Raises ValidationError for a password that AUTH_PASSWORD_VALIDATORS reject.
    """
    with transaction.atomic():
        user = User.objects.filter(pk=user_id).first()
        if user is not None:
            _check_password(password, user)
            User.objects.filter(pk=user_id).update(password=make_password(password))
            _end_all(user_id)
            security.record("revocation", "password", user_id=user_id)


@whole_transaction
def user_sign_out(*, user_id: UUID) -> int:
    """End every session of the user, also at the admin, and so close every connection.

    Return the number of sessions, without those of the admin. A session that expired within the leeway counts: its
    refresh token is still accepted.
    """
    with transaction.atomic():
        ended = _end_all(user_id)
        security.record("revocation", "sign_out_everywhere", user_id=user_id)
    return ended


def _end_all(user_id: UUID) -> int:
    accepted = utc_now() - timedelta(seconds=settings.ENVIRONMENT.jwt_leeway)
    _begin_epoch(user_id)
    return _revoke(Session.objects.filter(user_id=user_id, expires_at__gt=accepted))


def _begin_epoch(user_id: UUID) -> None:
    """End the user's sessions at the admin, and sign-ins that are under way. Locks the user."""
    User.objects.filter(pk=user_id).update(session_epoch=F("session_epoch") + 1)


@whole_transaction
def _revoke(sessions: QuerySet[Session]) -> int:
    """Revoke sessions. Return how many were not revoked before.

    All sessions are locked, in one order, before the first revocation locks the shared counter. Locking one session
    after the other would deadlock with a sign-out of the second.
    """
    with transaction.atomic():
        unrevoked = sessions.filter(revoked_at=None).select_for_update().order_by("pk")
        ids = list(unrevoked.values_list("pk", flat=True))
        Session.objects.filter(pk__in=ids).update(revoked_at=utc_now())
        for session_id in ids:
            revocations.record(revocations.Kind.SESSION, subject=session_id)
    return len(ids)


@whole_transaction
def user_delete(*, user_id: UUID) -> None:
    """Delete a user and close the connections. Raises ProtectedError while bookings refer to the user."""
    with transaction.atomic():
        User.objects.filter(pk=user_id).delete()
        revocations.record(revocations.Kind.USER, subject=user_id)
        security.record("revocation", "deleted", user_id=user_id)


@whole_transaction
def ticket_issue(*, identity: Identity) -> IssuedTicket:
    """Issue a single-use secret for the URL of a connection, valid for ``TICKET_LIFETIME`` seconds."""
    secret = TICKET_PREFIX + secrets.token_urlsafe(32)
    lifetime = settings.ENVIRONMENT.ticket_lifetime
    Ticket.objects.create(
        digest=_digest(secret),
        session_id=identity.session_id,
        token_expires_at=identity.expires_at,
        expires_at=utc_now() + timedelta(seconds=lifetime),
    )
    return IssuedTicket(ticket=secret, expires_in=int(lifetime))


@whole_transaction
def ticket_claim(*, secret: str) -> Identity | None:
    """Spend a ticket with one conditional UPDATE: of two simultaneous claims, one gets None."""
    now = utc_now()
    digest = _digest(secret)
    if not Ticket.objects.filter(digest=digest, used_at=None, expires_at__gt=now).update(used_at=now):
        return None
    row: tuple[UUID, UUID, datetime] = Ticket.objects.values_list(
        "session__user_id", "session_id", "token_expires_at"
    ).get(digest=digest)
    return Identity(user_id=row[0], session_id=row[1], expires_at=row[2])


def notification_seq_advance(*, counts: Mapping[UUID, int]) -> dict[UUID, int]:
    """Reserve ``counts`` numbers for each user; returns the first of each.

    The users' rows are locked in id order, so that no two calls deadlock.
    """
    first = {}
    for user_id in sorted(counts):
        key = User._meta.pk.get_db_prep_value(user_id, connection)
        for (newest,) in prepared.execute(_ADVANCE, [counts[user_id], key]):
            first[user_id] = newest - counts[user_id] + 1
    return first


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
