"""The images that `make images` builds are those that the chart asks for."""

from __future__ import annotations

import subprocess

from tests.chart.rendering import containers, pod_templates, render
from tests.support.processes import REPOSITORY


def dry_run(target: str) -> list[list[str]]:
    """The words of each command that `make target` would run."""
    command = ["make", "--dry-run", "--no-print-directory", target]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [line.split() for line in result.stdout.splitlines()]


def asked() -> set[str]:
    """Our images in the chart's defaults."""
    images = {container["image"] for _, pod in pod_templates(render("operator")) for container in containers(pod)}
    return {image for image in images if "hunarmitra-" in image}


def test_what_is_built_is_what_the_chart_asks_for() -> None:
    built = {words[words.index("-t") + 1] for words in dry_run("images")}
    assert built == asked()


def test_one_target_loads_them_into_kind() -> None:
    [load] = [words for words in dry_run("images-kind") if words[:2] == ["kind", "load"]]
    assert set(load) >= asked()
