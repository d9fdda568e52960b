"""Every file names the same version, and the changelog has a section for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
import yaml

from tests.support.surroundings import REPOSITORY
from tools.version import PLACES, VersionError, versions, write


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def current() -> str:
    [version] = set.union(*versions().values())
    return version


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the files that name the version to another folder."""
    for place in PLACES:
        target = tmp_path / place.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / place.path, target)
    return tmp_path


def test_all_files_name_one_version() -> None:
    assert {path: found for path, found in versions().items() if found != {current()}} == {}


def test_the_manifests_that_the_chart_renders_name_it_too() -> None:
    labels = [
        document["metadata"]["labels"]["app.kubernetes.io/version"]
        for path in (REPOSITORY / "k8s").glob("*/*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if document and "app.kubernetes.io/version" in document.get("metadata", {}).get("labels", {})
    ]
    assert labels
    assert set(labels) == {current()}, "run make chart"


def test_the_installed_package_has_it() -> None:
    assert installed_version("hunarmitra") == current(), "run make setup"


def test_a_new_version_is_written_into_every_file(copy: Path) -> None:
    before = {place.path: (copy / place.path).read_text() for place in PLACES}
    write("12.34.56", copy)
    assert set.union(*versions(copy).values()) == {"12.34.56"}
    for path, text in before.items():
        assert (copy / path).read_text() == text.replace(current(), "12.34.56"), "and nothing else is changed"


@pytest.mark.parametrize("wrong", ["1.0", "v1.0.0", "1.0.0rc1", ""])
def test_what_is_not_a_version_is_refused_before_anything_is_written(copy: Path, wrong: str) -> None:
    with pytest.raises(VersionError, match="is not a version"):
        write(wrong, copy)
    assert set.union(*versions(copy).values()) == {current()}


def test_a_file_that_no_longer_names_it_is_reported(copy: Path) -> None:
    (copy / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(VersionError, match=r"pyproject\.toml names the version 0 times instead of 1"):
        write("1.0.0", copy)


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "tools.version"]
    assert (
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout == f"{current()}\n"
    )


def test_the_changelog_has_unreleased_changes_above_released_versions_newest_first() -> None:
    headings = re.findall(r"^## (.+)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:]]
    assert released
    assert all(released), headings
    order = [numbers(match[1]) for match in released if match]
    assert order == sorted(set(order), reverse=True)
    assert numbers(current()) >= order[0]


def test_the_changelog_groups_changes_by_the_usual_headings() -> None:
    for section in re.split(r"(?m)^## ", (REPOSITORY / "CHANGELOG.md").read_text())[1:]:
        groups = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert set(groups) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert len(groups) == len(set(groups)), section.splitlines()[0]
