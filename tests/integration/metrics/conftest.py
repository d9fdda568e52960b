"""One system whose processes all expose metrics: gunicorn, the ws server and the relay, on PostgreSQL and Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.support import services
from tests.support.actors import Actors
from tests.support.eventually import eventually
from tests.support.metrics import Scrape
from tests.support.ports import accepts_connections, free_port
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.services import HOST, OwnServer, ServiceProcess
from tests.support.stack import Stack, base_environment, fresh_postgres


@dataclass(frozen=True)
class Measured:
    """A `stack`, and the addresses of the metrics of `http`, `ws` and `relay`."""

    stack: Stack
    actors: Actors
    gunicorn: ServiceProcess
    server: OwnServer
    http_url: str
    relay_url: str

    def http(self) -> Scrape:
        return Scrape(self.http_url)

    def ws(self) -> Scrape:
        return Scrape(f"{self.server.admin_url}/metrics")

    def relay(self) -> Scrape:
        return Scrape(self.relay_url)


@pytest.fixture(scope="package")
def measured(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Measured]:
    directory = tmp_path_factory.mktemp("measured")
    with ExitStack() as running:
        redis = running.enter_context(RedisServer(directory))
        environment = base_environment(
            DATABASE_URL=fresh_postgres(postgres_server),
            REDIS_URL=redis.url,
            ACK_SAMPLE_RATE="1",
            WEB_CONCURRENCY="2",
            RELAY_AFTER="5",
            RELAY_INTERVAL="0.2",
            HUB_COMPARISON_INTERVAL="0.5",
            TRACKING_MIN_INTERVAL="60",
        )
        inner, relay_port = free_port(), free_port()
        gunicorn = running.enter_context(
            services.gunicorn(directory, {**environment, "HTTP_ADMIN_PORT": str(inner)}, "--bind", f"{HOST}:{inner}")
        )
        server = running.enter_context(OwnServer(directory, {**environment, "SERVICES": "ws"}))
        running.enter_context(services.relay(directory, {**environment, "METRICS_PORT": str(relay_port)}))
        eventually(lambda: accepts_connections(relay_port), 90, "the relay's metrics")
        stack = Stack("distributed", directory, environment, http=[gunicorn], ws=[server], redis=redis)
        actors = Actors.of(stack)
        running.callback(actors.close)
        yield Measured(
            stack, actors, gunicorn, server, f"http://{HOST}:{inner}/metrics", f"http://{HOST}:{relay_port}/metrics"
        )
