"""The files for GitHub, editors and package tools agree with the project."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.surroundings import REPOSITORY
from tests.unit.test_repository import tracked_files

GITHUB = REPOSITORY / ".github"
WORKFLOW: dict[Any, Any] = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text())
JOBS: dict[str, Any] = WORKFLOW["jobs"]
PYTHON_PACKAGES = (
    "hunarmitra",
    "services/http/hunarmitra_http",
    "services/ws/hunarmitra_ws",
    "operator/hunarmitra_operator",
)


def supported_pythons() -> list[str]:
    classifiers = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["classifiers"]
    return [match[1] for name in classifiers if (match := re.fullmatch(r".*:: Python :: (3\.\d+)", name))]


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


# ── installation ────────────────────────────────────────────────────────────────────────────────────────────
def test_an_editable_installation_needs_no_other_build_package_than_hatchling() -> None:
    """`make run` installs without build isolation, and `requirements/embedded.txt` has only hatchling."""
    [install] = re.findall(
        r"^\t@\$\(PIP\) install .*--editable.*$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE
    )
    folders = re.findall(r"--editable (\S+)", install)
    assert folders == [".", "clients/python"]
    for folder in folders:
        project = tomllib.loads((REPOSITORY / folder / "pyproject.toml").read_text())
        assert [re.split(r"\W", each)[0] for each in project["build-system"]["requires"]] == ["hatchling"]
        assert project["tool"]["hatch"]["build"]["dev-mode-dirs"], "without it, hatchling needs the package editables"


# ── continuous integration ──────────────────────────────────────────────────────────────────────────────────
def test_the_workflow_runs_the_steps_of_ci_run() -> None:
    [listed] = re.findall(r"^STEPS=\((.+)\)$", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE)
    run = [match[1] for job in JOBS.values() for text in commands(job) if (match := re.match(r"\.ci/run (.+)", text))]
    assert set(run) == set(listed.split())
    for job in JOBS.values():
        assert not [text for text in commands(job) if re.match(r"make (?!images)", text)], "steps are .ci/run's"


def test_the_workflow_tests_every_supported_python() -> None:
    assert JOBS["test"]["strategy"]["matrix"]["python"] == supported_pythons()


def test_the_workflow_may_only_read_and_pins_what_it_uses() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in JOBS.values():
        assert "permissions" not in job
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40)), step
    text = (GITHUB / "workflows" / "ci.yml").read_text()
    assert all(re.search(r" # v\d+\.\d+\.\d+$", line) for line in text.splitlines() if "uses:" in line)


def test_the_screenshots_of_the_tests_are_kept_also_when_one_fails() -> None:
    [job] = [job for job in JOBS.values() if ".ci/run test-all" in commands(job)]
    [upload] = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert job["steps"].index(upload) > [step.get("run") for step in job["steps"]].index(".ci/run test-all")
    assert upload["if"] == "always()"
    folder = Path(upload["with"]["path"])
    names = " / ".join(f'"{part}"' for part in folder.parts)
    assert f"REPOSITORY / {names})" in (REPOSITORY / "tests" / "support" / "browser.py").read_text()
    assert upload["with"].get("include-hidden-files") is any(part.startswith(".") for part in folder.parts)
    assert "matrix" in upload["with"]["name"], "two jobs cannot upload under one name"


def test_an_unknown_step_is_refused() -> None:
    result = subprocess.run([".ci/run", "chekc"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "'chekc' is not a step; the steps are: setup check" in result.stderr


def test_updates_are_proposed_for_every_folder_that_pins_something() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    watched = {update["package-ecosystem"]: update.get("directories", [update.get("directory")]) for update in updates}
    folders: dict[str, set[str]] = {"pip": set(), "npm": set(), "docker": set(), "github-actions": {"/"}}
    for path in tracked_files():
        folder = f"/{path.parent.relative_to(REPOSITORY)}"
        if re.fullmatch(r"requirements.*\.in", path.name) or path.parent.name == "requirements":
            folders["pip"].add(folder)
        elif path.name == "package-lock.json":
            folders["npm"].add(folder)
        elif path.name == "Dockerfile":
            folders["docker"].add(folder)
    assert {ecosystem: set(paths) for ecosystem, paths in watched.items()} == folders


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("path", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: str(path.stem))
def test_an_issue_form_is_one_that_github_shows(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "body", "labels", "title"}
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields) > 0
    for part in form["body"]:
        assert part["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert part["attributes"]["value" if part["type"] == "markdown" else "label"]
    # Relative to `…/issues/new`, where GitHub shows the form.
    for target in re.findall(r"\]\(\.\./blob/main/([^)]+)\)", path.read_text()):
        assert (REPOSITORY / target).is_file(), target


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_version_managers_find_the_supported_pythons_newest_first() -> None:
    lines = (REPOSITORY / ".python-version").read_text().split()
    assert lines == supported_pythons()[::-1]


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_packages_say_that_they_are_typed(package: str) -> None:
    assert (REPOSITORY / package / "__init__.py").exists()
    assert (REPOSITORY / package / "py.typed").exists()


def test_pre_commit_uses_the_project_s_own_tools() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    [local] = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local", "nothing is downloaded"
    for hook in local["hooks"]:
        program, *arguments = hook["entry"].split()
        assert program in {".venv/bin/ruff", "make"}
        assert program != "make" or arguments[-1] in targets
        re.compile(hook.get("files", ""))


def test_the_devcontainer_is_the_image_that_the_workflow_tests_in() -> None:
    container = json.loads((REPOSITORY / ".devcontainer" / "devcontainer.json").read_text())
    image = JOBS["test"]["container"]["image"]
    assert container["image"] == image.replace("${{ matrix.python }}", supported_pythons()[-1])
