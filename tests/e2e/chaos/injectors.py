"""One injector for each kind of fault. Entering it does harm, leaving it undoes it, or waits until a kill is noticed.

A NetworkPolicy ends no connection that is there. A partition therefore also ends the connections between the two kinds
of pods at the server; new ones get no answer, as in a network that loses packets.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from tests.e2e import in_pods
from tests.e2e.chaos.processes import ClientProcess
from tests.e2e.chaos.schedule import Fault
from tests.e2e.chaos.system import SERVERS, System
from tests.e2e.cluster import CommandError, cluster_program, get, run
from tests.support.eventually import eventually

PORTS: Final = {"postgresql": 5432, "redis": 6379}
KILL: Final = (
    "for each in /proc/[0-9]*; do pid=${each#/proc/}; "
    '[ "$pid" != 1 ] && [ "$pid" != $$ ] && grep -qs "^PPid:.0$" "$each/status" && kill -9 "$pid"; done; true'
)
"""For a shell in a container that shares its pod's process namespace: kills the server, whose parent is outside."""
END_SESSIONS: Final = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE client_addr = ANY('{{{}}}'::inet[])"
)
NOTICED_SECONDS: Final = 90
DRAIN_SECONDS: Final = 240
LOST_NODE: Final = "node-2"


class Injectors:
    """What harms one system and its clients."""

    def __init__(self, system: System, clients: list[ClientProcess]) -> None:
        self._system = system
        self._clients = clients

    def of(self, fault: Fault) -> AbstractContextManager[str]:
        """Return the injector of a fault, which gives the name of its victim."""
        verb, _, rest = fault.kind.name.partition(" ")
        inject: dict[str, Callable[[], AbstractContextManager[str]]] = {
            "kill": lambda: self.kill(rest, fault.choice),
            "restart": lambda: self.restart(rest),
            "rollout": lambda: self.rollout(rest),
            "partition": lambda: self.partition(*rest.split()),
            "drain": lambda: self.drain(fault.choice),
            "lose": self.lose,
            "slow": lambda: self.clients("slow", fault),
            "half-dead": lambda: self.clients("half-dead", fault),
            "lost": lambda: self.clients("lost network", fault),
            "skewed": lambda: self.clients("skew", fault),
        }
        return inject[verb]()

    @contextmanager
    def kill(self, part: str, choice: int = 0) -> Iterator[str]:
        """Kill -9 the server in one pod."""
        pods = sorted(self._system.pod_names(part))
        if not pods:  # none is ready: the previous fault hit it harder than planned
            yield "none"
            return
        victim = pods[choice % len(pods)]
        before = self._restarts(victim)
        with contextlib.suppress(CommandError):  # what sent the signal may end with the container
            self._system.execute(f"pod/{victim}", "sh", "-c", KILL)
        yield victim
        eventually(lambda: self._restarts(victim) != before, NOTICED_SECONDS, f"{victim} was restarted", 0.5)

    def _restarts(self, pod: str) -> int | None:
        try:
            found = get(f"pod/{pod}", namespace=self._system.namespace)["status"]["containerStatuses"]
        except CommandError:  # the pod is gone
            return None
        return sum(int(container["restartCount"]) for container in found)

    @contextmanager
    def restart(self, part: str) -> Iterator[str]:
        """Delete the pod of a server, which ends in order and starts again."""
        pod = f"{self._system.full(part)}-0"
        self._system.kubectl("delete", "pod", pod)
        yield pod

    @contextmanager
    def rollout(self, part: str) -> Iterator[str]:
        """Begin to replace all pods."""
        self._system.restart(part)
        yield part

    @contextmanager
    def drain(self, choice: int) -> Iterator[str]:
        """Empty a node for maintenance."""
        node = sorted(item["metadata"]["name"] for item in get("nodes")["items"])[choice % 2]
        selector = f"--pod-selector=app.kubernetes.io/instance={self._system.name}"
        options = ["--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={DRAIN_SECONDS}s", selector]
        try:
            run("kubectl", "drain", node, *options, timeout=DRAIN_SECONDS + 20)
            yield node
        finally:
            run("kubectl", "uncordon", node)

    @contextmanager
    def lose(self) -> Iterator[str]:
        """Take a node's power away: nothing closes its connections, and for a while Kubernetes believes in its pods."""
        try:
            cluster_program("crash", LOST_NODE)
            yield LOST_NODE
        finally:
            cluster_program("up")

    @contextmanager
    def clients(self, order: str, fault: Fault) -> Iterator[str]:
        """Make a part of the clients of one process slow, half-dead or wrong about the time."""
        process = self._clients[fault.choice % len(self._clients)]
        process.order(do=order, choice=fault.choice, seconds=fault.lasts)
        yield process.name

    @contextmanager
    def partition(self, one: str, other: str) -> Iterator[str]:
        """Cut one kind of pods off from another."""
        cut = self._without_rule_of if other in SERVERS else self._without_control_port
        with cut(one, other):
            if other in SERVERS:
                self._end_connections(one, other)
            yield f"{one}, {other}"

    @contextmanager
    def _without_rule_of(self, one: str, server: str) -> Iterator[None]:
        def without(rules: list[Any]) -> list[Any]:
            [expression] = rules[0]["from"][0]["podSelector"]["matchExpressions"]
            expression["values"].remove(one)
            return rules

        with self._rules(server, without):
            target = {server: (self._system.full(server), PORTS[server])}
            eventually(
                lambda: not self._system.call(one, in_pods.reachable, targets=target), 30, "the policy holds", 0.2
            )
            yield

    @contextmanager
    def _without_control_port(self, one: str, other: str) -> Iterator[None]:
        assert (one, other) == ("operator", "ws")

        def without(rules: list[Any]) -> list[Any]:
            return [rule for rule in rules if rule["ports"] != [{"port": "control", "protocol": "TCP"}]]

        with self._rules(other, without), self.kill(one):  # with it end the connections that it keeps
            yield

    @contextmanager
    def _rules(self, part: str, change: Callable[[list[Any]], list[Any]]) -> Iterator[None]:
        """Change the ingress rules of the NetworkPolicy of a kind of pods for a while."""
        name = f"networkpolicy/{self._system.full(part)}"
        before = get(name, namespace=self._system.namespace)["spec"]["ingress"]

        def write(rules: list[Any]) -> None:
            patch = json.dumps({"spec": {"ingress": rules}})
            self._system.kubectl("patch", name, "--type=merge", "--patch", patch)

        changed = change(json.loads(json.dumps(before)))
        assert changed != before
        write(changed)
        try:
            yield
        finally:
            write(before)

    def _end_connections(self, one: str, server: str) -> None:
        addresses = self._system.addresses(one)
        if server == "postgresql":
            self._system.sql(END_SESSIONS.format(",".join(addresses)))
            return
        for line in self._system.redis("CLIENT", "LIST").splitlines():
            found = dict(word.partition("=")[::2] for word in line.split())
            if found.get("addr", "").rpartition(":")[0].strip("[]").removeprefix("::ffff:") in addresses:
                self._system.redis("CLIENT", "KILL", "ID", found["id"])
