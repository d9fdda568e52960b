"""Real Redis servers: one alone, and a primary with a replica under three Sentinels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import tools
from tests.support.eventually import HANG, eventually
from tests.support.ports import free_port
from tests.support.processes import Process

HOST = "127.0.0.1"


class RedisServer(Process):
    """A Redis that stores nothing on disk, so it restarts empty (a replica copies its primary again)."""

    def __init__(
        self, directory: Path, *, port: int | None = None, options: Sequence[str] = (), name: str = "redis"
    ) -> None:
        self.port = port or free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        # No snapshot and no diskless-load file, so that no data survives a restart.
        command: list[str | Path] = [
            tools.redis_server(),
            "--port",
            str(self.port),
            "--bind",
            HOST,
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            directory,
            "--repl-diskless-sync-delay",
            "0",
            *options,
        ]
        super().__init__(command, log_path=directory / f"{name}-{self.port}.log", ready=self._answers)

    def client(self) -> Redis:
        """Return a client; close it, or use it as a context manager."""
        return _client(self.port)

    def _answers(self) -> bool:
        return _ping(self.port)


class SentinelCluster:
    """A primary, a replica and three Sentinels that promote the replica 2 s after the primary's death."""

    MASTER = "hunarmitra"

    def __init__(self, directory: Path, *, down_after_ms: int = 2000, failover_timeout_ms: int = 5000) -> None:
        self.primary = RedisServer(directory, name="redis-primary")
        self.replica = RedisServer(
            directory, name="redis-replica", options=["--replicaof", HOST, str(self.primary.port)]
        )
        self.sentinel_ports = [free_port() for _ in range(3)]
        self.sentinels = [
            self._sentinel(directory, port, down_after_ms, failover_timeout_ms) for port in self.sentinel_ports
        ]
        addresses = ",".join(f"{HOST}:{port}" for port in self.sentinel_ports)
        self.url = f"redis+sentinel://{addresses}/{self.MASTER}/0"

    def __enter__(self) -> Self:
        """Start, and wait until a failover is possible: the replica is in sync, and the Sentinels know all others."""
        try:
            self.primary.start()
            self.replica.start()
            eventually(self._replica_in_sync, message="the replica is in sync with the primary")
            for sentinel in self.sentinels:
                sentinel.start()
            eventually(self._sentinels_agree, message="every Sentinel knows the replica and the other Sentinels")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        for process in [*self.sentinels, self.replica, self.primary]:
            process.stop()

    def kill_primary(self) -> None:
        """Kill the first primary with SIGKILL."""
        self.primary.kill()

    def primary_port(self) -> int | None:
        """Return the port that the Sentinels name; None while they disagree."""
        said = set()
        for port in self.sentinel_ports:
            with _client(port) as client:
                said.add(int(client.sentinel_get_master_addr_by_name(self.MASTER)[1]))
        return said.pop() if len(said) == 1 else None

    def wait_for_failover(self, timeout: float = HANG) -> int:
        """Wait until the Sentinels name another primary; return its port."""

        def new_port() -> int | None:
            port = self.primary_port()
            return port if port != self.primary.port else None

        port = eventually(new_port, timeout, "the Sentinels elected a new primary")
        assert port is not None
        return port

    def _sentinel(self, directory: Path, port: int, down_after_ms: int, failover_timeout_ms: int) -> Process:
        config = directory / f"sentinel-{port}.conf"  # Sentinels rewrite their own
        config.write_text(
            f"port {port}\nbind {HOST}\ndir {directory}\n"
            f"sentinel monitor {self.MASTER} {HOST} {self.primary.port} 2\n"
            f"sentinel down-after-milliseconds {self.MASTER} {down_after_ms}\n"
            f"sentinel failover-timeout {self.MASTER} {failover_timeout_ms}\n"
        )
        return Process(
            [tools.redis_server(), config, "--sentinel"],
            log_path=directory / f"sentinel-{port}.log",
            ready=lambda: _ping(port),
        )

    def _replica_in_sync(self) -> bool:
        with self.replica.client() as client:
            return bool(client.info("replication")["master_link_status"] == "up")

    def _sentinels_agree(self) -> bool:
        for port in self.sentinel_ports:
            with _client(port) as client:
                state = client.sentinel_master(self.MASTER)
            if state["num-slaves"] != 1 or state["num-other-sentinels"] != 2:
                return False
        return True


def _client(port: int, timeout: float = 10) -> Redis:
    """Return a client without redis-py's retries, to see the server's current state."""
    return Redis(host=HOST, port=port, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


def _ping(port: int) -> bool:
    with _client(port, 1) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
