"""The admin protocol: the example server and the stub pod of these tests conform, a pod that does not is found."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_cluster import FakeCluster
from fake_pod import TOKEN, free_port
from harness import Operator, spec

from tools import admin_protocol
from tools.admin_protocol import Pod, check

EXAMPLE = Path(__file__).parents[1] / "examples" / "pod.py"
HOST = "127.0.0.1"


@pytest.fixture
def example() -> Iterator[str]:
    """The address of the example server, with 100 clients."""
    port = free_port()
    environment = {**os.environ, "TOKEN": TOKEN, "PORT": str(port), "CLIENTS": "100", "WINDOW": "2"}
    with subprocess.Popen([sys.executable, str(EXAMPLE)], env=environment, stderr=subprocess.DEVNULL) as process:
        url = f"http://{HOST}:{port}"
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{url}/readyz")
                    break
                except OSError:
                    time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def test_the_example_server_conforms(example: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    assert admin_protocol.main([example, "--token-file", str(token)]) == 0, capsys.readouterr().out
    output = capsys.readouterr().out
    assert "FAILED" not in output
    assert output.endswith("the pod conforms\n")


def test_a_drained_example_moves_its_clients_and_keeps_what_is_asked(example: str) -> None:
    pod = Pod(example, f"{example}/readyz", TOKEN)
    assert pod.call("POST", "shed", {"connections": 40}) == (200, {"moved": 40})
    status, body = pod.call("GET", "connections")
    assert (status, body["total"]) == (200, 60)
    pod.call("POST", "drain", {"id": "a", "ttl_seconds": 300})
    while pod.call("GET", "connections")[1]["total"]:
        time.sleep(0.1)
    assert not pod.is_ready()


def test_the_example_is_short() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(lines) <= 60


def test_a_pod_that_does_not_conform_is_found(
    example: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the token the pod rejects every request."""
    monkeypatch.setattr(admin_protocol, "DEADLINE", 1.0)
    assert admin_protocol.main([example]) == 1
    output = capsys.readouterr().out
    assert "FAILED GET /connections is answered 200" in output
    assert "requirements are not met" in output
    assert "FAILED a drained pod is not ready" in output
    assert admin_protocol.main([f"http://{HOST}:{free_port()}"]) == 2
    assert "the pod does not answer" in capsys.readouterr().err


async def test_the_stub_pod_of_these_tests_conforms(cluster: FakeCluster) -> None:
    """Apart from bad requests, which the operator never sends."""
    await cluster.run_pods(0)
    stub = cluster.pod(0)
    stub.metrics = {"deliveries_per_second": 12.5}
    url = f"http://{stub.ip}:{cluster.port}"
    found = await asyncio.to_thread(lambda: list(admin_protocol._check_connections(Pod(url, url, TOKEN))))
    assert all(met for _, met in found), found
    assert any("`metrics`" in requirement for requirement, _ in found)


@pytest.mark.parametrize("metrics", [[], {"Delay": 1}, {"delay": "1"}, {"delay": -1}, {"delay": True}, {"delay": None}])
async def test_metrics_that_the_operator_would_not_read_do_not_conform(cluster: FakeCluster, metrics: object) -> None:
    assert not admin_protocol._are_metrics(metrics)


async def test_the_operator_scales_the_example(cluster: FakeCluster, operator: Operator, example: str) -> None:
    """The operator reads, drains and releases it as it does a ws pod."""
    await cluster.run_pods(100)
    port = int(example.rpartition(":")[2])
    pod = cluster.pod(0)
    await pod.close()
    pod.ip = HOST
    cluster.create_scaler(spec(port))
    await operator.turns()
    assert cluster.status["connections"] == 100
    assert cluster.condition("MetricsStale") == "False"
    assert next(iter(check(Pod(example, f"{example}/readyz", TOKEN))))[1]
