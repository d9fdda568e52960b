"""Check that a pod supports the operator's admin protocol; see docs/admin-protocol.md.

    python -m tools.admin_protocol http://127.0.0.1:8082 --token-file token --ready http://127.0.0.1:8081/readyz

The pod is drained and returned to service several times: run it against a pod without clients that matter. Needs
nothing but Python.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE = 30.0
"""Seconds that a pod may take to notice the end of a lease; the operator's shortest lease is 15 s."""

METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Names that `spec.metrics` accepts."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The addresses of a pod: its control port, and the URL of its readiness probe."""

    control: str
    ready: str
    token: str = ""

    def call(self, verb: str, path: str, body: Any = None, *, token: str | None = None) -> tuple[int, Any]:
        """Send a request to the control port; return status and JSON body (None if it is not JSON)."""
        given = self.token if token is None else token
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        return _send(verb, f"{self.control.rstrip('/')}/{path}", headers, body)

    def is_ready(self) -> bool:
        """Return whether the readiness probe succeeds."""
        return 200 <= _send("GET", self.ready, {})[0] < 400


def _send(verb: str, url: str, headers: Mapping[str, str], body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {**headers, "Content-Type": "application/json"}, method=verb)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:  # noqa: S310
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


Finding = tuple[str, bool]
"""A requirement of the protocol, and whether the pod meets it."""


def check(pod: Pod, sleep: Callable[[float], None] = time.sleep) -> Iterator[Finding]:
    """Yield a finding for each requirement. The pod is in service again at the end."""
    yield "the pod is ready before the test", pod.is_ready()
    yield from _check_connections(pod)
    yield from _check_bad_requests(pod)
    yield from _check_leases(pod, sleep)
    yield from _check_moving(pod)


def _check_connections(pod: Pod) -> Iterator[Finding]:
    if pod.token:
        yield "a request without the token is answered 401", pod.call("GET", "connections", token="")[0] == 401
        yield "a wrong token is answered 401", pod.call("GET", "connections", token=f"{pod.token}x")[0] == 401
    status, body = pod.call("GET", "connections")
    yield "GET /connections is answered 200", status == 200
    total = body.get("total") if isinstance(body, dict) else None
    yield "its `total` is a whole number", isinstance(total, int) and not isinstance(total, bool) and total >= 0
    if isinstance(body, dict) and "metrics" in body:
        yield "its optional `metrics` is an object of names and numbers", _are_metrics(body["metrics"])


def _are_metrics(metrics: Any) -> bool:
    return isinstance(metrics, dict) and all(
        METRIC_NAME.fullmatch(name)
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value < math.inf
        for name, value in metrics.items()
    )


def _check_bad_requests(pod: Pod) -> Iterator[Finding]:
    for path, body in (("drain", {"id": "a"}), ("drain", {"ttl_seconds": 9}), ("shed", {"connections": -1})):
        status, _ = pod.call("POST", path, body)
        yield f"POST /{path} with {json.dumps(body)} is answered 4xx", 400 <= status < 500
    yield "a request that was rejected does not drain the pod", pod.is_ready()
    yield "DELETE /drain with an unknown id is answered 404", pod.call("DELETE", "drain?id=unknown")[0] == 404


def _check_leases(pod: Pod, sleep: Callable[[float], None]) -> Iterator[Finding]:
    def drain(name: str, seconds: int) -> bool:
        return 200 <= pod.call("POST", "drain", {"id": name, "ttl_seconds": seconds})[0] < 300

    def release(name: str) -> bool:
        return pod.call("DELETE", f"drain?id={name}")[0] == 200

    def until(ready: bool) -> bool:
        end = time.monotonic() + DEADLINE
        while pod.is_ready() is not ready:
            if time.monotonic() > end:
                return False
            sleep(0.2)
        return True

    yield "POST /drain is answered 2xx", drain("check-1", 60)
    yield "a drained pod is not ready", until(False)
    yield "the same request renews the lease", drain("check-1", 60)
    yield "GET /connections is answered while drained", pod.call("GET", "connections")[0] == 200
    yield "a second lease is taken", drain("check-2", 60)
    yield "DELETE /drain ends one lease", release("check-1")
    yield "the pod stays drained while another lease holds", not pod.is_ready()
    yield "DELETE /drain ends the other lease", release("check-2")
    yield "the pod is ready after its last lease", until(True)
    yield "a short lease is taken", drain("check-3", 1)
    yield "the pod is ready after a lease that was not renewed", until(True)
    yield "the pod drains again after that", drain("check-4", 60) and until(False)
    yield "and returns to service", release("check-4") and until(True)


def _check_moving(pod: Pod) -> Iterator[Finding]:
    status, body = pod.call("POST", "shed", {"connections": 0})
    moved = body.get("moved") if isinstance(body, dict) else None
    yield 'POST /shed with 0 connections is answered 200 and {"moved": 0}', status == 200 and moved == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every finding; exit code 1 if the pod does not conform."""
    parser = argparse.ArgumentParser(prog="python -m tools.admin_protocol", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("control", metavar="URL", help="the pod's control port, for example http://127.0.0.1:8082")
    parser.add_argument("--ready", metavar="URL", help="what the readiness probe requests (default: URL/readyz)")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the bearer token in its first line")
    options = parser.parse_args(arguments)
    token = options.token_file.read_text().split()[0] if options.token_file else ""
    failed = 0
    try:
        for requirement, met in check(Pod(options.control, options.ready or f"{options.control}/readyz", token)):
            print(f"{'ok    ' if met else 'FAILED'} {requirement}", flush=True)
            failed += not met
    except OSError as error:
        print(f"error: the pod does not answer: {error}", file=sys.stderr)
        return 2
    print("the pod conforms" if not failed else f"{failed} requirements are not met")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
