"""One http process and one ws process, whose readiness a test reads while it breaks their database or Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import services, web
from tests.support.actors import Actors
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.services import HOST, OwnServer
from tests.support.stack import Stack


@dataclass
class Watched:
    """`admin` is the address of the http process' internal port; `ws` runs our own server."""

    stack: Stack
    people: Actors
    admin: str
    ws: OwnServer
    booking_id: str

    def readiness(self, url: str) -> dict[str, Any]:
        answer = web.get(f"{url}/readyz")
        assert answer.status_code == 200, "what happens to its dependencies takes no process out of service"
        report: dict[str, Any] = answer.json()
        return report

    def database_of_http(self) -> str:
        return str(self.readiness(self.admin)["dependencies"]["database"])

    def works(self) -> bool:
        """Whether what the test breaks works."""
        raise NotImplementedError

    @contextmanager
    def same_processes(self) -> Iterator[None]:
        """Wait until everything works; check at the end that the same processes run."""
        before = [process.pid for process in self.stack.processes]
        eventually(self.works, message="everything works")
        eventually(lambda: self.database_of_http() == "ok", message="readiness says so")
        yield
        assert [process.pid for process in self.stack.processes if process.alive] == before


@contextmanager
def watched(directory: Path, environment: dict[str, str], **of_ws: str) -> Iterator[Watched]:
    """Start both with `environment`, and the ws process with the variables `of_ws` too; make a booking on the way."""
    with ExitStack() as running:
        port = free_port()
        http = services.gunicorn(directory, {**environment, "HTTP_ADMIN_PORT": str(port)}, "--bind", f"{HOST}:{port}")
        ws = OwnServer(directory, {**environment, "SERVICES": "ws", **of_ws})
        for process in (http, ws):
            running.callback(process.stop)
            process.launch()
        for process in (http, ws):
            process.wait_ready()
        stack = Stack("distributed", directory, environment, http=[http], ws=[ws])
        people = Actors.of(stack)
        running.callback(people.close)
        yield Watched(stack, people, f"http://{HOST}:{port}", ws, people.new_booking("on_the_way"))
