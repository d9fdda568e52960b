"""The images that `make images` builds are those that the chart asks for."""

from __future__ import annotations

import subprocess

from tests.chart.rendering import containers, pod_templates, render
from tests.support.surroundings import REPOSITORY


def dry_run(*targets: str) -> list[list[str]]:
    """The words of each command that `make` would run."""
    command = ["make", "--dry-run", "--no-print-directory", *targets]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [line.split() for line in result.stdout.splitlines()]


def asked() -> set[str]:
    """Our images in the chart's defaults."""
    images = {container["image"] for _, pod in pod_templates(render("operator")) for container in containers(pod)}
    return {image for image in images if "hunarmitra-" in image}


def test_what_is_built_is_what_the_chart_asks_for() -> None:
    built = {words[words.index("-t") + 1] for words in dry_run("images")}
    assert built == asked()


def test_the_base_of_all_images_can_be_a_digest() -> None:
    base = f"python:3.13-slim@sha256:{'0' * 64}"
    given = [words[words.index("--build-arg") + 1] for words in dry_run("images", f"IMAGE_BASE={base}")]
    assert given == [f"BASE={base}"] * 3
    assert not any("--build-arg" in words for words in dry_run("images"))


def test_one_target_loads_them_into_kind() -> None:
    [load] = [words for words in dry_run("images-kind") if words[:2] == ["kind", "load"]]
    assert set(load) >= asked()
