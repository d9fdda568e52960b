"""The whole system in processes of its own, scraped by a real Prometheus that tells a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import httpx
import yaml

from observability.parameters import Parameters
from observability.render import to_text
from observability.rules import inhibit_rules, rule_file
from observability.scraping import HOST, Target, command, configuration
from tests.support import services, tools, web
from tests.support.actors import Actors
from tests.support.eventually import eventually
from tests.support.faults import Faults
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.processes import Process
from tests.support.redis import RedisServer
from tests.support.redis_proxy import RedisProxy
from tests.support.scene import Scene
from tests.support.stack import WITHOUT_PATIENCE, Stack, base_environment, fresh_postgres
from tests.support.surroundings import REPOSITORY

TIME_SCALE: Final = 30
"""Five minutes in ten seconds."""
PARAMETERS: Final = Parameters(time_scale=TIME_SCALE)
INTERVAL: Final = "2s"
"""Between two scrapes, and what each may take on a busy machine."""
MOST_SOCKETS: Final = 12
"""Of one ws process."""

Json = dict[str, Any]


_client: Final = httpx.Client(timeout=20, trust_env=False)
"""One client for all: each new client of httpx reads the certificates again."""


def _get(url: str, **parameters: str) -> Any:
    answer = _client.get(url, params=parameters)
    assert answer.status_code == 200, f"{url} {parameters}: {answer.text}"
    return answer.json()


class Prometheus(Process):
    def __init__(self, directory: Path, targets: list[Target], alertmanager: int) -> None:
        self.url = f"http://{HOST}:{(port := free_port())}"
        (directory / "rules.yaml").write_text(to_text(rule_file(PARAMETERS)))
        text = configuration(targets, rules=directory / "rules.yaml", interval=INTERVAL, alertmanager=alertmanager)
        (directory / "prometheus.yaml").write_text(text)
        super().__init__(
            command(tools.prometheus(), directory, port), log_path=directory / "prometheus.log", ready=self._is_ready
        )

    def query(self, expr: str) -> list[Json]:
        """The instant vector, or the scalar as one sample. Raises AssertionError for what Prometheus refuses."""
        data = _get(f"{self.url}/api/v1/query", query=expr)["data"]
        return list(data["result"]) if data["resultType"] == "vector" else [{"metric": {}, "value": data["result"]}]

    def firing(self) -> dict[str, Json]:
        """The alerts that fire, by name."""
        alerts = _get(f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert for alert in alerts if alert["state"] == "firing"}

    def scrapes_all(self) -> bool:
        """Raises AssertionError with what Prometheus says of those that it does not reach."""
        targets = _get(f"{self.url}/api/v1/targets")["data"]["activeTargets"]
        down = {each["labels"]["pod"]: each["lastError"] for each in targets if each["health"] != "up"}
        assert not down, str(down)
        return True

    def _is_ready(self) -> bool:
        try:
            return web.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


class Pager:
    """A webhook in a thread: who would be woken, in the order of the calls. `told` has (alert, severity)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                labels = [alert["labels"] for alert in body["alerts"] if alert["status"] == "firing"]
                told.extend((each["alertname"], each["severity"]) for each in labels)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
                return

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, name="pager", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Alertmanager(Process):
    """With the rendered inhibitions; it waits for two seconds, in production half a minute, before it tells."""

    def __init__(self, directory: Path, pager: Pager) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        route = {"receiver": "pager", "group_by": ["..."], "group_wait": "2s", "group_interval": "2s"}
        receivers = [{"name": "pager", "webhook_configs": [{"url": pager.url, "send_resolved": False}]}]
        document = {"route": route, "receivers": receivers, **inhibit_rules()}
        (directory / "alertmanager.yaml").write_text(yaml.safe_dump(document))
        super().__init__(
            [
                tools.alertmanager(),
                f"--config.file={directory / 'alertmanager.yaml'}",
                f"--storage.path={directory / 'alertmanager'}",
                f"--web.listen-address={HOST}:{self.port}",
                "--cluster.listen-address=",
            ],
            log_path=directory / "alertmanager.log",
            ready=self._is_ready,
        )

    def suppressed(self) -> set[str]:
        """Names of the alerts that fire and are kept silent."""
        found = _get(f"{self.url}/api/v2/alerts")
        return {alert["labels"]["alertname"] for alert in found if alert["status"]["state"] == "suppressed"}

    def _is_ready(self) -> bool:
        try:
            return web.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@dataclass
