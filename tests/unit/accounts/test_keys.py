"""The key ring: which tokens are accepted, and which keys stop the start."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

from hunarmitra.accounts.keys import KeyRing, KeyRingBackend, _kid_in_header
from hunarmitra.config.declaration import ConfigurationError

SECRET_KEY = "the-secret-key-of-the-installation-0123456789"
SECRET = "a-shared-secret-of-at-least-thirty-two-bytes"
OTHER_SECRET = "another-shared-secret-of-thirty-two-bytes"


def pem(key: Any) -> str:
    if isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    private: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode()


RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, dict[str, Any]] = {
    "hs": {"kid": "hs", "alg": "HS256", "secret": SECRET},
    "rs": {"kid": "rs", "alg": "RS256", "private_key": pem(RSA)},
    "ed": {"kid": "ed", "alg": "EdDSA", "private_key": pem(ED25519)},
    "rs-public": {"kid": "rs", "alg": "RS256", "public_key": pem(RSA.public_key())},
    "ed-public": {"kid": "ed", "alg": "EdDSA", "public_key": pem(ED25519.public_key())},
}


def ring(*names: str, signing_kid: str = "") -> KeyRing:
    return KeyRing.from_settings(json.dumps([KEYS[name] for name in names]), signing_kid, SECRET_KEY)


def payload(seconds: float = 60) -> dict[str, Any]:
    return {"token_type": "access", "exp": int(time.time() + seconds), "user_id": "1"}


def decode(keys: KeyRing, token: str | bytes, leeway: float = 0) -> dict[str, Any]:
    return keys.decode(token, verify=True, leeway=leeway)


def unsigned(header: dict[str, Any], body: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body)]
    return ".".join([*parts, ""])


# ── what is accepted ────────────────────────────────────────────────────────────────────────────────────────
def test_by_default_one_hs256_key_is_derived_from_the_secret_key() -> None:
    keys = KeyRing.from_settings("", "", SECRET_KEY)
    body = payload()
    token = keys.encode(body)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "default", "typ": "JWT"}
    assert decode(keys, token) == body
    with pytest.raises(TokenBackendError):
        decode(KeyRing.from_settings("", "", SECRET_KEY + "x"), token)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, SECRET_KEY, algorithms=["HS256"])  # the derived key, not the secret key itself


@pytest.mark.parametrize(("name", "algorithm"), [("hs", "HS256"), ("rs", "RS256"), ("ed", "EdDSA")])
def test_each_algorithm_signs_and_verifies(name: str, algorithm: str) -> None:
    keys = ring(name)
    token = keys.encode(payload())
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert decode(keys, token)["user_id"] == "1"


@pytest.mark.parametrize("name", ["rs", "ed"])
def test_a_public_half_verifies_but_cannot_sign(name: str) -> None:
    token = ring(name).encode(payload())
    assert decode(ring("hs", f"{name}-public"), token)["user_id"] == "1"
    with pytest.raises(ConfigurationError, match="signs new tokens and so needs private_key"):
        ring(f"{name}-public")


@pytest.mark.parametrize("name", ["rs", "ed"])
def test_a_process_that_only_verifies_needs_no_private_key(name: str) -> None:
    verifier = KeyRing.from_settings(json.dumps([KEYS[f"{name}-public"]]), "", "", must_sign=False)
    token = ring(name).encode(payload())
    assert decode(verifier, token)["user_id"] == "1"
    assert KeyRingBackend(verifier, 0).decode(token)["user_id"] == "1"
    with pytest.raises(ConfigurationError, match="JWT_KEYS has no key to sign with"):
        verifier.encode(payload())


@pytest.mark.parametrize("name", ["hs", "rs", "ed"])
def test_without_a_secret_key_it_takes_no_key_that_can_sign(name: str) -> None:
    entries = json.dumps([{**KEYS["ed-public"], "kid": "public"}, KEYS[name]])
    with pytest.raises(ConfigurationError, match=f"JWT_KEYS: '{name}' can sign tokens, but a ws process without") as no:
        KeyRing.from_settings(entries, "", "", must_sign=False)
    assert "PRIVATE KEY" not in str(no.value)
    assert SECRET not in str(no.value)
    assert KeyRing.from_settings(entries, "", SECRET_KEY, must_sign=False).signing_kid is None, "the first is public"


def test_the_key_of_the_secret_key_can_stay_in_the_ring_by_its_name() -> None:
    """So a first change of keys needs no computing: `default` without a secret is the derived key."""
    default = {"kid": "default", "alg": "HS256"}
    token = KeyRing.from_settings("", "", SECRET_KEY).encode(payload())
    keys = KeyRing.from_settings(json.dumps([KEYS["ed"], default]), "", SECRET_KEY)
    assert decode(keys, token)
    assert jwt.get_unverified_header(keys.encode(payload()))["kid"] == "ed"
    with pytest.raises(TokenBackendError):
        decode(KeyRing.from_settings(json.dumps([KEYS["ed"], {**default, "secret": SECRET}]), "", SECRET_KEY), token)
    with pytest.raises(ConfigurationError, match="'default' needs a secret of at least 32 bytes"):
        KeyRing.from_settings(json.dumps([KEYS["ed-public"], default]), "", "", must_sign=False)


def test_rotation_signs_with_the_new_key_and_still_accepts_the_old_until_it_is_taken_out() -> None:
    old = ring("hs")
    token = old.encode(payload())
    between = ring("ed", "hs")
    assert decode(between, token)
    assert jwt.get_unverified_header(between.encode(payload()))["kid"] == "ed"
    assert jwt.get_unverified_header(ring("ed", "hs", signing_kid="hs").encode(payload()))["kid"] == "hs"
    with pytest.raises(TokenBackendError):
        decode(ring("ed"), token)


def test_expiry_has_its_own_error_and_the_leeway() -> None:
    keys = ring("hs")
    token = keys.encode(payload(-5))
    with pytest.raises(TokenBackendExpiredToken):
        decode(keys, token)
    assert decode(keys, token, leeway=10)
    backend = KeyRingBackend(keys, 10)
    assert backend.get_leeway().total_seconds() == 10
    assert backend.decode(backend.encode(payload(-5)))


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────
def test_alg_none_is_refused_however_it_is_spelled() -> None:
    for spelling in ("none", "None", "NONE", "nOnE"):
        for kid in ("hs", "default", ""):
            with pytest.raises(TokenBackendError):
                decode(ring("hs"), unsigned({"alg": spelling, "typ": "JWT", "kid": kid}, payload()))


def test_a_kid_fixes_its_algorithm() -> None:
    """An attacker uses the public key as an HMAC secret (algorithm confusion)."""
    public = pem(RSA.public_key()).encode()
    # PyJWT refuses to sign like this, so the forged token is built by hand.
    head = unsigned({"alg": "HS256", "typ": "JWT", "kid": "rs"}, payload()).rstrip(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head.encode(), public)
    forged = f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(TokenBackendError):
        decode(ring("rs", "hs"), forged)
    stronger = jwt.encode(payload(), SECRET * 2, algorithm="HS512", headers={"kid": "hs"})
    with pytest.raises(TokenBackendError):
        decode(ring("hs"), stronger)


@pytest.mark.parametrize("headers", [{"kid": "unknown"}, {"kid": ""}, {}])
def test_an_unknown_or_missing_kid_is_refused(headers: dict[str, str]) -> None:
    token = jwt.encode(payload(), SECRET, algorithm="HS256", headers=headers)
    with pytest.raises(TokenBackendError):
        decode(ring("hs"), token)


def test_one_kids_signature_is_no_other_kids() -> None:
    token = jwt.encode(payload(), OTHER_SECRET, algorithm="HS256", headers={"kid": "hs"})
    with pytest.raises(TokenBackendError):
        decode(ring("hs"), token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "eyJ.eyJ.eyJ",
        "\x00",
        "é.é.é",
        b"\xff.\xff.\xff",
        "." * 10_000,
        unsigned({"alg": "HS256", "kid": ["hs"]}, {"exp": 1}),
        unsigned({"alg": "HS256", "kid": {"a": 1}}, {"exp": 1}),
        unsigned({"alg": "HS256", "kid": None}, {"exp": 1}),
        unsigned({"alg": 5, "kid": "hs"}, {"exp": 1}),
        unsigned({"alg": "HS256", "kid": "hs", "crit": ["exp"]}, {"exp": 1}),
        unsigned({"alg": "HS256", "kid": "hs", "x": "y" * 1024}, {"exp": 1}),
        base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=") + ".e30.x",
    ],
    ids=repr,
)
def test_garbage_is_refused_with_the_same_error(token: str | bytes) -> None:
    with pytest.raises(TokenBackendError):
        decode(ring("hs"), token)


def test_no_flood_of_headers_is_kept_in_memory() -> None:
    ring_of_one = ring("hs")
    for number in range(1000):
        with pytest.raises(TokenBackendError):
            decode(ring_of_one, unsigned({"alg": "HS256", "kid": "hs", "x": number}, {"exp": 1}))
    assert _kid_in_header.cache_info().currsize <= 64
    before = _kid_in_header.cache_info().currsize
    with pytest.raises(TokenBackendError):
        decode(ring_of_one, "!" * 500 + ".e30.e30")
    assert _kid_in_header.cache_info().currsize == before


@pytest.mark.parametrize("claims", [{"exp": "soon"}, {"iat": "x", "exp": 2**40}, {"nbf": 2**40}])
def test_wrong_claims_of_a_right_signature_are_refused(claims: dict[str, Any]) -> None:
    """A holder of a key may sign wrong claims, which must not cause a status 500."""
    keys = ring("hs")
    head = unsigned({"alg": "HS256", "typ": "JWT", "kid": "hs"}, claims).rstrip(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head.encode(), SECRET.encode())
    with pytest.raises(TokenBackendError):
        decode(keys, f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


# ── what stops the start ────────────────────────────────────────────────────────────────────────────────────
EC = pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JWT_KEYS is not JSON"),
        ("{}", "must be a JSON list of objects"),
        ("[]", "must be a JSON list of objects"),
        ('["key"]', "must be a JSON list of objects"),
        ('[{"alg": "HS256"}]', "entry without a kid"),
        ('[{"kid": 5, "alg": "HS256"}]', "entry without a kid"),
        ('[{"kid": "a"}]', "alg of 'a' must be one of HS256, RS256, EdDSA"),
        ('[{"kid": "a", "alg": "none"}]', "alg of 'a' must be one of"),
        ('[{"kid": "a", "alg": ["HS256"]}]', "alg of 'a' must be one of"),
        ('[{"kid": "a", "alg": "HS256"}]', "'a' needs a secret of at least 32 bytes"),
        ('[{"kid": "a", "alg": "HS256", "secret": "hunter2"}]', "'a' needs a secret of at least 32 bytes"),
        ('[{"kid": "a", "alg": "RS256"}]', "'a' needs private_key"),
        ('[{"kid": "a", "alg": "RS256", "private_key": "hunter2"}]', "'a' needs private_key"),
        ('[{"kid": "a", "alg": "EdDSA", "private_key": 5}]', "'a' needs private_key"),
        (json.dumps([{**KEYS["ed"], "alg": "RS256"}]), "'ed' needs private_key"),
        (json.dumps([{**KEYS["rs"], "alg": "EdDSA"}]), "'rs' needs private_key"),
        (json.dumps([{"kid": "a", "alg": "RS256", "private_key": EC}]), "'a' needs private_key"),
        (json.dumps([KEYS["hs"], KEYS["hs"]]), "two keys with the same kid"),
        (json.dumps([{**KEYS["rs"], "private_key": KEYS["rs-public"]["public_key"]}]), "'rs' needs private_key"),
        (json.dumps([{**KEYS["rs-public"], "public_key": KEYS["rs"]["private_key"]}]), "'rs' needs private_key"),
        (
            json.dumps([{**KEYS["rs"], "public_key": pem(rsa.generate_private_key(65537, 2048).public_key())}]),
            "private_key and public_key of 'rs' are no pair",
        ),
    ],
)  # fmt: skip
def test_a_wrong_ring_is_refused_by_a_sentence_without_the_key(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        KeyRing.from_settings(text, "", SECRET_KEY)
    assert str(caught.value).startswith("JWT_KEYS")
    assert "hunter2" not in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)


def test_the_signing_kid_has_to_be_in_the_ring() -> None:
    with pytest.raises(ConfigurationError, match="JWT_SIGNING_KID names 'ed', which JWT_KEYS does not have"):
        ring("hs", signing_kid="ed")
    with pytest.raises(ConfigurationError, match="JWT_SIGNING_KID is set without JWT_KEYS"):
        KeyRing.from_settings("", "ed", SECRET_KEY)


def test_no_repr_shows_a_key() -> None:
    text = repr(ring("hs", "rs", "ed"))
    assert SECRET not in text
    assert "RSAPrivateKey" not in text
