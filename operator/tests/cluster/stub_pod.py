"""A stub ws pod: the control port, readiness, and clients that exist as a number.

Runs inside the cluster on plain Python. `POST /set {"connections": n}` sets its number of clients.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SETTLE, WINDOW = 2.0, 6.0
TOKEN = "cluster-test"


class State:
    """The pod's state; every access holds one lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections = 0
        self.moved = 0
        self.leases: dict[str, float] = {}
        self.since: float | None = None

    def step(self, seconds: float) -> None:
        """Let leases end, and move clients of a drained pod."""
        with self.lock:
            now = time.monotonic()
            self.leases = {name: until for name, until in self.leases.items() if until > now}
            if not self.leases:
                self.since = None
            elif self.since is not None and now - self.since > SETTLE and self.connections:
                left = max(seconds, self.since + SETTLE + WINDOW - now)
                moving = min(self.connections, int(self.connections * seconds / left) + 1)
                self.connections -= moving
                self.moved += moving


state = State()


class Handler(BaseHTTPRequestHandler):
    """The control port; readiness and `/set` need no token."""

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length", 0))
        loaded: dict[str, Any] = json.loads(self.rfile.read(length) or b"{}")
        return loaded

    def _handle(self) -> None:
        url = urlsplit(self.path)
        with state.lock:
            if url.path == "/readyz":
                return self._answer(503 if state.leases else 200, {})
            if url.path == "/set":
                state.connections = int(self._body()["connections"])
                return self._answer(200, {})
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._answer(401, {})
            return self._control(url.path, parse_qs(url.query))

    def _control(self, path: str, query: dict[str, list[str]]) -> None:
        if path == "/connections":
            kinds = {"booking": state.connections, "notifications": 0}
            return self._answer(200, {"total": state.connections, "kinds": kinds, "moved": state.moved})
        if path == "/drain" and self.command == "POST":
            body = self._body()
            if not state.leases:
                state.since = time.monotonic()
            state.leases[body["id"]] = time.monotonic() + body["ttl_seconds"]
            return self._answer(202, {})
        if path == "/drain" and self.command == "DELETE":
            found = state.leases.pop(query["id"][0], None)
            return self._answer(404 if found is None else 200, {})
        if path == "/shed":
            moved = min(state.connections, int(self._body()["connections"]))
            state.connections -= moved
            state.moved += moved
            return self._answer(200, {"moved": moved})
        return self._answer(404, {})

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the standard library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


def tick() -> None:
    """Let time pass."""
    while True:
        time.sleep(0.25)
        state.step(0.25)


if __name__ == "__main__":
    threading.Thread(target=tick, daemon=True).start()
    ThreadingHTTPServer(("", 8082), Handler).serve_forever()
