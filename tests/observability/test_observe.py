"""`make observe` as a person uses it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import tools, web
from tests.support.eventually import eventually
from tests.support.ports import accepts_connections, free_port
from tests.support.stack import fresh_sqlite
from tests.support.surroundings import REPOSITORY, clean_environment


@pytest.mark.slow
def test_it_starts_everything_prints_one_address_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    port, metrics, prometheus = free_port(), free_port(), free_port()
    environment = clean_environment({"DATABASE_URL": fresh_sqlite(tmp_path), "METRICS_PORT": str(metrics)})
    environment["PATH"] = f"{tools.prometheus().parent}:{environment['PATH']}"
    arguments = ["--port", str(port), "--prometheus-port", str(prometheus)]
    log = tmp_path / "observe.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "observability.observe", *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        url = f"http://127.0.0.1:{prometheus}"
        eventually(lambda: f"Prometheus: {url}/alerts" in log.read_text(), timeout=120, message="its address")

        def scraped() -> bool:
            answer = web.get(f"{url}/api/v1/query", params={"query": "hunarmitra_ws_draining"}, timeout=30)
            return len(answer.json()["data"]["result"]) == 1

        eventually(scraped, timeout=90, message="a scrape of the demo")
        groups = web.get(f"{url}/api/v1/rules", timeout=30).json()["data"]["groups"]
        names = {rule["name"] for group in groups for rule in group["rules"]}
        assert "HunarMitraRedisAway" in names
        assert not any("Scaler" in name for name in names), "no operator runs here"
        again = subprocess.run(
            [sys.executable, "-m", "observability.observe", *arguments],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 1
        assert f"port {prometheus} is taken" in again.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
        assert not any(accepts_connections(each) for each in (port, metrics, prometheus))
    finally:
        process.kill()
        process.wait()
