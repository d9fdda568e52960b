"""Limits of attempts to sign in: an attacker is refused, and locks nobody out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import httpx
import pytest

from hunarmitra.accounts.services import user_set_password
from tests.integration.rest.conftest import http_processes
from tests.support import web
from tests.support.actors import User, seed
from tests.support.redis import RedisServer
from tests.support.shell import Shell
from tests.support.stack import Stack

REQUESTS = 8
FAILURES = 3
FAILURES_OF_NAME = 9


@pytest.fixture(scope="module", params=["in memory", "redis"])
def limited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two processes that count in Redis, or one that counts for itself."""
    directory = tmp_path_factory.mktemp("limited")
    with ExitStack() as running:
        variables = {
            "THROTTLE_AUTH_PER_MINUTE": str(REQUESTS),
            "THROTTLE_LOGIN_PER_MINUTE": str(FAILURES),
            "THROTTLE_LOGIN_NAME_PER_HOUR": str(FAILURES_OF_NAME),
            "TRUSTED_PROXIES": "127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "tests.support.settings",  # fast password hashes
        }
        if request.param == "redis":
            variables["REDIS_URL"] = running.enter_context(RedisServer(directory)).url
        yield running.enter_context(http_processes(directory, variables, count=2 if request.param == "redis" else 1))


@pytest.fixture
def victim(limited: Stack) -> User:
    return seed(limited, ["employer"])[0]


