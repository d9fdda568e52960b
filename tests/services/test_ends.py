"""What ends all sessions of a user: their epoch, their absolute lifetime, and the rules for new passwords."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from rest_framework_simplejwt.exceptions import TokenError

from hunarmitra.accounts import retention, selectors, services
from hunarmitra.accounts.access_tokens import read_access_token
from hunarmitra.accounts.models import Session, User
from hunarmitra.accounts.results import SessionExpiredError, SessionsEndedError, TokenPair
from hunarmitra.common.clock import utc_now
from tests.services.people import People


def age(seconds: float) -> None:
    """Let every session have begun so much earlier."""
    Session.objects.update(created_at=utc_now() - timedelta(seconds=seconds))


def expiry(encoded: str) -> int:
    return int(jwt.decode(encoded, options={"verify_signature": False})["exp"])


def is_alive(pair: TokenPair) -> bool:
    return selectors.user_of_session(read_access_token(pair.access)) is not None


@pytest.mark.parametrize(
    "end",
    [
        lambda user: services.user_sign_out(user_id=user.pk),
        lambda user: services.user_set_password(user_id=user.pk, password="another-pass"),
        lambda user: services.user_set_password(user_id=user.pk, password=None),
        lambda user: [services.user_set_active(user_id=user.pk, active=active) for active in (False, True)],
    ],
    ids=["sign out everywhere", "password", "no password", "deactivated and activated"],
)
def test_a_browser_at_the_admin_and_a_sign_in_under_way_belong_to_an_epoch(people: People, end: object) -> None:
    user = User.objects.get(pk=people.staff.pk)
    before = user.get_session_auth_hash()
    end(user)  # type: ignore[operator]
    assert User.objects.get(pk=user.pk).get_session_auth_hash() != before
    with pytest.raises(SessionsEndedError):
        services.session_start(user=user)
    assert is_alive(services.session_start(user=User.objects.get(pk=user.pk)))


def test_the_first_epoch_has_djangos_own_hash(people: People) -> None:
    """Pods of version 0.1 compare it during an upgrade."""
    assert people.staff.get_session_auth_hash() == super(User, people.staff).get_session_auth_hash()


def test_a_deactivated_user_gets_no_session(people: People) -> None:
    services.user_set_active(user_id=people.owner.pk, active=False)
    User.objects.update(session_epoch=0)
    with pytest.raises(SessionsEndedError):
        services.session_start(user=people.owner)


def test_refreshing_does_not_prolong_a_session_beyond_its_lifetime(people: People) -> None:
    lifetime = settings.ENVIRONMENT.session_lifetime
    first = services.session_start(user=people.owner)
    age(lifetime - 100)
    second = services.session_rotate(encoded_refresh=first.refresh)
    session = Session.objects.get()
    end = session.created_at + timedelta(seconds=lifetime)
    assert session.expires_at == end
    assert expiry(second.access) == int(end.timestamp()), "connections close with it"
    assert services.session_rotate(encoded_refresh=first.refresh).refresh == second.refresh, "a repeated request"
    age(lifetime)
    with pytest.raises(SessionExpiredError):
        services.session_rotate(encoded_refresh=second.refresh)


def test_a_shorter_lifetime_is_obeyed_at_once_by_refreshes(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = services.session_start(user=people.owner)
    age(3601)
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, session_lifetime=3600.0))
    with pytest.raises(SessionExpiredError):
        services.session_rotate(encoded_refresh=pair.refresh)


def test_a_session_at_its_end_is_kept_until_its_refresh_tokens_expire(people: People) -> None:
    """Its user gets the code that tells why."""
    pair = services.session_start(user=people.owner)
    lifetime = settings.ENVIRONMENT.session_lifetime
    now = utc_now()
    last = lifetime + settings.ENVIRONMENT.jwt_refresh_lifetime - 1
    for seconds in (lifetime + 1, last):
        begun = now - timedelta(seconds=seconds)
        Session.objects.update(created_at=begun, expires_at=begun + timedelta(seconds=lifetime))
        assert retention.sessions_prune(now=now, dry_run=False) == 0
        with pytest.raises(SessionExpiredError):
            services.session_rotate(encoded_refresh=pair.refresh)
    Session.objects.update(created_at=now - timedelta(seconds=last + 2))
    assert retention.sessions_prune(now=now, dry_run=False) == 1
    with pytest.raises(TokenError) as caught:
        services.session_rotate(encoded_refresh=pair.refresh)
    assert not isinstance(caught.value, SessionExpiredError)


@pytest.mark.parametrize("password", ["short", "password123", "owner-owner"], ids=["short", "common", "like the name"])
def test_weak_passwords_are_rejected(people: People, password: str) -> None:
    User.objects.filter(pk=people.owner.pk).update(username="owner-owner")
    pair = services.session_start(user=people.owner)
    with pytest.raises(ValidationError) as error:
        services.user_set_password(user_id=people.owner.pk, password=password)
    assert set(error.value.message_dict) == {"password"}
    assert is_alive(pair), "nothing changed"
    with pytest.raises(ValidationError) as error:
        services.user_create(username="owner-owner2", password=password, name="New")
    assert set(error.value.message_dict) == {"password"}
    assert not User.objects.filter(username="owner-owner2").exists()
