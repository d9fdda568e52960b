"""Programs that the tests need in addition to Python: found, or installed with apt (as root).

Every function returns paths, or fails the test with a message that names what to install.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.surroundings import REPOSITORY

REDIS_MAJOR, POSTGRES_MAJOR, NODE_MAJOR = 7, 15, 18
CACHE = REPOSITORY / ".cache"
WSCAT_PROJECT = Path(__file__).parent / "wscat"
ASYNCAPI_PROJECT = Path(__file__).parent / "asyncapi"


Found = TypeVar("Found")


class ToolMissingError(Exception):
    """A program is missing or too old."""


@dataclass(frozen=True)
class PostgresPrograms:
    initdb: Path
    postgres: Path

    @property
    def basebackup(self) -> Path:
        """`pg_basebackup`, which makes a replica; distributions have it among the client's programs."""
        return self.initdb.with_name("pg_basebackup")


@cache
def redis_server() -> Path:
    """Return redis-server, which is also the Sentinel (`--sentinel`)."""
    return _found_or_installed(_find_redis, "redis-server", f"Redis >= {REDIS_MAJOR} (redis-server)")


@cache
def postgres() -> PostgresPrograms:
    return _found_or_installed(_find_postgres, "postgresql", f"PostgreSQL >= {POSTGRES_MAJOR} (initdb and postgres)")


@cache
def prometheus() -> Path:
    return _found_or_installed(lambda: _on_path("prometheus"), "prometheus", "Prometheus")


@cache
def promtool() -> Path:
    """Return promtool, which is in Prometheus' package."""
    return _found_or_installed(lambda: _on_path("promtool"), "prometheus", "promtool")


@cache
def alertmanager() -> Path:
    """Return Alertmanager. Debian names the program like its package, other systems name it alertmanager."""
    return _found_or_installed(_find_alertmanager, "prometheus-alertmanager", "Alertmanager")


@cache
def chromium() -> Path:
    """Return the browser, for Playwright."""
    return _found_or_installed(lambda: _on_path("chromium"), "chromium", "Chromium")


@cache
def hindi_font() -> Path:
    """Return a font with the Devanagari script: without one, text in Hindi is a row of empty boxes of another width."""
    return _found_or_installed(_find_hindi_font, "fonts-lohit-deva", "a font for Hindi")


@cache
def wscat() -> Path:
    """Return wscat in the version of `wscat/package-lock.json`, installed under .cache by npm."""
    return _npm_project(WSCAT_PROJECT) / "node_modules" / ".bin" / "wscat"


@cache
def asyncapi_validator() -> Path:
    """Return a script for `node` that calls AsyncAPI's parser."""
    return _npm_project(ASYNCAPI_PROJECT) / "validate.js"


@cache
def js_client() -> Path:
    """Return the folder of the JavaScript client, with the packages for its tests installed."""
    folder = REPOSITORY / "clients" / "js"
    lock = (folder / "package-lock.json").read_bytes()
    with _exclusive("js-client"):
        installed = folder / "node_modules" / ".installed-lock.json"
        if not (installed.exists() and installed.read_bytes() == lock):
            npm_install(folder)
            installed.write_bytes(lock)
    return folder


def npm() -> Path:
    return _found_or_installed(_find_npm, "npm", f"Node.js >= {NODE_MAJOR} with npm")


def npm_install(folder: Path) -> None:
    """Install the packages of the folder's lock file, without running their scripts."""
    _run([npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)


def _npm_project(source: Path) -> Path:
    """Return a copy of `source` under .cache with its packages installed; it is renewed if a file has changed."""
    target = CACHE / source.name
    with _exclusive(source.name):
        complete = target / ".complete"
        files = {path.name: path.read_bytes() for path in sorted(source.iterdir()) if path.is_file()}
        same = all((target / name).exists() and (target / name).read_bytes() == text for name, text in files.items())
        if not (complete.exists() and same):
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            for name, text in files.items():
                (target / name).write_bytes(text)
            npm_install(target)
            complete.touch()
    return target


def _find_redis() -> Path:
    path = _on_path("redis-server")
    _require_version(path, r"v=(\d+)", REDIS_MAJOR)
    return path


def _find_postgres() -> PostgresPrograms:
    """Return PostgreSQL from the PATH, else Debian's newest, which is not on the PATH."""
    folders = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version_of_folder, reverse=True)
    problem = ToolMissingError("initdb is not on the PATH")
    for folder in folders:
        programs = PostgresPrograms(initdb=folder / "initdb", postgres=folder / "postgres")
        if not (programs.initdb.exists() and programs.postgres.exists()):
            continue
        try:
            _require_version(programs.postgres, r"PostgreSQL\) (\d+)", POSTGRES_MAJOR)
        except ToolMissingError as error:
            problem = error
        else:
            return programs
    raise problem


def _find_alertmanager() -> Path:
    try:
        return _on_path("alertmanager")
    except ToolMissingError:
        return _on_path("prometheus-alertmanager")


def _find_npm() -> Path:
    _require_version(_on_path("node"), r"v(\d+)", NODE_MAJOR)
    return _on_path("npm")


def _version_of_folder(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _on_path(name: str) -> Path:
    found = shutil.which(name)
    if not found:
        raise ToolMissingError(f"{name} is not on the PATH")
    return Path(found)


def _find_hindi_font() -> Path:
    command: list[str | Path] = [_on_path("fc-list"), ":lang=hi", "file"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout.splitlines()
    if not found:
        raise ToolMissingError("no font has the Devanagari script")
    return Path(found[0].strip().rstrip(":"))


def _require_version(path: Path, pattern: str, minimum: int) -> None:
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=600).stdout
    match = re.search(pattern, text)
    if not match:
        raise ToolMissingError(f"{path} does not run")
    if int(match.group(1)) < minimum:
        raise ToolMissingError(f"{path} is version {match.group(1)}")


def _found_or_installed(find: Callable[[], Found], package: str, wanted: str) -> Found:
    try:
        return find()
    except ToolMissingError as error:
        reason = str(error)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with _exclusive("apt"):
            try:
                return find()
            except ToolMissingError:
                _apt_install(package)
        try:
            return find()
        except ToolMissingError as error:
            reason = f"{error}, even after apt-get install {package}"
    pytest.fail(f"These tests need {wanted}: {reason}. Install it (Debian: apt-get install {package}).", pytrace=False)


def _apt_install(package: str) -> None:
    """Install a package without starting its service, by means of a policy-rc.d, unless there is one."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        _run(["apt-get", "update", "-q"], env=environment)
        _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], env=environment)
    finally:
        if ours:
            policy.unlink()


def _run(command: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    result = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if result.returncode:
        shown = " ".join(str(part) for part in command)
        pytest.fail(f"`{shown}` failed:\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}", pytrace=False)


@contextmanager
def _exclusive(name: str) -> Iterator[None]:
    """Hold a lock, so that one test process of this machine installs at a time."""
    with (Path(tempfile.gettempdir()) / f"hunarmitra-tests-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Install everything before the tests and their timeouts begin: `python -m tests.support.tools`."""
    try:
        for path in (
            redis_server(),
            postgres().postgres,
            prometheus(),
            alertmanager(),
            wscat(),
            chromium(),
            hindi_font(),
            asyncapi_validator(),
            js_client(),
        ):
            print(f"using {path}")  # noqa: T201 - a command
    except pytest.fail.Exception as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
