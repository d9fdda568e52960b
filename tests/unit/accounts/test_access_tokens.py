"""A valid access token is checked once and recognized until it expires; nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from rest_framework_simplejwt.exceptions import TokenError

from hunarmitra.accounts.access_tokens import KnownTokens, read_access_token
from hunarmitra.accounts.tokens import AccessToken, Identity, token_backend

EXPIRES = 1_000.0
LEEWAY = 5.0


class Checked:
    """Counts the full checks. A token that begins with "bad" is invalid."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def __call__(self, encoded: str) -> Identity:
        self.tokens.append(encoded)
        if encoded.startswith("bad"):
            raise TokenError("Token is invalid")
        return Identity(user_id=uuid4(), session_id=uuid4(), expires_at=datetime.fromtimestamp(EXPIRES, tz=UTC))


def known_tokens(checked: Callable[[str], Identity], now: list[float], most: int = 10) -> KnownTokens:
    return KnownTokens(checked, LEEWAY, most=most, clock=lambda: now[0])


def issued() -> str:
    token = AccessToken()
    token["user_id"], token["sid"] = str(uuid4()), str(uuid4())
    return str(token)


def test_a_valid_token_is_checked_once() -> None:
    checked = Checked()
    known = known_tokens(checked, [0.0])
    assert known.identity("a") is known.identity("a")
    assert known.identity("b") != known.identity("a")
    assert checked.tokens == ["a", "b"]


def test_an_invalid_token_is_checked_each_time() -> None:
    checked = Checked()
    known = known_tokens(checked, [0.0])
    for _ in range(2):
        with pytest.raises(TokenError):
            known.identity("bad")
    assert checked.tokens == ["bad", "bad"]


@pytest.mark.parametrize(("moment", "checks"), [(EXPIRES + LEEWAY - 0.01, 1), (EXPIRES + LEEWAY, 2)])
def test_an_expired_token_is_checked_again(moment: float, checks: int) -> None:
    checked, now = Checked(), [0.0]
    known = known_tokens(checked, now)
    known.identity("a")
    now[0] = moment
    known.identity("a")
    assert len(checked.tokens) == checks


def test_the_oldest_make_room() -> None:
    checked = Checked()
    known = known_tokens(checked, [0.0], most=2)
    for encoded in ("a", "b", "c", "c", "b", "a"):
        known.identity(encoded)
    assert checked.tokens == ["a", "b", "c", "a"]


def test_a_text_that_cannot_be_encoded_is_an_invalid_token() -> None:
    with pytest.raises(TokenError):
        read_access_token("\ud800")


def test_a_recognized_token_of_another_signature_is_invalid() -> None:
    encoded = issued()
    assert read_access_token(encoded) == read_access_token(encoded)
    signature = encoded.rpartition(".")[2]
    changed = encoded.removesuffix(signature) + ("A" if signature[0] != "A" else "B") + signature[1:]
    with pytest.raises(TokenError):
        read_access_token(changed)


def test_another_key_ring_recognizes_no_token_of_the_first() -> None:
    encoded = issued()
    identity = read_access_token(encoded)
    token_backend.cache_clear()
    try:
        again = read_access_token(encoded)
        assert again == identity
        assert again is not identity
    finally:
        token_backend.cache_clear()
