"""The database keeps hashes of refresh tokens: a copy of it lets nobody sign in."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from io import StringIO
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from hunarmitra.accounts import retention, services
from hunarmitra.accounts.tokens import PresentedRefreshToken, RefreshToken, stored_form
from hunarmitra.common.clock import utc_now
from tests.services.people import People

MIGRATION = import_module("hunarmitra.accounts.migrations.0002_hashed_refresh_tokens")


def assert_no_row_is_usable(*, rows: int) -> None:
    stored = list(OutstandingToken.objects.values_list("token", flat=True))
    assert len(stored) == rows
    for text in stored:
        assert text.startswith("sha256:")
        with pytest.raises(TokenError):
            PresentedRefreshToken(text)  # type: ignore[arg-type]


def stored_in_plain_text(people: People) -> str:
    """Return a refresh token whose row is as version 0.1 wrote it."""
    encoded = services.session_start(user=people.owner).refresh
    OutstandingToken.objects.filter(token=stored_form(encoded)).update(token=encoded)
    assert OutstandingToken.objects.filter(token=encoded).exists()
    return encoded


def test_sign_in_and_refresh_store_hashes(people: People) -> None:
    first = services.session_start(user=people.owner)
    assert_no_row_is_usable(rows=1)
    second = services.session_rotate(encoded_refresh=first.refresh)
    assert services.session_rotate(encoded_refresh=first.refresh).refresh == second.refresh, "a repeat"
    assert_no_row_is_usable(rows=2)
    assert {stored_form(pair.refresh) for pair in (first, second)} == set(
        OutstandingToken.objects.values_list("token", flat=True)
    )


def test_a_sign_out_stores_hashes_also_of_a_token_without_row(people: People) -> None:
    pair = services.session_start(user=people.owner)
    OutstandingToken.objects.all().delete()
    services.session_end(encoded_refresh=pair.refresh)
    assert_no_row_is_usable(rows=1)
    assert BlacklistedToken.objects.count() == 1


def test_a_token_for_a_user_stores_a_hash(people: People) -> None:
    token = RefreshToken.for_user(people.owner)
    assert_no_row_is_usable(rows=1)
    row = OutstandingToken.objects.get()
    assert (row.user, row.jti, int(row.expires_at.timestamp())) == (people.owner, token["jti"], token["exp"])


def test_the_migration_hashes_every_batch_and_may_run_again(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MIGRATION, "BATCH", 2)
    encoded = [stored_in_plain_text(people) for _ in range(5)]
    hashed = services.session_start(user=people.owner).refresh
    for _ in range(2):
        MIGRATION.hash_tokens(apps, SimpleNamespace(connection=connection))
        assert_no_row_is_usable(rows=6)
        assert set(OutstandingToken.objects.values_list("token", flat=True)) == {
            stored_form(each) for each in [*encoded, hashed]
        }
    assert services.session_rotate(encoded_refresh=encoded[0]).refresh, "its session continues"


def test_prune_hashes_what_old_pods_stored_after_the_migration(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    encoded = [stored_in_plain_text(people) for _ in range(5)]
    dry = StringIO()
    call_command("prune", "--dry-run", stdout=dry)
    assert "refresh tokens in plain text: would hash 5 " in dry.getvalue()
    assert OutstandingToken.objects.filter(token__in=encoded).count() == 5, "a dry run changes nothing"
    done = StringIO()
    call_command("prune", stdout=done)
    assert "refresh tokens in plain text: hashed 5 " in done.getvalue()
    assert "sessions: deleted 0 " in done.getvalue()
    assert_no_row_is_usable(rows=5)
    second = services.session_rotate(encoded_refresh=encoded[0])
    BlacklistedToken.objects.update(blacklisted_at=utc_now() - timedelta(seconds=29))
    assert services.session_rotate(encoded_refresh=encoded[0]).refresh == second.refresh