class Observed:
    scene: Scene
    redis: RedisServer
    proxy: RedisProxy
    """Between the first ws process and Redis."""
    prometheus: Prometheus
    alertmanager: Alertmanager
    pager: Pager


def operator(directory: Path, port: int) -> Process:
    python = REPOSITORY / "operator" / ".venv" / "bin" / "python"
    if not python.exists():
        subprocess.run(["make", "operator/.venv/.dev"], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)

    def is_ready() -> bool:
        try:
            answer = web.get(f"http://{HOST}:{port}/metrics", timeout=5)
        except httpx.TransportError:
            return False
        return "hunarmitra_operator_last_decision_timestamp_seconds{" in answer.text

    script = Path(__file__).parent / "operator_stub.py"
    return Process([python, script, str(port)], log_path=directory / "operator.log", ready=is_ready)


@contextmanager
def observed(directory: Path, postgres: PostgresServer) -> Iterator[Observed]:
    """Two http workers, a relay, two ws processes and the operator, and who watches them."""
    with ExitStack() as running:
        redis = running.enter_context(RedisServer(directory))
        proxy = running.enter_context(RedisProxy(redis.port))
        database_url = fresh_postgres(postgres)
        running.callback(postgres.drop_database, database_url)
        faults = Faults(directory / "faults")
        running.callback(faults.release_all)
        environment = base_environment(
            **WITHOUT_PATIENCE,
            DATABASE_URL=database_url,
            REDIS_URL=redis.url,
            TRACKING_MIN_INTERVAL="0",
            WS_MAX_CONNECTIONS=str(MOST_SOCKETS),
            WS_SEND_BUFFER_BYTES="16384",
            ACK_SAMPLE_RATE="1",
            **faults.environment,
        )
        http_port, relay_port, operator_port = free_port(), free_port(), free_port()
        ws_environment = {**environment, "SERVICES": "ws", "WS_ADMIN_HOST": HOST, "WS_CONTROL_HOST": HOST}
        http_environment = {**environment, "HTTP_ADMIN_PORT": str(http_port)}
        http = services.gunicorn(directory, http_environment, "--bind", f"{HOST}:{http_port}")
        ws = [
            services.OwnServer(directory, {**ws_environment, "REDIS_URL": proxy.url}, name="ws-0"),
            services.OwnServer(directory, ws_environment, name="ws-1"),
        ]
        relay = services.relay(directory, {**environment, "METRICS_PORT": str(relay_port)})
        stack = Stack("distributed", directory, environment, [http], list(ws), redis, relay)
        pager = running.enter_context(Pager())
        alertmanager = Alertmanager(directory, pager)
        targets = [
            Target("hunarmitra-http", "http-0", http_port),
            *(
                Target("hunarmitra-ws", f"ws-{number}", int(each.admin_url.rpartition(":")[2]))
                for number, each in enumerate(ws)
            ),
            Target("hunarmitra-relay", "relay-0", relay_port),
            Target("hunarmitra-operator", "operator-0", operator_port),
        ]
        processes = [*stack.processes, operator(directory, operator_port), alertmanager]
        for process in processes:
            running.callback(process.stop)
            process.launch()
        for process in processes:
            process.wait_ready()
        prometheus = running.enter_context(Prometheus(directory, targets, alertmanager.port))
        actors = Actors.of(stack)
        running.callback(actors.close)
        system = Observed(Scene(stack, actors, faults), redis, proxy, prometheus, alertmanager, pager)
        eventually(prometheus.scrapes_all, message="every process is scraped", interval=0.5)
        yield system
