"""What the Dockerfiles promise, as far as their text shows it. The images themselves are looked at on a cluster."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY

DOCKERFILES = {
    "http": REPOSITORY / "services/http/Dockerfile",
    "ws": REPOSITORY / "services/ws/Dockerfile",
    "operator": REPOSITORY / "operator/Dockerfile",
}
LOCKS = {
    "http": REPOSITORY / "requirements/http.txt",
    "ws": REPOSITORY / "requirements/ws.txt",
    "operator": REPOSITORY / "operator/requirements.txt",
}
NOT_IN = {
    "http": {"twisted", "daphne", "autobahn", "uvicorn", "kopf", "grpcio"},
    "ws": {"gunicorn", "drf-spectacular", "whitenoise", "uvicorn", "kopf", "grpcio"},
    "operator": {"django", "djangorestframework", "channels", "daphne", "gunicorn", "psycopg"},
}
everywhere = pytest.mark.parametrize("name", DOCKERFILES)


def text(name: str) -> str:
    return DOCKERFILES[name].read_text()


def last_stage(name: str) -> str:
    return text(name).rpartition("\nFROM ")[2]


@everywhere
def test_every_stage_starts_from_the_base_that_is_an_argument(name: str) -> None:
    assert text(name).count("ARG BASE=python:3.13-slim") == 1
    stages = re.findall(r"^FROM (\S+) AS (\w+)$", text(name), re.MULTILINE)
    assert {source for source, _ in stages} <= {"${BASE}", *(stage for _, stage in stages)}


@everywhere
def test_packages_are_wheels_from_the_lock_with_hashes(name: str) -> None:
    assert "--no-deps --require-hashes" in text(name)
    assert "--only-binary :all:" in text(name)
    assert not re.search(r"apt-get|build-essential|gcc", text(name))
    assert "--hash=sha256:" in LOCKS[name].read_text()


@everywhere
def test_the_image_runs_as_a_numbered_user_and_owns_nothing(name: str) -> None:
    runtime = text(name).partition("AS runtime")[2].partition("\nFROM ")[0]
    assert re.findall(r"^USER (.+)$", runtime, re.MULTILINE) == ["10001:10001"]
    assert "USER" not in last_stage(name)
    assert "--chown" not in last_stage(name)


@everywhere
def test_the_image_is_labelled(name: str) -> None:
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in text(name)


@everywhere
def test_the_lock_has_nothing_that_belongs_elsewhere(name: str) -> None:
    packages = set(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*])?==", LOCKS[name].read_text(), re.MULTILINE))
    assert packages
    assert not packages & NOT_IN[name]


@everywhere
def test_what_is_copied_is_allowed_by_the_ignore_file(name: str) -> None:
    """The ignore files list what is allowed; a forgotten entry fails a build late and far away."""
    folder = REPOSITORY / "operator" if name == "operator" else REPOSITORY
    lines = (folder / ".dockerignore").read_text().splitlines()
    allowed = {Path(line[1:]) for line in lines if line.startswith("!")}
    assert "*" in lines
    for source in re.findall(r"^COPY (?!--from)(\S+)", text(name), re.MULTILINE):
        assert (folder / source).exists(), source
        assert Path(source) in allowed, source


@pytest.mark.parametrize("name", ["http", "ws"])
def test_grpc_is_added_on_request_and_agrees_with_the_rest(name: str) -> None:
    assert "${OTLP_GRPC:+-r /tmp/otlp-grpc.txt}" in text(name)
    assert re.search(r"^ARG OTLP_GRPC=$", text(name), re.MULTILINE)
    extra, lock = pinned(REPOSITORY / "requirements/otlp-grpc.txt"), pinned(LOCKS[name])
    assert "grpcio" in extra
    assert {package: extra[package] for package in extra.keys() & lock} == {
        package: lock[package] for package in extra.keys() & lock
    }


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*])?==(\S+)", lock.read_text(), re.MULTILINE))
