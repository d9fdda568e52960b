"""A ws process that can verify tokens but not issue them: public keys, MESSAGE_KEYS, and no SECRET_KEY."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.support.actors import Actors
from tests.support.live import SETTINGS, join, rejection
from tests.support.postgres import PostgresServer
from tests.support.stack import Stack, distributed_stack

PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def verifying(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Stack]:
    variables: dict[str, Any] = {
        **SETTINGS,
        "JWT_KEYS": json.dumps([{"kid": "ed", "alg": "EdDSA", "private_key": PEM}]),
        "MESSAGE_KEYS": json.dumps([secrets.token_hex(32)]),
    }
    public = json.dumps([{"kid": "ed", "alg": "EdDSA", "public_key": PUBLIC_PEM}])
    with distributed_stack(
        tmp_path_factory.mktemp("public"),
        postgres_server,
        ws=1,
        with_relay=False,
        ws_variables={"SECRET_KEY": "", "JWT_KEYS": public},
        **variables,
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def everybody(verifying: Stack) -> Iterator[Actors]:
    actors = Actors.of(verifying)
    yield actors
    actors.close()


async def test_a_token_of_http_is_accepted_and_messages_are_believed(verifying: Stack, everybody: Actors) -> None:
    """The comparison comes once a minute, so only a verified message can bring the events and the location."""
    booking = everybody.new_booking("confirmed")
    assert jwt.get_unverified_header(everybody.employer.token)["alg"] == "EdDSA"
    async with await join(verifying.booking_url(booking), everybody.employer.token) as socket:
        everybody.worker.status(booking, "on_the_way")
        assert (await socket.next_of("booking_status"))["status"] == "on_the_way"
        everybody.worker.track(booking, 28.5, 77.5)
        assert (await socket.next_of("location_update"))["lat"] == 28.5
    assert "not signed by this installation" not in verifying.log_text()


async def test_the_ws_process_publishes_what_it_signs(verifying: Stack, everybody: Actors) -> None:
    booking = everybody.new_booking("on_the_way")
    async with (
        await join(verifying.booking_url(booking), everybody.employer.token) as employer,
        await join(verifying.booking_url(booking), everybody.worker.token) as worker,
    ):
        await worker.send({"type": "location", "lat": 28.5, "lng": 77.5, "id": "1"})
        await worker.next_of("location_accepted")
        assert (await employer.next_of("location_update"))["lat"] == 28.5


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
async def test_a_token_forged_with_what_the_process_has_is_refused(
    verifying: Stack, everybody: Actors, algorithm: str
) -> None:
    """With the public key as an HMAC secret (PyJWT refuses to sign so, hence by hand), and with another private key."""
    claims = jwt.decode(everybody.employer.token, options={"verify_signature": False})
    claims["exp"] = int(time.time()) + 60
    if algorithm == "HS256":
        parts = [{"alg": "HS256", "typ": "JWT", "kid": "ed"}, claims]
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        forged = f"{signed}.{_encoded(hmac.digest(PUBLIC_PEM.encode(), signed.encode(), hashlib.sha256))}"
    else:
        forged = jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "ed"})
    assert await rejection(verifying.notifications_url(), forged) == ("unauthenticated", 4001)


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
