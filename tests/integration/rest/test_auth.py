"""Tokens: how they are got, exchanged, verified and given back, and which are refused."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import jwt
import pytest

from hunarmitra.accounts.keys import KeyRing
from hunarmitra.accounts.services import user_delete, user_set_active
from tests.support.actors import Actor, User, seed
from tests.support.api import Api
from tests.support.shell import Shell
from tests.support.stack import Stack

pytestmark = pytest.mark.either_shape


@pytest.fixture
def user(stack: Stack, shell: Shell) -> User:
    return seed(stack, ["employer"], shell=shell)[0]


@pytest.fixture
def actor(stack: Stack, user: User) -> Iterator[Actor]:
    with closing(Actor(stack.base_url, user)) as signed_in:
        yield signed_in


def refused(api: Api, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The body of a 401, which must name the scheme too."""
    answer = api.send(method, path, body)
    assert answer.status_code == 401, answer.text
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    error: dict[str, Any] = answer.json()
    assert set(error) == {"detail", "code"}
    return error


def as_bearer(nobody: Api, token: str) -> int:
    nobody.token = token
    try:
        return nobody.send("GET", "users/me/").status_code
    finally:
        nobody.token = ""


# ── signing in and out ────────────────────────────────────────────────────────────────────────────────────────
def test_signing_in_gives_a_pair_of_tokens_of_one_session(nobody: Api, user: User) -> None:
    tokens = nobody.call("POST", "auth/token/", {"username": user.username, "password": user.password})
    assert set(tokens) == {"access", "refresh"}
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens.values()]
    assert [claim["token_type"] for claim in claims] == ["access", "refresh"]
    assert claims[0]["sid"] == claims[1]["sid"]
    assert {claim["user_id"] for claim in claims} == {user.id}
    assert as_bearer(nobody, tokens["access"]) == 200


def test_wrong_unknown_and_deactivated_get_the_same_answer(nobody: Api, user: User, shell: Shell) -> None:
    wrong = refused(nobody, "POST", "auth/token/", {"username": user.username, "password": "wrong"})
    assert wrong["code"] == "no_active_account"
    unknown = refused(nobody, "POST", "auth/token/", {"username": "nobody", "password": user.password})
    shell.call(user_set_active, user_id=user.id, active=False)
    inactive = refused(nobody, "POST", "auth/token/", {"username": user.username, "password": user.password})
    assert wrong == unknown == inactive


def test_a_password_is_taken_as_it_is(nobody: Api, user: User) -> None:
    for password in (f" {user.password}", f"{user.password} "):
        refused(nobody, "POST", "auth/token/", {"username": user.username, "password": password})


def test_a_refresh_token_is_exchanged_once_and_its_access_tokens_live_on(actor: Actor, nobody: Api) -> None:
    spent, access = actor.refresh_token, actor.token
    tokens = actor.refresh()
    assert set(tokens) == {"access", "refresh"}
    assert as_bearer(nobody, access) == as_bearer(nobody, tokens["access"]) == 200
    sessions = {jwt.decode(token, options={"verify_signature": False})["sid"] for token in (access, *tokens.values())}
    assert len(sessions) == 1
    assert refused(nobody, "POST", "auth/verify/", {"token": spent})["code"] == "token_not_valid"
    assert nobody.call("POST", "auth/refresh/", {"refresh": spent})["refresh"] == tokens["refresh"], "spent, not again"


def test_simultaneous_exchanges_get_one_successor(actor: Actor, nobody: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(actor.send, "POST", "auth/refresh/", {"refresh": actor.refresh_token}) for _ in range(8)]
        answers = [future.result() for future in futures]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh"] for answer in answers}) == 1
    assert {as_bearer(nobody, answer.json()["access"]) for answer in answers} == {200}


def test_a_repeat_after_the_grace_ends_the_session(actor: Actor, nobody: Api, shell: Shell, stack: Stack) -> None:
    with closing(Actor(stack.base_url, actor.user)) as other_device:
        spent = actor.refresh_token
        tokens = actor.refresh()
        age_spent_tokens(shell, actor.id)
        assert refused(nobody, "POST", "auth/refresh/", {"refresh": spent})["code"] == "session_reused"
        assert as_bearer(nobody, tokens["access"]) == 401
        assert refused(nobody, "POST", "auth/refresh/", {"refresh": tokens["refresh"]})["code"] == "token_not_valid"
        assert other_device.me(), "another session of the user"
    log = stack.log_text()
    assert f"security event: refresh reused (user_id {actor.id}, session_id " in log
    assert "address 127.0.0.1)" in log


def age_spent_tokens(shell: Shell, user_id: str) -> None:
    """Let the grace of the user's spent refresh tokens pass."""
    shell.call(spend_earlier, user_id=user_id)


def spend_earlier(user_id: str) -> None:
    from datetime import timedelta

    from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

    from hunarmitra.common.clock import utc_now

    spent = BlacklistedToken.objects.filter(token__user_id=user_id)
    spent.update(blacklisted_at=utc_now() - timedelta(seconds=31))


