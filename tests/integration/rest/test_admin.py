"""Django's admin for support staff, in a browser's place: cookies and forms over HTTP."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from typing import Any

import httpx
import pytest

from hunarmitra.accounts.services import user_set_staff
from tests.support import web
from tests.support.actors import Actor, Actors, User, seed
from tests.support.shell import Shell
from tests.support.stack import Stack

pytestmark = pytest.mark.either_shape

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
FIELD = re.compile(r'<input [^>]*name="([^"]+)"[^>]*>')
KIND = re.compile(r'type="([^"]*)"')
VALUE = re.compile(r'value="([^"]*)"')
SELECTED = re.compile(r'<select name="([^"]+)"[^>]*>.*?</select>', re.DOTALL)
CHOSEN = re.compile(r'<option value="([^"]*)" selected>')


class Browser:
    """Sends cookies although they are for TLS only, and fills in forms as they come."""

    def __init__(self, base_url: str, *, secure: bool = True) -> None:
        self._secure = secure
        self.set_cookies: list[str] = []
        self._http = httpx.Client(base_url=base_url, trust_env=False, timeout=30, verify=web.CONTEXT)
        self._cookies: dict[str, str] = {}

    def close(self) -> None:
        self._http.close()

    def request(self, method: str, path: str, data: dict[str, Any] | None = None) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        answer = self._http.request(method, path, data=data, headers={"Cookie": cookie})
        for header in answer.headers.get_list("set-cookie"):
            assert "Secure" in header or "Max-Age=0" in header or not self._secure, "cookies are for TLS only"
            self.set_cookies.append(header)
            name, _, rest = header.partition("=")
            self._cookies[name] = rest.partition(";")[0]
        return answer

    def page(self, path: str, expect: int = 200) -> str:
        answer = self.request("GET", path)
        assert answer.status_code == expect, (path, answer.status_code)
        return answer.text

    def submit(self, path: str, without: tuple[str, ...] = (), **changes: Any) -> httpx.Response:
        """Post the form of a page as it came, with some changes."""
        text = self.page(path)
        found = TOKEN.search(text)
        assert found, path
        data: dict[str, Any] = {}
        for match in FIELD.finditer(text):
            tag, name = match[0], match[1]
            kind = KIND.search(tag)
            if kind and (
                kind[1] in {"submit", "search"} or (kind[1] in {"checkbox", "radio"} and "checked" not in tag)
            ):
                continue
            value = VALUE.search(tag)
            data[name] = unescape(value[1]) if value else ""
            if 'type="checkbox"' in tag:
                data[name] = "on"
        for match in SELECTED.finditer(text):
            if chosen := CHOSEN.findall(match[0]):
                data[match[1]] = chosen
        data |= {"csrfmiddlewaretoken": found[1], "_save": "Save", **changes}
        return self.request("POST", path, {name: value for name, value in data.items() if name not in without})

    def sign_in(self, user: User) -> None:
        answer = self.submit("/admin/login/", username=user.username, password=user.password)
        assert answer.status_code == 302, answer.text


@pytest.fixture
def browser(stack: Stack, actors: Actors) -> Iterator[Browser]:
    """Signed in as the administrator."""
    with closing(Browser(stack.base_url)) as opened:
        opened.sign_in(actors.admin.user)
        yield opened


@pytest.fixture
def support(stack: Stack, shell: Shell) -> Iterator[Browser]:
    """Signed in as staff of the group that only reads."""
    with closing(_staff(stack, shell, "Dispatchers")) as opened:
        yield opened


def _staff(stack: Stack, shell: Shell, *groups: str) -> Browser:
    user = seed(stack, ["employer"], shell=shell)[0]
    shell.call(user_set_staff, user_id=user.id, staff=True)
    shell.call(join_groups, user_id=user.id, groups=groups)
    browser = Browser(stack.base_url)
    browser.sign_in(user)
    return browser


def join_groups(user_id: str, groups: list[str]) -> None:
    from django.contrib.auth.models import Group

    from hunarmitra.accounts.models import User

    User.objects.get(pk=user_id).groups.set(Group.objects.filter(name__in=groups))


@pytest.fixture
def person(stack: Stack, shell: Shell) -> Iterator[Actor]:
    with closing(Actor(stack.base_url, seed(stack, ["worker"], shell=shell)[0])) as signed_in:
        yield signed_in


def test_every_page_loads_with_its_style(browser: Browser) -> None:
    index = browser.page("/admin/")
    for path in ("accounts/user/", "bookings/booking/", "notifications/notification/", "auth/group/"):
        assert f'href="/admin/{path}"' in index
        browser.page(f"/admin/{path}")
    browser.page("/admin/accounts/user/add/")
    browser.page("/admin/password_change/")
    browser.page("/static/admin/css/base.css")
    assert browser.request("GET", "/admin").headers["Location"] == "/admin/"
    browser.page("/admin/x/", expect=404)


def test_simplejwts_tables_of_tokens_are_not_there(browser: Browser) -> None:
    assert "token_blacklist" not in browser.page("/admin/")
    for table in ("outstandingtoken", "blacklistedtoken"):
        browser.page(f"/admin/token_blacklist/{table}/", expect=404)


def test_a_booking_shows_its_history_and_nothing_of_it_can_be_changed(
    browser: Browser, support: Browser, actors: Actors
) -> None:
    booking_id = actors.new_booking("arrived")
    before = actors.employer.booking(booking_id), actors.employer.events(booking_id)
    for reader in (browser, support):
        page = reader.page(f"/admin/bookings/booking/{booking_id}/change/")
        for event in before[1]["results"]:
            assert event["event_type"] in page
        assert actors.worker.user.name in page
        assert 'name="_save"' not in page
        assert "deletelink" not in page
        assert f"/admin/bookings/booking/{booking_id}/change/" in reader.page(
            f"/admin/bookings/booking/?q={booking_id}"
        )
        reader.page("/admin/bookings/booking/add/", expect=403)
        reader.page(f"/admin/bookings/booking/{booking_id}/delete/", expect=403)
        token = {"csrfmiddlewaretoken": TOKEN.findall(reader.page("/admin/bookings/booking/"))[0]}
        changed = reader.request(
            "POST", f"/admin/bookings/booking/{booking_id}/change/", {**token, "status": "cancelled"}
        )
        assert changed.status_code == 403
        action = {**token, "action": "delete_selected", "_selected_action": booking_id, "post": "yes"}
        reader.request("POST", "/admin/bookings/booking/", action)
    assert (actors.employer.booking(booking_id), actors.employer.events(booking_id)) == before


def test_deactivating_a_user_ends_their_sessions_and_is_announced(
    browser: Browser, person: Actor, shell: Shell
) -> None:
    path = f"/admin/accounts/user/{person.id}/change/"
    assert browser.submit(path, without=("is_active",)).status_code == 302
    assert person.send("GET", "users/me/").status_code == 401
    assert shell.call(revocations_of, user_id=person.id) == ["user"]
    assert browser.submit(path, is_active="on").status_code == 302
    assert person.send("GET", "users/me/").status_code == 401, "the session has ended"
    person.sign_in()
    assert person.me()


def revocations_of(user_id: str) -> list[str]:
    """Return the kinds of the revocations of a user and of the user's sessions, in order."""
    from hunarmitra.accounts.models import Session
    from hunarmitra.outbox.models import Revocation

    sessions = Session.objects.filter(user_id=user_id).values_list("pk", flat=True)
    return [row.kind for row in Revocation.objects.filter(subject__in=[user_id, *sessions]).order_by("number")]


