"""The project's version, in every file that names it.

    python -m tools.version          print the version; exit code 1 when two files disagree
    python -m tools.version 0.3.0    write 0.3.0 into all of them

REST, OpenAPI and AsyncAPI have a version of the API instead (v1), which a release does not change.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
VERSION: Final = r"\d+\.\d+\.\d+"
"""Semantic Versioning without pre-releases: Python, npm and Helm write those differently."""


@dataclass(frozen=True)
class Place:
    """The lines of one file that name the version: `before`, then the version. `count` is the number of such lines."""

    path: str
    before: str
    count: int = 1

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(?m)({self.before})({VERSION})\b")


PLACES: Final = (
    Place("pyproject.toml", r'^version = "'),
    Place("operator/pyproject.toml", r'^version = "'),
    Place("services/http/Dockerfile", r"^ARG VERSION="),
    Place("services/ws/Dockerfile", r"^ARG VERSION="),
    Place("operator/Dockerfile", r"^ARG VERSION="),
    Place("charts/hunarmitra/Chart.yaml", r'^(?:appVersion|version): "?', count=2),
    Place("charts/hunarmitra/values.yaml", r"^valuesVersion: "),
    Place("k8s/overlays/production/kustomization.yaml", r"newTag: ", count=3),
    Place("clients/js/package.json", r'^  "version": "'),
    Place("clients/js/package-lock.json", r'"name": "@hunarmitra/realtime",\n +"version": "', count=2),
    Place("clients/python/pyproject.toml", r'^version = "'),
    Place("clients/dart/pubspec.yaml", r"^version: "),
    Place("docs/operations.md", r"IMAGE_TAG="),
)


class VersionError(Exception):
    """A file does not contain the version as expected. The message names the file."""


def versions(root: Path = REPOSITORY) -> dict[str, set[str]]:
    """Return the versions that each file names. Raises VersionError when a file has more or fewer of them."""
    found = {}
    for place in PLACES:
        named = [match[2] for match in place.pattern.finditer((root / place.path).read_text())]
        if len(named) != place.count:
            raise VersionError(f"{place.path} names the version {len(named)} times instead of {place.count}")
        found[place.path] = set(named)
    return found


def write(version: str, root: Path = REPOSITORY) -> None:
    """Write `version` into every file. Raises VersionError, before anything is written."""
    if not re.fullmatch(VERSION, version):
        raise VersionError(f"{version!r} is not a version: write three numbers, such as 0.3.0")
    versions(root)
    for place in PLACES:
        path = root / place.path
        path.write_text(place.pattern.sub(rf"\g<1>{version}", path.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.version", description="Print or set the project's version.")
    parser.add_argument("version", nargs="?", help="the version to write into every file, such as 0.3.0")
    version = parser.parse_args().version
    try:
        if version:
            write(version)
        named = versions()
    except VersionError as error:
        sys.exit(f"error: {error}")
    if len(set.union(*named.values())) > 1:
        for path, there in named.items():
            print(f"{path}: {', '.join(sorted(there))}", file=sys.stderr)
        sys.exit("error: these files name different versions: run python -m tools.version with the right one")
    print(*set.union(*named.values()))


if __name__ == "__main__":
    main()