def test_verify_tells_whether_a_token_holds(actor: Actor, nobody: Api) -> None:
    for token in (actor.token, actor.refresh_token):
        assert nobody.call("POST", "auth/verify/", {"token": token}) == {}
    assert refused(nobody, "POST", "auth/verify/", {"token": "x"})["code"] == "token_not_valid"
    actor.logout()
    for token in (actor.token, actor.refresh_token):
        assert refused(nobody, "POST", "auth/verify/", {"token": token})["code"] == "token_not_valid"


def test_signing_out_ends_this_session_and_no_other(actor: Actor, nobody: Api, stack: Stack) -> None:
    with closing(Actor(stack.base_url, actor.user)) as other_device:
        answer = actor.send("POST", "auth/logout/", {"refresh": actor.refresh_token})
        assert (answer.status_code, answer.content) == (205, b"")
        assert refused(actor, "GET", "users/me/")["code"] == "token_not_valid"
        for path in ("auth/refresh/", "auth/logout/"):
            assert refused(nobody, "POST", path, {"refresh": actor.refresh_token})["code"] == "token_not_valid"
        assert other_device.me()["id"] == actor.id
        other_device.refresh()


def test_tokens_of_deactivated_and_deleted_users_are_refused(actor: Actor, nobody: Api, shell: Shell) -> None:
    for end, arguments in ((user_set_active, {"active": False}), (user_delete, {})):
        shell.call(end, user_id=actor.id, **arguments)
        assert refused(actor, "GET", "users/me/")["code"] == "token_not_valid"
        assert refused(nobody, "POST", "auth/verify/", {"token": actor.token})
        assert refused(nobody, "POST", "auth/refresh/", {"refresh": actor.refresh_token})


# ── invalid tokens ──────────────────────────────────────────────────────────────────────────────────────────
def test_each_kind_of_token_is_good_for_its_own_use_only(actor: Actor, nobody: Api) -> None:
    assert as_bearer(nobody, actor.refresh_token) == 401
    for path in ("auth/refresh/", "auth/logout/"):
        assert refused(nobody, "POST", path, {"refresh": actor.token})["code"] == "token_not_valid"
    assert actor.me(), "and nothing was signed out"


def test_forged_tokens_are_refused(actor: Actor, nobody: Api, stack: Stack) -> None:
    claims = jwt.decode(actor.token, options={"verify_signature": False})
    header, payload, signature = actor.token.split(".")
    ring = KeyRing.from_settings("", "", stack.environment["SECRET_KEY"])
    assert as_bearer(nobody, ring.encode(claims)) == 200, "this test signs as the server does"

    def none(kid: dict[str, str]) -> str:
        encoded = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", **kid}).encode()).rstrip(b"=")
        return f"{encoded.decode()}.{payload}."

    stranger = {**claims, "user_id": str(uuid.uuid4())}
    forged = {
        "alg none": none({}),
        "alg none with the key's id": none({"kid": "default"}),
        "no signature": f"{header}.{payload}.",
        "another payload": f"{header}.{base64.urlsafe_b64encode(json.dumps(stranger).encode()).decode()}.{signature}",
        "another key": jwt.encode(claims, secrets.token_bytes(32), "HS256", headers={"kid": "default"}),
        "an unknown key's id": jwt.encode(claims, secrets.token_bytes(32), "HS256", headers={"kid": "new"}),
        "another algorithm": jwt.encode(claims, secrets.token_bytes(64), "HS512", headers={"kid": "default"}),
        "an unknown session": ring.encode({**claims, "sid": str(uuid.uuid4())}),
        "another user's session": ring.encode(stranger),
        "no session": ring.encode({name: value for name, value in claims.items() if name != "sid"}),
        "no expiry": ring.encode({name: value for name, value in claims.items() if name != "exp"}),
        "no type": ring.encode({name: value for name, value in claims.items() if name != "token_type"}),
        "expired": ring.encode({**claims, "exp": int(time.time()) - 11}),
        "an endless expiry": ring.encode({**claims, "exp": 10**30}),
        "a user that is not a UUID": ring.encode({**claims, "user_id": ["x"]}),
        "not a token": "x.y.z",
        "very long": "a" * 4000,
    }
    accepted = [name for name, token in forged.items() if as_bearer(nobody, token) != 401]
    assert not accepted
    verified = [
        name
        for name, token in forged.items()
        if nobody.send("POST", "auth/verify/", {"token": token}).status_code != 401
    ]
    assert not verified
    within_leeway = ring.encode({**claims, "exp": int(time.time()) - 1})
    assert as_bearer(nobody, within_leeway) == 200


@pytest.mark.parametrize("value", [b"Bearer", b"Bearer a b", b"Basic eDp5", b"Token x", b"Bearer \xff\xfe", b""])
def test_any_other_authorization_header_is_401(nobody: Api, value: bytes) -> None:
    headers: dict[str, Any] = {"Authorization": value}
    answer = nobody.send("GET", "users/me/", headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"detail", "code"}


def test_no_token_is_in_any_log(actor: Actor, nobody: Api, stack: Stack) -> None:
    actor.refresh()
    nobody.call("POST", "auth/verify/", {"token": actor.token})
    refused(nobody, "POST", "auth/refresh/", {"refresh": actor.token})
    nobody.send("POST", "auth/refresh/", [actor.refresh_token])
    nobody.send("GET", f"users/me/?token={actor.token}")
    log = stack.log_text()
    assert actor.token not in log
    assert actor.refresh_token not in log
