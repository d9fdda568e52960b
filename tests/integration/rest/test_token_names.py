"""`iss` and `aud` of tokens, and the names of cookies, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jwt
import pytest

from hunarmitra.accounts.keys import KeyRing
from tests.integration.rest.conftest import http_processes
from tests.integration.rest.test_admin import Browser
from tests.support.actors import Actor, User, seed
from tests.support.api import Api
from tests.support.stack import Stack

Claims = dict[str, object]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    variables = {"JWT_ISSUER": "ours,ours-before", "JWT_AUDIENCE": "app,app-before"}
    with http_processes(tmp_path_factory.mktemp("named"), variables) as stack:
        yield stack


@pytest.fixture(scope="module")
def user(named: Stack) -> User:
    return seed(named, ["employer"])[0]


def claims_of(token: str) -> Claims:
    return jwt.decode(token, options={"verify_signature": False})


def test_all_tokens_have_the_first_names_also_after_an_exchange(named: Stack, user: User) -> None:
    with closing(Actor(named.base_url, user)) as actor:
        for _ in range(2):
            for token in (actor.token, actor.refresh_token):
                claims = claims_of(token)
                assert (claims["iss"], claims["aud"]) == ("ours", "app")
            actor.me()
            actor.refresh()


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_wrong_names_are_rejected_and_missing_ones_accepted(named: Stack, user: User, kind: str) -> None:
    ring = KeyRing.from_settings("", "", named.environment["SECRET_KEY"])
    with closing(Actor(named.base_url, user)) as actor, closing(Api(named.base_url)) as nobody:

        def status(**changes: object) -> int:
            claims = claims_of(actor.token if kind == "access" else actor.refresh_token) | changes
            token = ring.encode({name: value for name, value in claims.items() if value is not None})
            if kind == "access":
                nobody.token = token
                return nobody.send("GET", "users/me/").status_code
            return nobody.send("POST", "auth/verify/", {"token": token}).status_code

        assert status() == 200
        assert status(iss="ours-before", aud=["other", "app-before"]) == 200
        assert status(iss=None, aud=None) == 200, "as older versions issued them"
        wrong: list[Claims] = [
            {"iss": "theirs"}, {"iss": ""},
            {"aud": "theirs"}, {"aud": []}, {"aud": ["theirs"]}, {"aud": 1}, {"aud": {"app": 1}}, {"aud": [["app"]]},
        ]  # fmt: skip
        assert [(changes, status(**changes)) for changes in wrong] == [(changes, 401) for changes in wrong]


def test_cookies_of_the_admin_are_those_of_this_host_only(named: Stack) -> None:
    with closing(Browser(named.base_url)) as browser:
        browser.sign_in(seed(named, ["admin"])[0])
        assert set(browser._cookies) == {"__Host-sessionid", "__Host-csrftoken", "__Host-hunarmitra-device"}
        for header in browser.set_cookies:
            assert "Path=/" in header
            assert "Secure" in header
            assert "Domain" not in header
        browser.page("/admin/bookings/booking/")


def test_in_development_cookies_work_without_tls(tmp_path: Path) -> None:
    """Browsers drop cookies with the prefix that come without TLS."""
    with http_processes(tmp_path, {"DEBUG": "1"}) as stack, closing(Browser(stack.base_url, secure=False)) as browser:
        browser.sign_in(seed(stack, ["admin"])[0])
        assert set(browser._cookies) == {"sessionid", "csrftoken", "hunarmitra-device"}
        assert not [header for header in browser.set_cookies if "Secure" in header]