def notification_seq(user_id: str) -> int:
    from hunarmitra.accounts.models import User

    return User.objects.get(pk=user_id).notification_seq


def test_rights_that_are_taken_away_are_announced(browser: Browser, person: Actor, shell: Shell) -> None:
    path = f"/admin/accounts/user/{person.id}/change/"
    assert browser.submit(path, is_staff="on").status_code == 302
    assert person.me()["role"] == "admin"
    assert browser.submit(path, without=("is_staff",)).status_code == 302
    assert person.me()["role"] == "worker"
    assert browser.submit(path, role="admin").status_code == 302
    assert browser.submit(path, role="employer").status_code == 302
    assert person.me()["role"] == "employer"
    assert shell.call(revocations_of, user_id=person.id) == ["staff", "staff"]


def test_a_changed_name_writes_nothing_else(browser: Browser, person: Actor, actors: Actors, shell: Shell) -> None:
    """The form was made before a notification was numbered, and is saved after it."""
    path = f"/admin/accounts/user/{person.id}/change/"
    text = browser.page(path)
    actors.admin.assign(actors.new_booking("requested"), person.id)
    token = TOKEN.findall(text)[0]
    data = {"csrfmiddlewaretoken": token, "username": person.user.username, "name": "New Name", "role": "worker",
            "is_active": "on", "phone": "", "email": "", "_save": "Save"}  # fmt: skip
    assert browser.request("POST", path, data).status_code == 302
    assert person.me()["name"] == "New Name"
    newest = shell.call(notification_seq, user_id=person.id)
    assert newest == person.notifications()["results"][0]["seq"] > 0


