"""A fake cluster, and an operator on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_cluster import FakeCluster
from fake_pod import TOKEN, Clock, free_port
from harness import Operator


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
