"""A Prometheus for one machine: its configuration and its command, for `make observe` and the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Target:
    """A process that exposes metrics. ``job`` and ``pod`` are the labels that a PodMonitor would set."""

    job: str
    pod: str
    port: int

    def to_yaml(self) -> dict[str, Any]:
        labels = {"namespace": "local", "pod": self.pod}
        return {"job_name": self.job, "static_configs": [{"targets": [f"{HOST}:{self.port}"], "labels": labels}]}


def configuration(
    targets: Sequence[Target], *, rules: Path, interval: str = "5s", alertmanager: int | None = None
) -> str:
    """Return Prometheus' configuration file. ``alertmanager`` is a port."""
    jobs: dict[str, dict[str, Any]] = {}
    for target in targets:
        known = jobs.setdefault(target.job, {**target.to_yaml(), "static_configs": []})
        known["static_configs"] += target.to_yaml()["static_configs"]
    document: dict[str, Any] = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(rules)],
        "scrape_configs": list(jobs.values()),
    }
    if alertmanager is not None:
        document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [f"{HOST}:{alertmanager}"]}]}]}
    return yaml.safe_dump(document, sort_keys=False)


def command(program: str | Path, directory: Path, port: int) -> list[str]:
    """Return the command of a Prometheus on loopback, with ``prometheus.yaml`` and its data in ``directory``."""
    return [
        str(program),
        f"--config.file={directory / 'prometheus.yaml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address={HOST}:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
