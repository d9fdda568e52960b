"""The second factor of staff at the admin, in a browser's place: cookies and forms over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.integration.rest.conftest import http_processes
from tests.integration.rest.test_admin import TOKEN, Browser
from tests.integration.rest.test_security_events import events_of
from tests.support.actors import Actor, User, seed
from tests.support.shell import Shell
from tests.support.stack import Stack
from tests.support.totp import totp

pytestmark = pytest.mark.either_shape

PAGE = "/admin/second-factor/"
LOGIN = "/admin/login/"
SECRET = re.compile(r'<code id="secret">([A-Z2-7 ]+)</code>')
RECOVERY_CODE = re.compile(r"\b(?:[a-z2-7]{4}-){5}[a-z2-7]{4}\b")


@pytest.fixture
def staff(stack: Stack, shell: Shell) -> User:
    return seed(stack, ["admin"], shell=shell)[0]


@pytest.fixture
def browser(stack: Stack, staff: User) -> Iterator[Browser]:
    """Signed in with the password alone."""
    with closing(Browser(stack.base_url)) as opened:
        opened.sign_in(staff)
        yield opened


def set_up(browser: Browser, user: User) -> tuple[str, list[str]]:
    """Set up the second factor; return its secret and the recovery codes. The code of this moment is used up."""
    secret = shown_secret(browser)
    answer = browser.submit(PAGE, password=user.password, code=totp(secret))
    codes = RECOVERY_CODE.findall(answer.text)
    assert (answer.status_code, len(codes)) == (200, 8), answer.text
    return secret, codes


def shown_secret(browser: Browser) -> str:
    found = SECRET.search(browser.page(PAGE))
    assert found
    return found[1]


def attempt(stack: Stack, user: User, code: str, password: str | None = None) -> httpx.Response:
    """Sign in from a new browser."""
    with closing(Browser(stack.base_url)) as opened:
        return opened.submit(LOGIN, username=user.username, password=password or user.password, code=code)


def is_let_in(answer: httpx.Response) -> bool:
    assert answer.status_code in {200, 302}, answer.text
    return answer.status_code == 302


def test_who_has_set_it_up_signs_in_with_a_code_that_works_once(stack: Stack, browser: Browser, staff: User) -> None:
    secret = shown_secret(browser)
    first = totp(secret)
    assert "recovery codes" in browser.submit(PAGE, password=staff.password, code=first).text
    browser.page("/admin/bookings/booking/")
    assert not is_let_in(attempt(stack, staff, ""))
    assert not is_let_in(attempt(stack, staff, first)), "this code has set it up"
    following = totp(secret, steps=1)
    with closing(Browser(stack.base_url)) as other:
        answer = other.submit(LOGIN, username=staff.username, password=staff.password, code=following)
        assert is_let_in(answer)
        other.page("/admin/bookings/booking/")
    assert not is_let_in(attempt(stack, staff, following))


def test_a_wrong_code_looks_like_a_wrong_password(stack: Stack, browser: Browser, staff: User) -> None:
    secret, _ = set_up(browser, staff)
    following = totp(secret, steps=1)
    wrong_code, wrong_password = attempt(stack, staff, "000000"), attempt(stack, staff, following, "wrong-password")
    texts = [TOKEN.sub("", answer.text) for answer in (wrong_code, wrong_password)]
    assert texts[0] == texts[1]
    assert "Each code works once." in texts[0]
    assert is_let_in(attempt(stack, staff, following)), "a wrong password uses up no code"


def test_of_simultaneous_uses_of_a_code_one_is_let_in(stack: Stack, browser: Browser, staff: User) -> None:
    secret, codes = set_up(browser, staff)
    for code in (totp(secret, steps=1), codes[0]):
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(lambda _, code=code: attempt(stack, staff, code), range(6)))
        assert [is_let_in(answer) for answer in answers].count(True) == 1


def test_the_device_ends_sessions_that_began_without_it(stack: Stack, browser: Browser, staff: User) -> None:
    with closing(Browser(stack.base_url)) as other, closing(Actor(stack.base_url, staff)) as over_rest:
        other.sign_in(staff)
        set_up(browser, staff)
        assert other.request("GET", "/admin/").status_code == 302
        assert over_rest.send("GET", "users/me/").status_code == 401
        over_rest.sign_in()
        assert over_rest.me(), "REST asks for no code"
    browser.page("/admin/")


def test_a_recovery_code_replaces_a_code_once(stack: Stack, browser: Browser, staff: User) -> None:
    _, codes = set_up(browser, staff)
    assert is_let_in(attempt(stack, staff, codes[0].upper()))
    assert not is_let_in(attempt(stack, staff, codes[0]))
    assert "7 recovery codes are left" in browser.page(PAGE)


def test_the_page_changes_nothing_without_the_password(stack: Stack, browser: Browser, staff: User) -> None:
    secret = shown_secret(browser)
    answer = browser.submit(PAGE, password="wrong-password", code=totp(secret))
    assert "The password is wrong." in answer.text
    assert not RECOVERY_CODE.search(answer.text)
    answer = browser.submit(PAGE, password=staff.password, code="000000")
    assert "This is not the code of now." in answer.text
    assert is_let_in(attempt(stack, staff, ""))
    secret, codes = set_up(browser, staff)
    for password, code in (("wrong-password", codes[0]), (staff.password, "000000")):
        for button in ({"codes": "x"}, {"remove": "x"}):
            answer = browser.submit(PAGE, (), password=password, code=code, **button)
            assert "The password or the code is wrong." in answer.text
            assert not RECOVERY_CODE.search(answer.text)
    assert not is_let_in(attempt(stack, staff, ""))
    assert is_let_in(attempt(stack, staff, codes[0])), "a wrong password uses up no code"


def test_new_recovery_codes_and_the_end_of_the_second_factor(stack: Stack, browser: Browser, staff: User) -> None:
    secret, old = set_up(browser, staff)
    answer = browser.submit(PAGE, password=staff.password, code=old[0], codes="x")
    new = RECOVERY_CODE.findall(answer.text)
    assert len(new) == 8
    assert not is_let_in(attempt(stack, staff, old[1]))
    answer = browser.submit(PAGE, password=staff.password, code=totp(secret, steps=1), remove="x")
    assert "The second factor is removed." in answer.text
    browser.page("/admin/")
    assert is_let_in(attempt(stack, staff, ""))


def test_the_pages_of_django_otp_are_not_there(browser: Browser) -> None:
    assert "otp_totp" not in browser.page("/admin/")
    browser.page("/admin/otp_totp/totpdevice/", expect=404)


def test_a_superuser_removes_it_for_a_lost_device(stack: Stack, shell: Shell, browser: Browser, staff: User) -> None:
    lost = seed(stack, ["admin"], shell=shell)[0]
    path = f"/admin/accounts/user/{lost.id}/change/"
    with closing(Browser(stack.base_url)) as other:
        other.sign_in(lost)
        set_up(other, lost)
        assert "8 recovery codes left" in browser.page(path)
        set_up(browser, staff)
        token = TOKEN.findall(browser.page("/admin/accounts/user/"))[0]
        chosen = [lost.id, staff.id]
        data = {"csrfmiddlewaretoken": token, "action": "remove_second_factor", "_selected_action": chosen}
        assert browser.request("POST", "/admin/accounts/user/", data).status_code == 302
        assert other.request("GET", "/admin/").status_code == 302, "the session has ended"
    assert is_let_in(attempt(stack, lost, ""))
    assert not is_let_in(attempt(stack, staff, "")), "one's own is removed on the page, with the password"
    assert "Removed the second factor." in browser.page(f"/admin/accounts/user/{lost.id}/history/")
    assert "staff_action second_factor" in events_of(stack, staff.id)


def test_events_tell_a_wrong_code_from_a_wrong_password_and_no_secret(
    stack: Stack, browser: Browser, staff: User
) -> None:
    secret, codes = set_up(browser, staff)
    used = [totp(secret, steps=1), codes[0]]
    attempt(stack, staff, "000000")
    for code in used:
        assert is_let_in(attempt(stack, staff, code))
    assert events_of(stack, staff.id) == [
        "admin_sign_in accepted",
        "revocation sign_out_everywhere",
        "second_factor added",
        "admin_sign_in rejected",
        "admin_sign_in accepted",
        "second_factor recovery_code",
        "admin_sign_in accepted",
    ]
    log = stack.log_text()
    assert f"admin_sign_in rejected (user_id {staff.id}, failed second_factor, address 127.0.0.1)" in log
    for hidden in (secret.replace(" ", ""), secret, *codes):
        assert hidden not in log


@pytest.fixture(scope="module")
def required(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Staff need a second factor. Three failures are free."""
    variables = {
        "ADMIN_SECOND_FACTOR": "required",
        "THROTTLE_LOGIN_PER_MINUTE": "3",
        "DJANGO_SETTINGS_MODULE": "tests.support.settings",  # fast password hashes
    }
    with http_processes(tmp_path_factory.mktemp("required"), variables) as stack:
        yield stack


