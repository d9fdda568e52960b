"""A refresh token that is used again: the same successor within the grace, the end of the session after it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from hunarmitra.accounts import selectors, services
from hunarmitra.accounts.access_tokens import read_access_token
from hunarmitra.accounts.models import Session
from hunarmitra.accounts.results import SessionReusedError, TokenPair
from hunarmitra.accounts.tokens import token_backend
from hunarmitra.common.clock import utc_now
from hunarmitra.outbox.models import Revocation
from hunarmitra.telemetry import security
from tests.services.conftest import CommittedBlock, RecordingLayer
from tests.services.people import People


def counted(event: str, outcome: str) -> float:
    labels = {"event": event, "outcome": outcome}
    return security.REGISTRY.get_sample_value("hunarmitra_security_events_total", labels) or 0.0


def spent_before(seconds: float) -> None:
    """Every spent token was spent so long ago."""
    BlacklistedToken.objects.update(blacklisted_at=utc_now() - timedelta(seconds=seconds))


def is_alive(pair: TokenPair) -> bool:
    return selectors.user_of_session(read_access_token(pair.access)) is not None


def rotated(people: People) -> tuple[TokenPair, TokenPair]:
    first = services.session_start(user=people.owner)
    return first, services.session_rotate(encoded_refresh=first.refresh)


def test_a_repeat_returns_the_same_refresh_token(people: People) -> None:
    first, second = rotated(people)
    for age in (0, 29):
        spent_before(age)
        again = services.session_rotate(encoded_refresh=first.refresh)
        assert again.refresh == second.refresh
        assert is_alive(again)
    assert (OutstandingToken.objects.count(), BlacklistedToken.objects.count()) == (2, 1), (
        "rotated and blacklisted once"
    )


def test_the_moment_of_the_first_use_is_read_once(people: People) -> None:
    first, _ = rotated(people)
    with CaptureQueriesContext(connection) as asked:
        services.session_rotate(encoded_refresh=first.refresh)
    reads = [
        query["sql"] for query in asked if query["sql"].startswith("SELECT") and "blacklistedtoken" in query["sql"]
    ]
    assert len(reads) == 1, reads


def test_a_repeat_of_an_exchange_that_took_long_returns_the_same_refresh_token(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request began in another second than its token was issued in."""
    first = services.session_start(user=people.owner)
    later = utc_now() + timedelta(seconds=2)
    with monkeypatch.context() as patched:
        patched.setattr(services, "utc_now", lambda: later)
        second = services.session_rotate(encoded_refresh=first.refresh)
    assert services.session_rotate(encoded_refresh=first.refresh).refresh == second.refresh


def test_a_repeat_returns_it_also_when_it_was_used_meanwhile(people: People) -> None:
    """A proxy that sends a request twice must not end the session."""
    first, second = rotated(people)
    third = services.session_rotate(encoded_refresh=second.refresh)
    assert services.session_rotate(encoded_refresh=first.refresh).refresh == second.refresh
    assert services.session_rotate(encoded_refresh=second.refresh).refresh == third.refresh
    assert is_alive(third)


@pytest.mark.parametrize("use", [services.session_rotate, services.session_end], ids=["refresh", "sign out"])
def test_a_later_use_ends_the_session_and_is_told(
    people: People,
    use: Callable[..., object],
    layer: RecordingLayer,
    committed: CommittedBlock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = rotated(people)
    session = read_access_token(second.access).session_id
    spent_before(31)
    before = counted("refresh", "reused")
    with committed(), pytest.raises(SessionReusedError):
        use(encoded_refresh=first.refresh)
    assert not is_alive(second)
    with pytest.raises(TokenError, match="revoked"):
        services.session_rotate(encoded_refresh=second.refresh)
    assert [(row.kind, row.subject) for row in Revocation.objects.all()] == [("session", session)]
    assert [message.channel for message in layer.take()] == ["control"], "connections close as for a logout"
    assert counted("refresh", "reused") == before + 1
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    ids = {"user_id": str(people.owner.pk), "session_id": str(session)}
    assert vars(record)["fields"] == {"event": "refresh", "outcome": "reused", **ids}


def test_an_ended_session_is_not_ended_again(people: People) -> None:
    first, _ = rotated(people)
    spent_before(31)
    with pytest.raises(SessionReusedError):
        services.session_rotate(encoded_refresh=first.refresh)
    with pytest.raises(TokenError, match="revoked") as caught:
        services.session_rotate(encoded_refresh=first.refresh)
    assert not isinstance(caught.value, SessionReusedError)
    assert Revocation.objects.count() == 1


def test_signing_out_with_a_token_just_spent_ends_the_session(people: People) -> None:
    first, second = rotated(people)
    services.session_end(encoded_refresh=first.refresh)
    assert not is_alive(second)
    with pytest.raises(TokenError):
        services.session_rotate(encoded_refresh=first.refresh)


def test_without_a_grace_a_repeat_ends_the_session(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, jwt_refresh_grace=0.0))
    first, second = rotated(people)
    with pytest.raises(SessionReusedError):
        services.session_rotate(encoded_refresh=first.refresh)
    assert not is_alive(second)


def test_a_successor_of_an_older_version_is_rejected_without_an_end(people: People) -> None:
    """Its id does not follow from the spent token."""
    first, second = rotated(people)
    OutstandingToken.objects.filter(blacklistedtoken=None).update(jti="0" * 32)
    with pytest.raises(TokenError) as caught:
        services.session_rotate(encoded_refresh=first.refresh)
    assert not isinstance(caught.value, SessionReusedError)
    assert is_alive(second)
    assert Session.objects.get().revoked_at is None


def test_the_successor_expires_when_its_row_says(people: People) -> None:
    """The pruning of tokens goes by the row."""
    _, second = rotated(people)
    row = OutstandingToken.objects.get(blacklistedtoken=None)
    claims = token_backend().decode(second.refresh)
    assert (claims["jti"], claims["exp"]) == (row.jti, int(row.expires_at.timestamp()))
    assert row.created_at is not None
    assert claims["iat"] == int(row.created_at.timestamp())
