"""Every end of a user's sessions ends all of them: tokens of REST, refresh tokens, and the browser at the admin."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from hunarmitra.accounts.services import user_set_active
from tests.integration.rest.test_admin import TOKEN, Browser
from tests.support.actors import Actor, seed
from tests.support.shell import Shell
from tests.support.stack import Stack
from tests.support.surroundings import clean_environment
from tests.support.terminal import terminal


@dataclass
class Everywhere:
    """A member of staff, signed in over REST and in a browser, and another one who ends that."""

    person: Actor
    browser: Browser
    other: Browser
    stack: Stack
    shell: Shell

    def is_signed_in(self) -> list[bool]:
        """Whether the access token, the refresh token and the browser are accepted. Asks for the first two first."""
        access = self.person.send("GET", "users/me/").status_code
        refresh = self.person.send("POST", "auth/refresh/", {"refresh": self.person.refresh_token}).status_code
        browser = self.browser.request("GET", "/admin/bookings/booking/").status_code
        assert {access, refresh} <= {200, 401}
        assert browser in (200, 302)
        return [access == 200, refresh == 200, browser == 200]


@pytest.fixture
def everywhere(stack: Stack, shell: Shell) -> Iterator[Everywhere]:
    user, other = seed(stack, ["admin", "admin"], sign_in=True)
    with ExitStack() as opened:
        person = Actor(stack.base_url, user)
        opened.callback(person.close)
        browsers = [Browser(stack.base_url) for _ in range(2)]
        for browser, owner in zip(browsers, (user, other), strict=True):
            opened.callback(browser.close)
            browser.sign_in(owner)
        yield Everywhere(person, browsers[0], browsers[1], stack, shell)


def _sign_out_everywhere(everywhere: Everywhere) -> None:
    token = TOKEN.findall(everywhere.other.page("/admin/accounts/user/"))[0]
    data = {"csrfmiddlewaretoken": token, "action": "sign_out", "_selected_action": everywhere.person.id}
    assert everywhere.other.request("POST", "/admin/accounts/user/", data).status_code == 302


def _password_in_the_admin(everywhere: Everywhere) -> None:
    password = secrets.token_urlsafe(12)
    path = f"/admin/accounts/user/{everywhere.person.id}/password/"
    assert everywhere.other.submit(path, password1=password, password2=password).status_code == 302


def _deactivated_and_activated(everywhere: Everywhere) -> None:
    for active in (False, True):
        everywhere.shell.call(user_set_active, user_id=everywhere.person.id, active=active)


def _changepassword(everywhere: Everywhere) -> None:
    username, password = everywhere.person.user.username, secrets.token_urlsafe(12)
    command = [sys.executable, "manage.py", "changepassword", username]
    with terminal(command, clean_environment({**everywhere.stack.environment, "SERVICES": "http"})) as asking:
        for typed, answer in (("12345678", "too common.\r\nPassword: "), (password, "of this user have ended.")):
            asking.wait_for("Password: ")
            asking.type(typed)
            asking.wait_for("(again): ")
            asking.text = ""
            asking.type(typed)
            asking.wait_for(answer)
    user = replace(everywhere.person.user, password=password, access="", refresh="")
    again = Actor(everywhere.stack.base_url, user)
    again.close()


@pytest.mark.parametrize(
    "end",
    [_sign_out_everywhere, _password_in_the_admin, _deactivated_and_activated, _changepassword],
    ids=lambda end: end.__name__.strip("_"),
)
def test_it_ends_all(everywhere: Everywhere, end: Callable[[Everywhere], None]) -> None:
    everywhere.browser.page("/admin/bookings/booking/")
    assert everywhere.person.me()
    end(everywhere)
    assert everywhere.is_signed_in() == [False, False, False]


def test_a_session_ends_at_its_longest_duration_however_often_it_was_refreshed(
    everywhere: Everywhere, shell: Shell
) -> None:
    person = everywhere.person
    person.refresh()
    shell.call(begin_earlier, user_id=person.id, days=90)
    error = person.refresh(expect=401)
    assert error == {
        "detail": "This session has reached its longest duration; sign in again",
        "code": "session_expired",
    }
    person.me(expect=401)
    person.sign_in()
    person.me()


def begin_earlier(user_id: str, days: int) -> None:
    """Move the begin of the user's sessions, and what follows from it, into the past."""
    from datetime import timedelta

    from django.db.models import F

    from hunarmitra.accounts.models import Session

    sessions = Session.objects.filter(user_id=user_id)
    sessions.update(created_at=F("created_at") - timedelta(days=days), expires_at=F("created_at"))
