"""Security events of real servers: who did what from where, without names and secrets; and the admin's log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.rest.test_admin import TOKEN, Browser
from tests.support.actors import Actor, seed
from tests.support.api import Api
from tests.support.stack import Stack


@pytest.fixture
def person(stack: Stack) -> Iterator[Actor]:
    with closing(Actor(stack.base_url, seed(stack, ["worker"])[0])) as signed_in:
        yield signed_in


def events_of(stack: Stack, user_id: str) -> list[str]:
    """Return the events of a user in order, without ids and address, which each line has."""
    found = []
    for line in stack.log_text().splitlines():
        _, begin, event = line.partition("security event: ")
        if begin and f"user_id {user_id}" in event:
            assert "address 127.0.0.1" in event
            found.append(event.partition(" (")[0])
    return found


def test_sign_ins_and_a_sign_out_are_recorded_without_names_and_passwords(
    stack: Stack, person: Actor, nobody: Api
) -> None:
    wrong = {"username": person.user.username, "password": "wrong-password-of-this-test"}
    nobody.call("POST", "auth/token/", wrong, expect=401)
    nobody.call("POST", "auth/token/", {**wrong, "username": "password-in-the-name"}, expect=401)
    with closing(Browser(stack.base_url)) as browser:
        for password in (wrong["password"], person.user.password):
            browser.submit("/admin/login/", username=person.user.username, password=password)
    person.logout()
    assert events_of(stack, person.id) == [
        "sign_in accepted",
        "sign_in rejected",
        "admin_sign_in rejected",
        "admin_sign_in rejected",
        "revocation sign_out",
    ]
    log = stack.log_text()
    assert "security event: sign_in rejected (address 127.0.0.1)" in log, "a name that does not exist"
    events = [line for line in log.splitlines() if "security event" in line]
    for secret in (person.user.username, person.user.name, "password-in-the-name", *wrong.values()):
        assert not [line for line in events if secret in line], secret
    assert f"security event: sign_in accepted (user_id {person.id}, session_id " in log


def test_what_staff_do_is_recorded_and_in_the_history_of_the_user(stack: Stack, person: Actor) -> None:
    admin = seed(stack, ["admin"])[0]
    path = f"/admin/accounts/user/{person.id}"
    with closing(Browser(stack.base_url)) as browser:
        browser.sign_in(admin)
        assert browser.submit(f"{path}/change/", name="Another Name").status_code == 302
        for action in ("sign_out", "deactivate"):
            token = TOKEN.findall(browser.page("/admin/accounts/user/"))[0]
            data = {"csrfmiddlewaretoken": token, "action": action, "_selected_action": person.id}
            assert browser.request("POST", "/admin/accounts/user/", data).status_code == 302
        history = browser.page(f"{path}/history/")
    assert "Changed Name." in history
    assert "Signed out everywhere." in history
    assert "Deactivated." in history
    assert events_of(stack, admin.id) == [
        "admin_sign_in accepted",
        "staff_action change",
        "staff_action sign_out",
        "staff_action deactivate",
    ]
    assert events_of(stack, person.id)[1:] == ["revocation sign_out_everywhere", "revocation deactivated"]
    assert f"staff_action deactivate (user_id {admin.id}, target user, target_id {person.id}, " in stack.log_text()
