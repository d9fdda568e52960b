"""`make observe`: run the demo and a Prometheus with all rules, on loopback, until Ctrl-C.

If the demo already runs, it is only scraped, and continues after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from observability.parameters import Parameters
from observability.render import to_text
from observability.rules import rule_file
from observability.scraping import HOST, Target, command, configuration

METRICS_OFFSET = 1000
"""`manage.py serve` exposes its metrics on the port that it serves plus this number."""
START_SECONDS = 60.0
STOP_SECONDS = 15.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="of the demo (default: %(default)s)")
    parser.add_argument("--prometheus-port", type=int, default=9090, help="of Prometheus (default: %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    program = shutil.which("prometheus")
    if program is None:
        return _refuse("prometheus is not on the PATH: install it (Debian: apt-get install prometheus)")
    if _listens(options.prometheus_port):
        return _refuse(f"port {options.prometheus_port} is taken: choose another (make observe PROMETHEUS_PORT=9091)")
    metrics_port = int(os.environ.get("METRICS_PORT") or options.port + METRICS_OFFSET)
    try:
        with ExitStack() as running:
            return _observe(running, program, options.port, metrics_port, options.prometheus_port)
    except KeyboardInterrupt:
        return 0


def _observe(running: ExitStack, program: str, port: int, metrics_port: int, prometheus_port: int) -> int:
    watched: list[subprocess.Popen[bytes]] = []
    if _answers(f"http://{HOST}:{metrics_port}/metrics"):
        _say(f"The demo runs already; its metrics are on port {metrics_port}.")
    elif _listens(port):
        return _refuse(f"port {port} is taken by a process without metrics on port {metrics_port}: end it first")
    else:
        environment = {"DEBUG": "1", **os.environ}
        demo = _start(running, [sys.executable, "manage.py", "serve", "--port", str(port)], environment)
        watched.append(demo)
        if not _wait(f"http://{HOST}:{metrics_port}/metrics", demo):
            return _refuse(f"the demo shows no metrics on port {metrics_port}; what it says is above")
    directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="hunarmitra-observe-")))
    rules = directory / "rules.yaml"
    rules.write_text(to_text(rule_file(Parameters(), parts=frozenset())))
    targets = [Target("hunarmitra-embedded", "embedded", metrics_port)]
    (directory / "prometheus.yaml").write_text(configuration(targets, rules=rules))
    prometheus = _start(running, command(program, directory, prometheus_port), dict(os.environ))
    watched.append(prometheus)
    url = f"http://{HOST}:{prometheus_port}"
    if not _wait(f"{url}/-/ready", prometheus):
        return _refuse("Prometheus does not start; what it says is above")
    _say(f"Prometheus: {url}/alerts (Ctrl-C ends everything)")
    while all(process.poll() is None for process in watched):
        time.sleep(0.5)
    return _refuse("a process has ended; what it said is above")


def _start(running: ExitStack, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a program in a new session, so that Ctrl-C reaches only this process, which then ends the programs."""
    process = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    running.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(url):
            return True
        time.sleep(0.2)
    return False


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


def _refuse(reason: str) -> int:
    print(f"error: {reason}", file=sys.stderr)  # noqa: T201 - a command
    return 1


if __name__ == "__main__":
    sys.exit(main())
