"""The chart goes in the middle of a drain. The last module of the package, for it leaves nothing."""

from __future__ import annotations

import asyncio

from tests.e2e.cluster import get
from tests.e2e.scaling.fleet import Fleet, until
from tests.e2e.watching import Crowd


async def test_the_chart_deleted_in_mid_drain(fleet: Fleet, crowd: Crowd) -> None:
    await asyncio.to_thread(fleet.shrink)
    await asyncio.to_thread(fleet.helm, "uninstall", "--wait", "--timeout", "2m")
    assert crowd.all
    assert get("websocketscalers", namespace=fleet.namespace)["items"] == []
    await until(lambda: not fleet.pods(), 90, "the end of every pod")
