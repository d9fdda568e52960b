"""The smallest pod that the operator can scale: the admin protocol with plain Python, see docs/admin-protocol.md."""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = os.environ["TOKEN"]
WINDOW = float(os.environ.get("WINDOW", "20"))  # seconds in which a drained pod moves its clients away

lock = threading.RLock()
clients = [None] * int(os.environ.get("CLIENTS", "0"))  # a real server has its open connections here
leases: dict[str, float] = {}  # name of each lease, and when it ends


def draining() -> bool:
    """Return whether a lease holds. A lease that was not renewed ends here."""
    for name in [name for name, end in leases.items() if end <= time.monotonic()]:
        del leases[name]
    return bool(leases)


def move(count: int) -> int:
    """Ask `count` clients to reconnect; return how many. A real server sends them a close frame."""
    moved = clients[:count]
    del clients[:count]
    return len(moved)


def pace() -> None:
    """Move clients away while drained, spread over the window."""
    while True:
        with lock:
            move(-(-len(clients) // max(1, round(WINDOW))) if draining() else 0)
        time.sleep(1)


class Handler(BaseHTTPRequestHandler):
    def answer(self, status: int, **body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def dispatch(self) -> None:
        path, _, query = self.path.partition("?")
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
            with lock:
                self.act(f"{self.command} {path}", body, query.removeprefix("id="))
        except (KeyError, TypeError, ValueError) as error:
            self.answer(400, detail=repr(error))

    def act(self, request: str, body: dict[str, object], lease: str) -> None:
        if request == "GET /readyz":  # the readiness probe, without a token
            self.answer(503 if draining() else 200)
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401)
        elif request == "GET /connections":
            self.answer(200, total=len(clients), metrics={"load_average": os.getloadavg()[0]})
        elif request == "POST /drain":
            leases[str(body["id"])] = time.monotonic() + float(str(body["ttl_seconds"]))
            self.answer(202)
        elif request == "DELETE /drain":
            self.answer(200 if draining() and leases.pop(lease, 0) else 404)
        elif request == "POST /shed" and int(str(body["connections"])) >= 0:
            self.answer(200, moved=move(int(str(body["connections"]))))
        else:
            self.answer(400 if request == "POST /shed" else 404)

    do_GET = do_POST = do_DELETE = dispatch


if __name__ == "__main__":
    threading.Thread(target=pace, daemon=True).start()
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8082"))), Handler).serve_forever()
