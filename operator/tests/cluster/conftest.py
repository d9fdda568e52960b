"""A namespace of a real cluster with stub pods, and the operator with its service account.

Runs when KUBECONFIG names a cluster and kubectl is installed. OPERATOR_TEST_IMAGE is an image with Python that the
nodes have or can pull.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

HERE = Path(__file__).parent
OPERATOR = HERE.parents[1]
NAMESPACE = "operator-test"
IMAGE = os.environ.get("OPERATOR_TEST_IMAGE", "python:3.13-slim")
Json = dict[str, Any]
T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = not os.environ.get("KUBECONFIG") or shutil.which("kubectl") is None
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            if missing:
                item.add_marker(pytest.mark.skip("needs kubectl, and KUBECONFIG to name a cluster"))


def kubectl(*arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run kubectl and return its output."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return done


def apply(*manifests: Json, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Apply manifests to the test's namespace."""
    text = yaml.safe_dump_all(manifests)
    return kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=text, check=check)


def get(*arguments: str) -> Json:
    """Return an object or a list, parsed."""
    loaded: Json = json.loads(kubectl("get", "-n", NAMESPACE, *arguments, "-o", "json").stdout)
    return loaded


def eventually(what: Callable[[], T | None], message: str, seconds: float = 90) -> T:
    """Wait until `what` returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{message}: {describe()}")
        time.sleep(0.5)


def describe() -> str:
    """Return the resource and the pods as text, for a message."""
    return (
        kubectl("get", "-n", NAMESPACE, "wss,pods,events", check=False).stdout
        + kubectl("get", "-n", NAMESPACE, "wss", "-o", "yaml", check=False).stdout
    )


def ws_pods() -> dict[str, Json]:
    """Return the stub pods that are not terminating, by name."""
    items = get("pods", "-l", "app=ws")["items"]
    return {i["metadata"]["name"]: i for i in items if "deletionTimestamp" not in i["metadata"]}


def is_ready(pod: Json) -> bool:
    """Return whether Kubernetes counts the pod as ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def call(pod: Json, path: str, body: Json | None = None) -> Json:
    """Send a request to a stub pod."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://{pod['status']['podIP']}:8082{path}", data=data)
    request.add_header("Authorization", "Bearer cluster-test")
    with urllib.request.urlopen(request, timeout=5) as response:
        loaded: Json = json.loads(response.read())
        return loaded


def scaler() -> Json:
    """Return the resource under test."""
    return get("websocketscaler", "sockets")


def spec(**changes: Any) -> Json:
    """Return a WebSocketScaler with short times."""
    return {
        "apiVersion": "realtime.hunarmitra.io/v1alpha1",
        "kind": "WebSocketScaler",
        "metadata": {"name": "sockets"},
        "spec": {
            "target": {"name": "ws"},
            "connectionsPerPod": {"target": 100, "cap": 150},
            "minReplicas": 1,
            "maxReplicas": 6,
            "scaleDown": {"stabilizationWindowSeconds": 0},
            "drain": {"windowSeconds": 30, "leaseSeconds": 15},
            "pods": {"maxSampleAgeSeconds": 10},
        }
        | changes,
    }


@dataclass
class Operator:
    """The operator as a process on this machine, logged in as its service account."""

    environment: dict[str, str]
    arguments: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hunarmitra_operator", "run", *self.arguments],
                env=self.environment,
                cwd=OPERATOR,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def metric(self, name: str) -> float:
        """Return the value of a metric without labels."""
        return float(next(line for line in self._metrics() if line.startswith(f"{name} ")).split()[1])

    def total(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = [line for line in self._metrics() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def _metrics(self) -> list[str]:
        with urllib.request.urlopen("http://127.0.0.1:18080/metrics", timeout=5) as page:
            text: str = page.read().decode()
        return text.splitlines()


def account_kubeconfig(folder: Path) -> Path:
    """Write a kubeconfig for the operator's service account."""
    admin = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    token = kubectl("create", "token", "-n", "hunarmitra", "hunarmitra-operator", "--duration=2h").stdout.strip()
    user = {"name": "operator", "user": {"token": token}}
    context = {"name": "operator", "context": {"cluster": admin["clusters"][0]["name"], "user": "operator"}}
    admin |= {"users": [user], "contexts": [context], "current-context": "operator"}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(admin))
    return path


