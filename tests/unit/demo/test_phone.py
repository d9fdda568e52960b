"""The demo's phone with a scripted server: it stays signed in, waits as told, and reports problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from hunarmitra.demo import phone as module
from hunarmitra.demo.phone import RETRIES, Phone, PhoneError, RefusedError

Handler = Callable[[httpx.Request], httpx.Response]
TOKENS = {"access": "a1", "refresh": "r1"}


class Server:
    """Answers requests from a script; the last entry is repeated."""

    def __init__(self, *answers: httpx.Response | type[Exception]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("scripted")

    @property
    def paths(self) -> list[str]:
        return [request.url.path.removeprefix("/api/v1/") for request in self.requests]


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    recorded: list[float] = []
    monkeypatch.setattr("hunarmitra.demo.phone.time.sleep", recorded.append)
    return recorded


@pytest.fixture
def phone_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Handler], Phone]]:
    made: list[Phone] = []
    client = httpx.Client

    def make(handler: Handler) -> Phone:
        monkeypatch.setattr(
            "hunarmitra.demo.phone.httpx.Client",
            lambda **options: client(transport=httpx.MockTransport(handler), **options),
        )
        made.append(Phone("http://127.0.0.1:8000", "ravi", "pw"))
        return made[-1]

    yield make
    for phone in made:
        phone.__exit__(None, None, None)


def test_it_signs_in_and_carries_its_token(phone_of: Any) -> None:
    server = Server(answer(200, TOKENS), answer(200, {"seq": 3}))
    phone = phone_of(server)
    phone.sign_in()
    assert phone.get("bookings/1/") == {"seq": 3}
    assert "Authorization" not in server.requests[0].headers
    assert server.requests[1].headers["Authorization"] == "Bearer a1"


def test_an_expired_token_is_rotated_and_the_call_repeated(phone_of: Any) -> None:
    server = Server(
        answer(200, TOKENS), answer(401, {}), answer(200, {"access": "a2", "refresh": "r2"}), answer(200, {"ok": 1})
    )
    phone = phone_of(server)
    phone.sign_in()
    assert phone.post("tracking/1/", {"lat": 1, "lng": 2}) == {"ok": 1}
    assert server.paths == ["auth/token/", "tracking/1/", "auth/refresh/", "tracking/1/"]
    assert server.requests[3].headers["Authorization"] == "Bearer a2"


def test_a_refused_refresh_token_means_signing_in_anew(phone_of: Any) -> None:
    server = Server(answer(200, TOKENS), answer(401, {}), answer(401, {}), answer(200, TOKENS), answer(200, {"ok": 1}))
    phone = phone_of(server)
    phone.sign_in()
    assert phone.get("users/me/") == {"ok": 1}
    assert server.paths == ["auth/token/", "users/me/", "auth/refresh/", "auth/token/", "users/me/"]


def test_it_waits_as_long_as_a_429_says(phone_of: Any, pauses: list[float]) -> None:
    busy = {"detail": "Too soon.", "code": "throttled"}
    server = Server(answer(429, busy, **{"Retry-After": "2"}), answer(429, busy), answer(200, {"ok": 1}))
    assert phone_of(server).post("tracking/1/", {}) == {"ok": 1}
    assert pauses == [2.0, 1.0]


def test_a_server_that_is_away_for_a_moment_is_waited_for(phone_of: Any, pauses: list[float]) -> None:
    server = Server(httpx.ConnectError, httpx.ReadTimeout, answer(200, {"ok": 1}))
    assert phone_of(server).get("users/me/") == {"ok": 1}
    assert pauses == [1, 2]


def test_a_server_that_stays_away_is_named(phone_of: Any, pauses: list[float]) -> None:
    server = Server(httpx.ConnectError)
    phone = phone_of(server)
    with pytest.raises(PhoneError, match=r"No answer from http://127.0.0.1:8000 \(ConnectError\): is the server"):
        phone.get("users/me/")
    assert len(pauses) == RETRIES
    with pytest.raises(PhoneError, match="No answer"):
        phone.sign_in()
    assert len(pauses) == RETRIES, "signing in fails at once: the person is still there"


def test_a_wrong_password_and_a_foreign_server(phone_of: Any) -> None:
    with pytest.raises(PhoneError, match="does not know 'ravi' with this password"):
        phone_of(Server(answer(401, {"detail": "No.", "code": "no_active_account"}))).sign_in()
    for body in ({"hello": 1}, ["x"], None):
        with pytest.raises(PhoneError, match="answers, but not as HunarMitra does"):
            phone_of(Server(answer(200, body))).sign_in()
    with pytest.raises(RefusedError, match="The server answered 502: Bad Gateway"):
        phone_of(Server(httpx.Response(502, text="<html>"))).sign_in()


def test_a_refusal_carries_the_apis_code(phone_of: Any) -> None:
    server = Server(answer(409, {"detail": "The booking is cancelled.", "code": "illegal_transition"}))
    with pytest.raises(RefusedError, match="409: The booking is cancelled") as caught:
        phone_of(server).patch("bookings/1/status/", {"status": "arrived"})
    assert (caught.value.status, caught.value.code) == (409, "illegal_transition")


@pytest.mark.parametrize(
    ("base_url", "trusts"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("http://[::1]:8000", False),
        ("https://api.example.org", True),
        ("http://[", True),
    ],
)
def test_a_proxy_is_never_asked_for_this_machine_itself(base_url: str, trusts: bool) -> None:
    assert module._is_loopback(base_url) is not trusts
