"""The keys of the Secret that the chart makes, and which of them each pod has."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import yaml

from hunarmitra.accounts.keys import KeyRing
from hunarmitra.config.reading import read_environment
from hunarmitra.outbox.signing import MessageSigner, message_secrets
from tests.chart.rendering import CHART, Object, containers, helm, of_kind, pod_of, pod_templates, render, values_file

SECRET = "shop-hunarmitra"
OWN = {"JWT_KEYS", "JWT_PUBLIC_KEYS", "MESSAGE_KEYS"}


def made(objects: list[Object]) -> dict[str, str]:
    return dict(of_kind(objects, "Secret")[SECRET]["stringData"])


def keys_of(pod: Object) -> dict[str, str]:
    """The variables with keys of all containers of a pod, and the entries of the Secret that they come from."""
    wanted = ("SECRET_KEY", "JWT_KEYS", "MESSAGE_KEYS")
    found: dict[str, str] = {}
    for container in containers(pod):
        for variable in container.get("env", []):
            if variable["name"] in wanted:
                reference = variable["valueFrom"]["secretKeyRef"]
                entry = reference["key"] + (" if there" if reference.get("optional") else "")
                assert found.setdefault(variable["name"], entry) == entry
    return found


SHARED = {"SECRET_KEY": "SECRET_KEY", "JWT_KEYS": "JWT_KEYS if there", "MESSAGE_KEYS": "MESSAGE_KEYS if there"}
ISSUES = {name: name for name in SHARED}
VERIFIES = {"JWT_KEYS": "JWT_PUBLIC_KEYS", "MESSAGE_KEYS": "MESSAGE_KEYS"}


def test_the_ws_pods_have_no_key_that_issues_tokens() -> None:
    objects = render("minimal")
    assert keys_of(pod_of(objects, "ws")) == VERIFIES
    found = {name: keys_of(pod) for name, pod in pod_templates(objects) if keys_of(pod)}
    assert len(found) > 4
    assert all(keys == ISSUES for name, keys in found.items() if not name.endswith("-ws"))


@pytest.mark.parametrize(("setting", "ws", "http"), [("", SHARED, SHARED), ("public", VERIFIES, ISSUES)])
def test_with_a_secret_of_yours_public_keys_are_asked_for(setting: str, ws: Any, http: Any) -> None:
    """Before, the Secret needs JWT_PUBLIC_KEYS and MESSAGE_KEYS, which the chart cannot make."""
    objects = render("production", *([f"secrets.wsKeys={setting}"] if setting else []))
    assert keys_of(pod_of(objects, "ws")) == ws
    assert keys_of(pod_of(objects, "http")) == http


def test_the_processes_take_the_keys_and_understand_each_other() -> None:
    secret = made(render("minimal"))
    http = read_environment({name: secret[entry] for name, entry in ISSUES.items()})
    ws = read_environment({name: secret[entry] for name, entry in VERIFIES.items()})
    issuer = KeyRing.from_settings(http.jwt_keys, "", http.effective_secret_key)
    verifier = KeyRing.from_settings(ws.jwt_keys, "", ws.effective_secret_key, must_sign=False)
    assert issuer.algorithm == "EdDSA"
    claims = {"exp": 4 * 10**9, "user_id": "1"}
    assert verifier.decode(issuer.encode(claims), verify=True, leeway=0) == claims
    assert verifier.signing_kid is None
    signers = [MessageSigner(message_secrets(each, must_sign=each is http)) for each in (http, ws)]
    assert signers[1].unpack("club", signers[0].pack("club", {"type": "m"})) == {"type": "m"}
    assert signers[0].unpack("club", signers[1].pack("club", {"type": "m"})) == {"type": "m"}


def test_http_still_accepts_the_tokens_from_before_the_keys() -> None:
    secret = made(render("minimal"))
    token = KeyRing.from_settings("", "", secret["SECRET_KEY"]).encode({"exp": 4 * 10**9})
    ring = KeyRing.from_settings(secret["JWT_KEYS"], "", secret["SECRET_KEY"])
    assert ring.decode(token, verify=True, leeway=0)


def test_another_secret_key_gives_other_keys() -> None:
    first, other = made(render("minimal")), made(render("minimal", "secrets.secretKey=" + "another-secret-" * 3))
    assert all(first[name] != other[name] for name in OWN)
    kids = [json.loads(each["JWT_PUBLIC_KEYS"])[0]["kid"] for each in (first, other)]
    assert kids[0] != kids[1], "a token of the other key is one of an unknown key"


# ── a release that exists ───────────────────────────────────────────────────────────────────────────────────
def discovery() -> dict[str, Any]:
    """What an API server says of its version and of the kinds that the chart has."""
    kinds: dict[str, set[str]] = {}
    for item in render("minimal"):
        kinds.setdefault(item["apiVersion"], set()).add(item["kind"])
    groups = [version.split("/") for version in kinds if "/" in version]
    found: dict[str, Any] = {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [
                {"name": name, "versions": [{"groupVersion": f"{name}/{version}", "version": version}]}
                for name, version in groups
            ],
        },
    }
    for version, names in kinds.items():
        resources = [{"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": ["get"]} for kind in names]
        found[f"/{'apis' if '/' in version else 'api'}/{version}"] = {
            "kind": "APIResourceList",
            "groupVersion": version,
            "resources": resources,
        }
    return found


@contextmanager
def cluster_with(secret: dict[str, str] | None) -> Iterator[str]:
    """Serve what `lookup` asks of an API server that has at most the release's Secret; yield its address."""
    resources = discovery()
    if secret is not None:
        data = {name: base64.b64encode(value.encode()).decode() for name, value in secret.items()}
        resources[f"/api/v1/namespaces/hm/secrets/{SECRET}"] = {
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": SECRET, "namespace": "hm"},
            "data": data,
        }

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = resources.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(found or missing).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def upgraded(secret: dict[str, str] | None, *settings: str) -> list[Object]:
    with cluster_with(secret) as address:
        options = ["--namespace", "hm", "--dry-run=server", "--is-upgrade", "--disable-openapi-validation"]
        options += ["--kubeconfig", os.devnull, "--kube-apiserver", address, "--values", str(values_file("minimal"))]
        chosen = [part for one in settings for part in ("--set", one)]
        text = helm("template", "shop", str(CHART), *options, *chosen)
    return [document for document in yaml.safe_load_all(text) if document]


def test_a_release_with_these_keys_keeps_them() -> None:
    new = made(upgraded(None))
    assert new.keys() >= OWN
    again = upgraded(new)
    assert made(again) == new
    assert keys_of(pod_of(again, "ws")) == VERIFIES
    back = upgraded(new, "secrets.wsKeys=shared")
    assert made(back) == new
    assert keys_of(pod_of(back, "ws")) == SHARED


def test_an_older_release_keeps_its_key_until_it_is_told() -> None:
    """Its pods would reject tokens of a new key while they are replaced."""
    old = {name: value for name, value in made(render("minimal")).items() if name not in OWN}
    same = upgraded(old)
    assert made(same) == old
    assert keys_of(pod_of(same, "ws")) == keys_of(pod_of(same, "http")) == SHARED
    told = upgraded(old, "secrets.wsKeys=public")
    assert made(told).keys() == old.keys() | OWN
    assert keys_of(pod_of(told, "ws")) == VERIFIES


def test_a_new_release_may_share_its_key() -> None:
    objects = render("minimal", "secrets.wsKeys=shared")
    assert not made(objects).keys() & OWN
    assert keys_of(pod_of(objects, "ws")) == SHARED
