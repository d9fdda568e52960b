"""The cluster under test, through kubectl and helm, and the release in it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.e2e import in_pods
from tests.support import remote
from tests.support.eventually import eventually
from tests.support.surroundings import REPOSITORY

CHART = "charts/hunarmitra"
VALUES = "tests/e2e/values.yaml"
HOST = "hunarmitra.test"
NAMESPACE = "hunarmitra-e2e"
RELEASE = "shop"


class CommandError(AssertionError):
    """kubectl or helm failed; the message is what it said."""


def run(*command: str, stdin: str = "", timeout: float = 120, directory: str | Path = REPOSITORY) -> str:
    result = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=timeout, cwd=directory
    )
    if result.returncode:
        raise CommandError(f"{' '.join(command)}:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
    return result.stdout


def kubectl(*arguments: str, stdin: str = "", timeout: float = 120, namespace: str = NAMESPACE) -> str:
    return run("kubectl", "--namespace", namespace, *arguments, stdin=stdin, timeout=timeout)


def cluster_program(*arguments: str) -> str:
    """Run the program that E2E_CLUSTER names, from `/`: its own Python programs must not get this project's version."""
    return run(os.environ["E2E_CLUSTER"], *arguments, timeout=300, directory="/")


def get(*arguments: str, namespace: str = NAMESPACE) -> Any:
    return json.loads(kubectl("get", *arguments, "--output", "json", namespace=namespace))


def call_in(namespace: str, target: str, function: Callable[..., Any], /, **arguments: Any) -> Any:
    """Call a function of `tests.e2e.in_pods` in the first container of `target`; its result."""
    command = ("exec", "--stdin", target, "--", "python", "-c", remote.program_of(function))
    printed = kubectl(*command, stdin=json.dumps(arguments), namespace=namespace)
    return json.loads(printed.splitlines()[-1])