def test_a_changed_password_signs_out_everywhere(browser: Browser, person: Actor, stack: Stack) -> None:
    password = secrets.token_urlsafe(12)
    path = f"/admin/accounts/user/{person.id}/password/"
    answer = browser.submit(path, password1=password, password2=password)
    assert answer.status_code == 302, answer.text
    assert person.send("GET", "users/me/").status_code == 401
    assert person.send("POST", "auth/refresh/", {"refresh": person.refresh_token}).status_code == 401
    with closing(Actor(stack.base_url, User(**{**vars(person.user), "password": password}))) as again:
        assert again.me()["id"] == person.id


def test_ones_own_password_can_be_changed_and_the_browser_stays_signed_in(stack: Stack) -> None:
    with closing(Actor(stack.base_url, seed(stack, ["admin"])[0])) as admin, closing(Browser(stack.base_url)) as own:
        own.sign_in(admin.user)
        new = secrets.token_urlsafe(12)
        passwords = {"old_password": admin.user.password, "new_password1": new, "new_password2": new}
        answer = own.submit("/admin/password_change/", **{**passwords, "old_password": "wrong"})  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert admin.me()
        assert own.submit("/admin/password_change/", **passwords).status_code == 302  # type: ignore[arg-type]
        own.page("/admin/bookings/booking/")
        assert admin.send("GET", "users/me/").status_code == 401


def test_signing_out_and_deactivating_chosen_users(browser: Browser, person: Actor, shell: Shell) -> None:
    for action, kinds in (("sign_out", ["session"]), ("deactivate", ["session", "user"])):
        page = browser.page("/admin/accounts/user/")
        data = {"csrfmiddlewaretoken": TOKEN.findall(page)[0], "action": action, "_selected_action": person.id}
        assert browser.request("POST", "/admin/accounts/user/", data).status_code == 302
        assert person.send("GET", "users/me/").status_code == 401
        assert shell.call(revocations_of, user_id=person.id) == kinds
        if action == "sign_out":
            person.sign_in()


def test_a_new_user_can_sign_in(browser: Browser, stack: Stack) -> None:
    name, password = f"new-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    answer = browser.submit(
        "/admin/accounts/user/add/", username=name, name="New One", role="worker", password1=password,
        password2=password, usable_password="true",
    )  # fmt: skip
    assert answer.status_code == 302, answer.text
    with closing(Actor(stack.base_url, User("", name, password, "New One", "worker"))) as actor:
        assert actor.me()["role"] == "worker"


def test_staff_without_permissions_read_nobodys_data(stack: Stack, shell: Shell, actors: Actors) -> None:
    booking_id = actors.new_booking("arrived")
    with closing(_staff(stack, shell)) as nobody:
        assert "/admin/bookings/" not in nobody.page("/admin/")
        for path in (
            "bookings/booking/",
            f"bookings/booking/{booking_id}/change/",
            "notifications/notification/",
            "accounts/user/",
            f"accounts/user/{actors.worker.id}/change/",
            "auth/group/",
        ):
            nobody.page(f"/admin/{path}", expect=403)


def test_dispatchers_read_notifications_and_grant_no_rights(support: Browser) -> None:
    support.page("/admin/notifications/notification/")
    support.page("/admin/auth/group/", expect=403)


@pytest.mark.parametrize("name", ["New\x1bOne", "New\u202eOne"], ids=ascii)
def test_a_name_with_hidden_characters_is_rejected(browser: Browser, person: Actor, name: str) -> None:
    path = f"/admin/accounts/user/{person.id}/change/"
    answer = browser.submit(path, name=name)
    assert answer.status_code == 200
    assert f"Contains the character U+{ord(name[3]):04X}" in answer.text
    assert person.me()["name"] == person.user.name


def test_dispatchers_read_users_and_change_none(support: Browser, person: Actor) -> None:
    page = support.page(f"/admin/accounts/user/{person.id}/change/")
    assert person.user.name in page
    assert 'name="_save"' not in page
    support.page(f"/admin/accounts/user/{person.id}/password/", expect=403)
    support.page("/admin/accounts/user/add/", expect=403)
    support.page(f"/admin/accounts/user/{person.id}/delete/", expect=403)


def test_who_is_no_staff_is_not_let_in(stack: Stack, person: Actor) -> None:
    with closing(Browser(stack.base_url)) as opened:
        answer = opened.submit("/admin/login/", username=person.user.username, password=person.user.password)
        assert answer.status_code == 200
        assert opened.request("GET", "/admin/bookings/booking/").status_code == 302