class Network:
    """Sign-in attempts from one address, to the processes in turn, with the cookies of one browser if it keeps them."""

    def __init__(self, stack: Stack, address: str, cookies: Mapping[str, str] | None = None) -> None:
        self._urls = stack.base_urls
        self._address = address
        self._number = 0
        self.cookies = dict(cookies or {})

    def attempt(self, username: str, password: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        self._number += 1
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = web.post(
            f"{self._urls[self._number % len(self._urls)]}/api/v1/auth/token/",
            json={"username": username, "password": password},
            headers={"X-Forwarded-For": self._address, "Cookie": cookie, **(headers or {})},
            timeout=60,
        )
        if answer.status_code == 429:
            assert answer.json() == {"detail": "Too many requests.", "code": "throttled"}
            assert int(answer.headers["Retry-After"]) >= 1
        return answer

    def status(self, username: str, password: str, headers: Mapping[str, str] | None = None) -> int:
        return self.attempt(username, password, headers).status_code

    def guesses(self, username: str, count: int) -> list[int]:
        return [self.status(username, f"guess-{number}") for number in range(count)]


def from_many_networks(stack: Stack, username: str, subnet: int) -> list[int]:
    """Guess from one network after the other, twice each, until the name has no failures left, and once more."""
    statuses = []
    for number in range(FAILURES_OF_NAME // 2 + 2):
        statuses += Network(stack, f"198.51.{subnet}.{number}").guesses(username, 2)
    return statuses


def device_cookie(answer: httpx.Response) -> dict[str, str]:
    [header] = [text for text in answer.headers.get_list("set-cookie") if "device" in text]
    name, _, rest = header.partition("=")
    value, *attributes = [part.strip() for part in rest.split(";")]
    assert name == "__Host-hunarmitra-device"
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=Strict", "Max-Age=15552000"} <= set(attributes)
    assert not [attribute for attribute in attributes if attribute.startswith("Domain")]
    return {name: value}


def test_an_attacker_who_is_refused_uses_up_nothing_of_the_victims(limited: Stack, victim: User) -> None:
    attacker = Network(limited, "203.0.113.7")
    statuses = attacker.guesses(victim.username, 40)
    assert statuses[:FAILURES] == [401] * FAILURES
    assert set(statuses[FAILURES:]) <= {401, 429}
    assert statuses.count(401) < FAILURES_OF_NAME, "a refused attempt is not one of the name"
    assert attacker.status(victim.username, victim.password) == 429, "guessed right too late"
    assert Network(limited, "203.0.113.8").status(victim.username, victim.password) == 200
    # Its requests come back with time, one in 7.5 s.
    assert 429 in attacker.guesses("another-name", 2 * REQUESTS), "the address has used up its requests"


def test_a_network_of_version_6_is_one_network(limited: Stack, victim: User) -> None:
    for number in range(FAILURES):
        assert Network(limited, f"2001:db8:0:7::{number + 1}").guesses(victim.username, 1) == [401]
    assert Network(limited, "2001:db8:0:7:ffff::2").status(victim.username, victim.password) == 429
    assert Network(limited, "2001:db8:0:8::1").status(victim.username, victim.password) == 200


def test_each_further_failure_doubles_the_wait_and_a_success_ends_it(limited: Stack, victim: User) -> None:
    network = Network(limited, "203.0.113.17")
    assert network.guesses(victim.username, FAILURES - 1) == [401] * (FAILURES - 1)
    assert network.status(victim.username, victim.password) == 200
    assert network.guesses(victim.username, FAILURES) == [401] * FAILURES, "the failures before were forgotten"
    first = network.attempt(victim.username, "guess")
    assert first.status_code == 429
    assert 60 / FAILURES - 10 < int(first.headers["Retry-After"]) <= 60 / FAILURES


def test_a_known_device_signs_in_while_the_name_is_guessed_from_everywhere(limited: Stack, victim: User) -> None:
    home = Network(limited, "192.0.2.1")
    home.cookies = device_cookie(home.attempt(victim.username, victim.password))
    app = Network(limited, "192.0.2.2")
    answer = app.attempt(victim.username, victim.password, {"Device-Token": ""})
    assert not answer.headers.get_list("set-cookie"), "one way, or the other"
    device = {"Device-Token": answer.headers["Device-Token"]}

    statuses = from_many_networks(limited, victim.username, subnet=100)
    assert statuses[:FAILURES_OF_NAME] == [401] * FAILURES_OF_NAME
    assert set(statuses[FAILURES_OF_NAME:]) == {429}
    assert Network(limited, "192.0.2.77").status(victim.username, victim.password) == 429, "a device that is new"

    on_the_road = Network(limited, "192.0.2.78", home.cookies)
    assert on_the_road.status(victim.username, victim.password) == 200
    assert Network(limited, "192.0.2.79").status(victim.username, victim.password, device) == 200
    forged = {"Device-Token": f"{device['Device-Token'][:-3]}abc"}
    assert Network(limited, "192.0.2.80").status(victim.username, victim.password, forged) == 429


def test_a_device_is_known_for_its_user_only_and_is_limited_itself(limited: Stack, victim: User) -> None:
    other = seed(limited, ["worker"])[0]
    thief = Network(limited, "192.0.2.101")
    thief.cookies = device_cookie(thief.attempt(other.username, other.password))
    assert from_many_networks(limited, victim.username, subnet=101)[-1] == 429
    assert thief.status(victim.username, victim.password) == 429, "the device of another user"
    stolen = Network(limited, "192.0.2.102", thief.cookies)
    assert stolen.guesses(other.username, FAILURES + 1) == [*[401] * FAILURES, 429]
    assert Network(limited, "192.0.2.103", thief.cookies).status(other.username, other.password) == 429
    assert Network(limited, "192.0.2.104").status(other.username, other.password) == 200, "not by this device"


def test_a_changed_password_forgets_the_devices(limited: Stack, victim: User) -> None:
    home = Network(limited, "192.0.2.111")
    home.cookies = device_cookie(home.attempt(victim.username, victim.password))
    with Shell(limited, SERVICES="http") as shell:
        shell.call(user_set_password, user_id=victim.id, password="quite-another-pass")
    assert from_many_networks(limited, victim.username, subnet=102)[-1] == 429
    assert home.status(victim.username, "quite-another-pass") == 429


def test_unknown_names_are_treated_like_known_ones(limited: Stack, victim: User) -> None:
    known, unknown = (
        Network(limited, f"203.0.113.{number}").guesses(name, FAILURES + 2)
        for number, name in ((31, victim.username), (32, f"{victim.username}-unknown"))
    )
    assert known == unknown == [*[401] * FAILURES, 429, 429]
    log = limited.log_text()
    assert f"security event: sign_in limited (user_id {victim.id}, address 203.0.113.31)" in log
    assert "security event: sign_in limited (address 203.0.113.32)" in log
    assert from_many_networks(limited, f"{victim.username}-unknown", subnet=103)[-1] == 429
