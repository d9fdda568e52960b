"""A fake cluster, and an operator on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_cluster import TOKEN, Clock, FakeCluster, free_port
from harness import Operator


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    made = FakeCluster(Clock(), free_port())
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def operator(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Operator]:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\nolder\n")
    made = Operator(cluster, token)
    yield made
    await made.stop()
