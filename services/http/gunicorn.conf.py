"""gunicorn for the REST service: ``gunicorn --config services/http/gunicorn.conf.py hunarmitra.wsgi:application``.

Processes with threads, because a request waits for the database far longer than it computes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hunarmitra.common import redaction
from hunarmitra.config.declaration import ConfigurationError
from hunarmitra.config.reading import process_environment
from hunarmitra.telemetry import tracing
from hunarmitra.telemetry.logs import gunicorn_configuration, service_name

try:
    _environment = process_environment()
except ConfigurationError as error:
    sys.exit(f"hunarmitra cannot start: {error}")

bind = ["0.0.0.0:8000"]
if _environment.http_admin_port:
    bind.append(f"0.0.0.0:{_environment.http_admin_port}")
# Threads that never wait for a client: docs/adr/0024-slow-clients.md.
worker_class = "hunarmitra_http.gunicorn_adapter.HttpWorker"
workers = _environment.web_concurrency
threads = _environment.web_threads

# Longer than the idle timeout that ingresses have for connections to a backend (nginx and ALB: 60 s). With a
# shorter value, the ingress would sometimes send a request into a closing connection, and answer 502.
keepalive = 75

# Seconds. A worker that is stuck for `timeout` is killed; on SIGTERM running requests get `graceful_timeout`, less
# than the 30 s that Kubernetes waits.
timeout = 30
graceful_timeout = 20

# Connections to PostgreSQL and Redis must not be shared with a forked child.
preload_app = False

# The workers' heartbeat is a file; on a disk it could block them.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - nothing is stored there

# Nobody tunes a container at run time, and two processes would fight for one socket in $HOME.
control_socket_disable = True

# X-Forwarded-… is TrustedProxyMiddleware's to judge, by TRUSTED_PROXIES; gunicorn believes none of it.
forwarded_allow_ips = ""

# sendfile(2) would wait for the client.
sendfile = False

# The request line that HTTP/1.1 servers commonly take; longer is 414.
limit_request_line = 8190

# Writes the path without the query string, which may hold secrets, and no Referer for the same reason.
logger_class = "hunarmitra_http.access_log.AccessLogger"
accesslog = "-"
errorlog = "-"
loglevel = _environment.log_level.lower()
if _logging := gunicorn_configuration(_environment, service_name(_environment, ("http",))):
    logconfig_dict = _logging
redaction.install()


def post_worker_init(worker: Any) -> None:
    """In the worker, after the fork: its first request need not wait for OpenTelemetry to load."""
    tracing.start()


# Metrics: each worker keeps its own in files of one folder, and whichever is asked adds them up. prometheus_client
# names the files by process id, and so keeps three more for each worker that ever was. Here a worker takes a slot that
# no living worker has, and goes on where the dead one stopped: as many files as workers, and no counter falls.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def on_starting(server: Any) -> None:
    """A new folder, so that nothing of an earlier run counts; in memory, where a write cannot block."""
    os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="hunarmitra-metrics-", dir=worker_tmp_dir)


def pre_fork(server: Any, worker: Any) -> None:
    taken = {each.metrics_slot for each in server.WORKERS.values()}
    worker.metrics_slot = next(slot for slot in range(len(taken) + 1) if slot not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Before the application is loaded, and with it the first metric made."""
    from hunarmitra.telemetry.prometheus_adapter import share_values

    share_values(worker.metrics_slot)


def child_exit(server: Any, worker: Any) -> None:
    """What a dead worker was doing, it does no longer; what it has done stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.metrics_slot, os.environ[METRICS_FOLDER])


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ[METRICS_FOLDER], ignore_errors=True)