def as_operator(folder: Path, verb: str, path: str, body: Json) -> tuple[int, str]:
    """Send a request to the API server with the operator's own rights; return status and text.

    `kubectl patch` cannot do it, as it reads first.
    """
    config = yaml.safe_load(account_kubeconfig(folder).read_text())
    server = config["clusters"][0]["cluster"]
    authority = base64.b64decode(server.get("certificate-authority-data", "")).decode() or None
    tls = ssl.create_default_context(cafile=server.get("certificate-authority"), cadata=authority)
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as the operator itself does; see its login
    request = urllib.request.Request(server["server"] + path, json.dumps(body).encode(), method=verb)
    request.add_header("Authorization", f"Bearer {config['users'][0]['user']['token']}")
    request.add_header("Content-Type", "application/merge-patch+json")
    try:
        with urllib.request.urlopen(request, context=tls, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture(scope="session")
def installed() -> Iterator[None]:
    """Install the definition, the rights and the admission policy."""
    kubectl("apply", "-f", str(OPERATOR / "crds"))
    kubectl("wait", "--for=condition=Established", "crd/websocketscalers.realtime.hunarmitra.io")
    for namespace in (NAMESPACE, "hunarmitra"):
        kubectl("create", "namespace", namespace, check=False)
    kubectl("create", "serviceaccount", "-n", "hunarmitra", "hunarmitra-operator", check=False)
    kubectl("apply", "-n", NAMESPACE, "-f", str(OPERATOR / "rbac" / "role.yaml"))
    kubectl("apply", "-f", str(OPERATOR / "rbac" / "admission.yaml"))
    yield
    kubectl("delete", "-f", str(OPERATOR / "rbac" / "admission.yaml"), check=False)
    kubectl("delete", "namespace", NAMESPACE, "hunarmitra", "--wait=false", check=False)


@pytest.fixture
def fleet(installed: None) -> Iterator[Callable[[list[int]], dict[str, Json]]]:
    """Create the Deployment `ws` with a pod for each number of connections."""
    assert installed is None

    def make(loads: list[int]) -> dict[str, Json]:
        apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "stub"},
                "data": {"stub_pod.py": (HERE / "stub_pod.py").read_text()},
            },
            deployment(len(loads)),
        )

        def all_ready() -> dict[str, Json] | None:
            found = ws_pods()
            return found if len(found) == len(loads) and all(map(is_ready, found.values())) else None

        pods = eventually(all_ready, "the stub pods never became ready")
        for load, pod in zip(loads, pods.values(), strict=True):
            call(pod, "/set", {"connections": load})
        return pods

    yield make
    kubectl("delete", "-n", NAMESPACE, "wss,deployments,hpa", "--all", "--timeout=30s")
    kubectl("delete", "-n", NAMESPACE, "pods", "--all", "--grace-period=0", "--force", check=False)
    kubectl("delete", "-n", NAMESPACE, "events", "--all")


def deployment(replicas: int) -> Json:
    """Return the stub Deployment."""
    container = {
        "name": "stub",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/stub/stub_pod.py"],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": 8082},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
        "volumeMounts": [{"name": "stub", "mountPath": "/stub"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "ws", "labels": {"realtime.hunarmitra.io/scalable": "true"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "ws"}},
            "template": {
                "metadata": {"labels": {"app": "ws"}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [container],
                    "volumes": [{"name": "stub", "configMap": {"name": "stub"}}],
                },
            },
        },
    }


@pytest.fixture
def operator(installed: None, tmp_path: Path) -> Iterator[Operator]:
    """Return the operator, not started yet."""
    assert installed is None
    token = tmp_path / "token"
    token.write_text("cluster-test\n")
    made = Operator(
        {**os.environ, "KUBECONFIG": str(account_kubeconfig(tmp_path))},
        ["--namespace", NAMESPACE, "--token-file", str(token), "--port", "18080", "--interval", "1"],
        tmp_path / "operator.log",
    )
    yield made
    made.kill()
    if made.log.exists():
        sys.stdout.write(made.log.read_text())
