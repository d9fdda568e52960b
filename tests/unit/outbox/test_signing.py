"""Which bytes on Redis are believed: those that a key of this installation has signed for their channel."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import msgpack
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from hunarmitra.config.key_ring import derived_secrets, read_keys
from hunarmitra.config.reading import read_environment
from hunarmitra.outbox.signing import PURPOSE, SIGNATURE, MessageSigner, UnsignedMessageError, message_secrets
from hunarmitra.protocol.messages import status_message

SECRET_KEY = "the-secret-key-of-the-installation-0123456789"
MESSAGE = status_message("booking.1", seq=7, frame='{"type":"booking_status","actor":"Ünal"}')


def pem(key: ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey) -> str:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


ED25519 = ed25519.Ed25519PrivateKey.generate()
OLD = {"kid": "old", "alg": "HS256", "secret": "a-shared-secret-of-at-least-thirty-two-bytes"}
NEW = {"kid": "new", "alg": "EdDSA", "private_key": pem(ED25519)}
NEW_PUBLIC = {"kid": "new", "alg": "EdDSA", "public_key": pem(ED25519.public_key())}


def signer(*keys: dict[str, Any], signing: str = "", secret_key: str = SECRET_KEY) -> MessageSigner:
    ring = read_keys(json.dumps(keys) if keys else "", signing, secret_key)
    return MessageSigner(derived_secrets(*ring, PURPOSE))


def believes(receiver: MessageSigner, data: bytes, channel: str = MESSAGE.channel) -> bool:
    try:
        assert receiver.unpack(channel, data) == MESSAGE.body
    except UnsignedMessageError:
        return False
    return True


def test_what_is_signed_arrives_as_it_was_sent() -> None:
    assert believes(signer(), signer().pack(MESSAGE.channel, MESSAGE.body))


def test_the_format_is_the_documented_one() -> None:
    """A program that is not Python can sign: docs/operations.md says how."""
    token_secret = hmac.new(SECRET_KEY.encode(), b"hunarmitra.jwt", hashlib.sha256).hexdigest()
    key = hmac.new(token_secret.encode(), b"hunarmitra.messages", hashlib.sha256).digest()
    packed = msgpack.packb({**MESSAGE.body, "hunarmitra.signature": bytes(32)})
    signature = hmac.new(key, b"booking.1\0" + packed[:-32], hashlib.sha256).digest()
    assert signer().pack(MESSAGE.channel, MESSAGE.body) == packed[:-32] + signature


def test_it_stays_a_msgpack_map_that_an_older_version_reads() -> None:
    body = msgpack.unpackb(signer().pack(MESSAGE.channel, MESSAGE.body))
    assert list(body) == [*MESSAGE.body, SIGNATURE]
    del body[SIGNATURE]
    assert body == MESSAGE.body


def test_it_is_not_believed_on_another_channel() -> None:
    data = signer().pack(MESSAGE.channel, MESSAGE.body)
    assert not believes(signer(), data, "booking.2")
    assert not believes(signer(), data, "booking.")


def test_no_byte_of_it_can_be_changed() -> None:
    data = signer().pack(MESSAGE.channel, MESSAGE.body)
    for place in range(len(data)):
        assert not believes(signer(), data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert not believes(signer(), data + b"\0")
    assert not believes(signer(), data[:-1])


@pytest.mark.parametrize("data", [b"", b"\xc1", bytes(32), bytes(range(256)), msgpack.packb(dict(MESSAGE.body))])
def test_bytes_of_nobody_are_not_even_decoded(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgpack, "unpackb", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UnsignedMessageError):
        signer().unpack(MESSAGE.channel, data)


def test_another_installation_is_not_believed() -> None:
    assert not believes(signer(), signer(secret_key=SECRET_KEY + "x").pack(MESSAGE.channel, MESSAGE.body))


def test_the_keys_for_messages_are_not_the_keys_for_tokens() -> None:
    keys, kid = read_keys("", "", SECRET_KEY)
    assert kid is not None
    assert derived_secrets(keys, kid, PURPOSE) != [keys[kid].signing]
    assert derived_secrets(keys, kid, PURPOSE) != derived_secrets(keys, kid, b"hunarmitra.other")


def test_no_step_of_a_documented_rotation_loses_a_message() -> None:
    """Each pair of neighbours runs at the same time, while pods restart."""
    default = {"kid": "default", "alg": "HS256"}
    default["secret"] = hmac.new(SECRET_KEY.encode(), b"hunarmitra.jwt", hashlib.sha256).hexdigest()
    steps = [signer(), signer(default, NEW), signer(NEW, default), signer(NEW)]
    for before, after in [(steps[0], steps[1]), (steps[1], steps[2]), (steps[2], steps[3])]:
        assert believes(after, before.pack(MESSAGE.channel, MESSAGE.body))
        assert believes(before, after.pack(MESSAGE.channel, MESSAGE.body))


def test_a_key_that_everybody_may_know_signs_nothing() -> None:
    public_alone = signer(OLD, NEW_PUBLIC)
    assert not believes(public_alone, signer(NEW).pack(MESSAGE.channel, MESSAGE.body))
    assert believes(public_alone, signer(OLD).pack(MESSAGE.channel, MESSAGE.body))


MESSAGE_SECRETS = ["a-first-secret-of-messages-0123456789", "a-second-secret-of-messages-0123456789"]


def process(*secrets: str, keys: list[dict[str, Any]] | None = None, issues: bool = True) -> MessageSigner:
    """Return the signer of an http process, or of a ws process without a SECRET_KEY."""
    variables = {"MESSAGE_KEYS": json.dumps(secrets) if secrets else "", "JWT_KEYS": json.dumps(keys) if keys else ""}
    environment = read_environment({**variables, "SECRET_KEY": SECRET_KEY if issues else ""})
    return MessageSigner(message_secrets(environment, must_sign=issues))


def test_a_process_with_public_keys_alone_understands_and_is_understood() -> None:
    http = process(*MESSAGE_SECRETS, keys=[NEW])
    ws = process(*MESSAGE_SECRETS, keys=[NEW_PUBLIC], issues=False)
    assert believes(ws, http.pack(MESSAGE.channel, MESSAGE.body))
    assert believes(http, ws.pack(MESSAGE.channel, MESSAGE.body))
    assert believes(ws, process(*MESSAGE_SECRETS[::-1]).pack(MESSAGE.channel, MESSAGE.body)), "all verify"
    assert not believes(ws, process(keys=[NEW]).pack(MESSAGE.channel, MESSAGE.body)), (
        "of the keys of tokens it has none"
    )
    assert not believes(process(), ws.pack(MESSAGE.channel, MESSAGE.body))


def test_a_program_derives_the_key_of_messages_as_from_a_key_of_tokens() -> None:
    key = hmac.new(MESSAGE_SECRETS[0].encode(), b"hunarmitra.messages", hashlib.sha256).digest()
    data = process(*MESSAGE_SECRETS).pack(MESSAGE.channel, MESSAGE.body)
    assert believes(MessageSigner([key]), data)


@pytest.mark.parametrize("keys", [None, [NEW]], ids=["SECRET_KEY", "JWT_KEYS"])
def test_a_process_with_new_message_keys_believes_those_without(keys: list[dict[str, Any]] | None) -> None:
    """While they are introduced. Processes without them read the database at a message of the others."""
    before, after = process(keys=keys), process(*MESSAGE_SECRETS, keys=keys)
    assert believes(after, before.pack(MESSAGE.channel, MESSAGE.body))
    assert not believes(before, after.pack(MESSAGE.channel, MESSAGE.body))


def test_a_body_cannot_bring_its_own_signature() -> None:
    data = signer().pack("club", {SIGNATURE: "mine", "type": "m"})
    assert signer().unpack("club", data) == {"type": "m"}
