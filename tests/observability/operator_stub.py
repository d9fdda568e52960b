"""The real operator on the operator's own fake cluster, with its metrics on a port: `python operator_stub.py PORT`.

It runs in the operator's environment, beside which there is no pytest of ours. Time passes as it does on the wall; at
the start there are more pods than needed, so that it drains.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

OPERATOR = Path(__file__).resolve().parent.parent.parent / "operator"
sys.path[:0] = [str(OPERATOR), str(OPERATOR / "tests")]

from fake_cluster import FakeCluster  # type: ignore[import-not-found]  # noqa: E402
from fake_pod import TOKEN, Clock, free_port  # type: ignore[import-not-found]  # noqa: E402
from harness import Operator, spec  # type: ignore[import-not-found]  # noqa: E402

from hunarmitra_operator import web  # type: ignore[import-not-found]  # noqa: E402

DELAY = "event_loop_delay_ms"


async def main(port: int) -> None:
    clock = Clock()
    clock.now = time.time()
    cluster = FakeCluster(clock, free_port())
    await cluster.start()
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder) / "token"
        token.write_text(f"{TOKEN}\n")
        operator = Operator(cluster, token)
        await cluster.run_pods(70, 5, 60, 10, 55)
        cluster.create_scaler(spec(cluster.port, metrics=[{"name": DELAY, "targetPerPod": 50}]))
        await web.serve(operator.loop, "127.0.0.1", port, lambda: True)
        while True:
            for pod in cluster.pods.values():
                pod.metrics = {DELAY: 5.0}
            await operator.loop.turn()
            await cluster.advance(max(0.0, time.time() - clock.now))
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