@dataclass
class Release:
    """One installation of the chart in `namespace`, made of tests/e2e/values.yaml and `settings`."""

    namespace: str = NAMESPACE
    name: str = RELEASE
    host: str = HOST
    secret_key: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def base_url(self) -> str:
        port = os.environ.get("E2E_INGRESS", "127.0.0.1:80").rpartition(":")[2]
        return f"http://{self.host}" if port == "80" else f"http://{self.host}:{port}"

    @property
    def ws_url(self) -> str:
        return self.base_url.replace("http", "ws", 1)

    def booking_url(self, booking: str) -> str:
        return f"{self.ws_url}/ws/bookings/{booking}/"

    def full(self, component: str) -> str:
        return f"{self.name}-hunarmitra-{component}"

    def helm(self, verb: str, *arguments: str, timeout: float = 300) -> str:
        return run("helm", verb, self.name, *arguments, "--namespace", self.namespace, timeout=timeout)

    def apply(
        self,
        verb: str,
        *settings: str,
        env: Mapping[str, str] = MappingProxyType({}),
        wait: bool = True,
        source: Path = REPOSITORY,
    ) -> str:
        """`helm install` or `helm upgrade`, waiting until everything is ready.

        `env` is `config.env`'s; `source` is where the chart and the tests' values are.
        """
        options = ["--values", str(source / VALUES), "--set", f"secrets.secretKey={self.secret_key}"]
        options += ["--set", f"config.allowedHosts={{{self.host}}}"]
        for setting in settings:
            options += ["--set", setting]
        for name, value in env.items():
            options += ["--set-string", f"config.env.{name}={value}"]
        if wait:
            options += ["--wait", "--wait-for-jobs", "--timeout", "4m"]
        try:
            return self.helm(verb, str(source / CHART), *options)
        except CommandError as error:
            raise CommandError(f"{error}\n{self.describe()}") from None

    def exists(self) -> bool:
        return self.name in run("helm", "list", "--short", "--namespace", self.namespace).split()

    def describe(self) -> str:
        """For a failure's message: the pods, their events, and the last lines of those that are not ready."""
        text = kubectl("get", "pods", "--output", "wide", namespace=self.namespace)
        events = kubectl("get", "events", "--sort-by=.lastTimestamp", namespace=self.namespace).splitlines()[-25:]
        for pod in self.pods():
            if not is_ready(pod) and pod["status"]["phase"] != "Succeeded":
                name = pod["metadata"]["name"]
                try:
                    text += f"\n── {name}\n" + kubectl("logs", name, "--tail=15", namespace=self.namespace)
                except CommandError as error:
                    text += f"\n── {name}: {error}"
        return text + "\n" + "\n".join(events)

    # ── pods ────────────────────────────────────────────────────────────────────────────────────────────────
    def pods(self, component: str = "") -> list[dict[str, Any]]:
        selector = f"app.kubernetes.io/instance={self.name}"
        if component:
            selector += f",app.kubernetes.io/component={component}"
        return list(get("pods", "--selector", selector, namespace=self.namespace)["items"])

    def pod_names(self, component: str) -> list[str]:
        """Of those that are ready and not being deleted."""
        return [pod["metadata"]["name"] for pod in self.pods(component) if is_ready(pod)]

    def execute(self, target: str, *command: str, stdin: str = "") -> str:
        return kubectl("exec", "--stdin", target, "--", *command, stdin=stdin, namespace=self.namespace)

    def python(self, component: str, script: str, stdin: str = "") -> str:
        """Run Python in a pod of the component; its standard output."""
        return self.execute(f"deployment/{self.full(component)}", "python", "-c", script, stdin=stdin)

    def call(self, target: str, function: Callable[..., Any], /, **arguments: Any) -> Any:
        """Call a function of `tests.e2e.in_pods` in a pod; its result. `target` is a component or `pod/NAME`."""
        where = target if "/" in target else f"deployment/{self.full(target)}"
        return call_in(self.namespace, where, function, **arguments)

    def kill(self, pod: str) -> None:
        """Delete the pod without a chance to clean up."""
        kubectl("delete", "pod", pod, "--grace-period=0", "--force", namespace=self.namespace)

    def patch(self, component: str, spec: dict[str, Any]) -> None:
        """Edit the component's Deployment, as `helm upgrade` would."""
        patch = json.dumps({"spec": spec})
        kubectl("patch", f"deployment/{self.full(component)}", "--patch", patch, namespace=self.namespace)

    @contextmanager
    def killable(self, *components: str) -> Iterator[None]:
        """Within its own process namespace nobody can stop or kill the first process; here it gets another number."""

        def share(value: bool | None) -> None:
            for name in components:
                self.patch(name, {"template": {"spec": {"shareProcessNamespace": value}}})
            self.rolled_out(*components)

        share(True)
        try:
            yield
        finally:
            share(None)

    def signal(self, pod: str, name: str) -> None:
        """Signal the server in a pod that is `killable`."""
        self.call(f"pod/{pod}", in_pods.signal_server, name=name)

    def restart(self, *components: str) -> None:
        """Begin a rolling restart."""
        kubectl(
            "rollout", "restart", *(f"deployment/{self.full(name)}" for name in components), namespace=self.namespace
        )

    def rolled_out(self, *components: str, timeout: float = 180) -> None:
        """Wait until the new pods serve and the old ones are gone."""
        for name in components:
            target = f"deployment/{self.full(name)}"
            limit = f"--timeout={timeout:g}s"
            kubectl("rollout", "status", target, limit, timeout=timeout + 10, namespace=self.namespace)
            wanted = get(target, namespace=self.namespace)["spec"]["replicas"]
            gone = partial(self._has_pods, name, wanted)
            eventually(gone, timeout, f"the end of the old pods of {name}", 0.5)

    def stateful_set_ready(self, component: str) -> None:
        target = f"statefulset/{self.full(component)}"
        kubectl("rollout", "status", target, "--timeout=120s", timeout=130, namespace=self.namespace)

    def _has_pods(self, component: str, wanted: int) -> bool:
        return len(self.pods(component)) == wanted


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = {item["type"]: item["status"] for item in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def make_namespace(name: str, *, restricted: bool = True) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"} if restricted else {}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    run("kubectl", "apply", "--filename", "-", stdin=json.dumps(manifest))


def delete_namespace(name: str) -> None:
    run("kubectl", "delete", "namespace", name, "--ignore-not-found", "--timeout=120s", timeout=130)


def names_of(objects: Sequence[dict[str, Any]]) -> set[str]:
    return {f"{item['kind']}/{item['metadata']['name']}" for item in objects}
