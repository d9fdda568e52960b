"""Fixtures: a fake cluster, and an operator on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_cluster import FakeCluster
from fake_pod import TOKEN, Clock, free_port
from harness import Operator
from hypothesis import HealthCheck, settings

# A slow or busy machine is not a fault of what is tested, so generated examples have no time limit.
settings.register_profile("no time limits", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no time limits")


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    made = FakeCluster(Clock(), free_port())
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\nolder\n")
    return path


@pytest.fixture
async def operator(cluster: FakeCluster, token: Path) -> AsyncIterator[Operator]:
    made = Operator(cluster, token)
    yield made
    await made.stop()