def test_where_it_is_required_staff_without_it_can_only_set_it_up(required: Stack) -> None:
    user = seed(required, ["admin"])[0]
    with closing(Browser(required.base_url)) as browser:
        browser.sign_in(user)
        for path in ("/admin/", "/admin/bookings/booking/", "/admin/password_change/", "/admin/accounts/user/"):
            answer = browser.request("GET", path)
            assert (answer.status_code, answer.headers["Location"]) == (302, f"{LOGIN}?next={path}")
            assert browser.request("GET", answer.headers["Location"]).headers["Location"] == PAGE
        assert "Bookings" not in browser.page(PAGE), "no names of pages either"
        token = TOKEN.findall(browser.page(PAGE))[0]
        assert browser.request("POST", "/admin/logout/", {"csrfmiddlewaretoken": token}).status_code == 200
        assert browser.request("GET", PAGE).status_code == 302
        browser.sign_in(user)
        secret, _ = set_up(browser, user)
        browser.page("/admin/bookings/booking/")
        answer = browser.submit(PAGE, password=user.password, code=totp(secret, steps=1), remove="x")
        assert "The second factor is removed." in answer.text
        assert browser.request("GET", "/admin/").status_code == 302


def test_codes_are_guessed_no_faster_than_passwords(required: Stack) -> None:
    user = seed(required, ["admin"])[0]
    with closing(Browser(required.base_url)) as browser:
        browser.sign_in(user)
        secret, _ = set_up(browser, user)
    statuses = [attempt(required, user, f"{number:06}").status_code for number in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = attempt(required, user, totp(secret, steps=1))
    assert answer.status_code == 429, "guessed right too late"
    assert 0 < int(answer.headers["Retry-After"]) <= 20


def test_the_page_needs_staff_and_has_the_same_limits(required: Stack) -> None:
    with closing(Browser(required.base_url)) as browser:
        assert browser.request("GET", PAGE).headers["Location"] == f"{LOGIN}?next={PAGE}"
        user = seed(required, ["admin"])[0]
        browser.sign_in(user)
        statuses = [browser.submit(PAGE, password="guess", code="000000").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]


def test_a_session_of_before_needs_the_code_that_is_asked_for_now(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The setting was off, and the user had a second factor all the same."""
    with ExitStack() as opened:
        off = opened.enter_context(http_processes(tmp_path_factory.mktemp("off"), {"ADMIN_SECOND_FACTOR": "off"}))
        same = {name: off.environment[name] for name in ("DATABASE_URL", "SECRET_KEY")}
        optional = opened.enter_context(http_processes(tmp_path_factory.mktemp("optional"), same))
        before, other, moved = (
            opened.enter_context(closing(Browser(stack.base_url))) for stack in (off, optional, optional)
        )
        user = seed(off, ["admin"])[0]
        assert 'name="code"' not in before.page(LOGIN)
        other.sign_in(user)
        _, codes = set_up(other, user)
        before.sign_in(user)
        before.page(PAGE, expect=404)
        before.page("/admin/bookings/booking/")
        moved._cookies = before._cookies
        assert moved.request("GET", "/admin/bookings/booking/").status_code == 302
        assert moved.request("GET", PAGE).status_code == 302
        answer = moved.submit(LOGIN, username=user.username, password=user.password, code=codes[0])
        assert is_let_in(answer)
        moved.page("/admin/bookings/booking/")
