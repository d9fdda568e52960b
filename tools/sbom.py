"""Write the software bill of materials of each image: `python -m tools.sbom FOLDER`.

CycloneDX 1.6, made from the lock file that the image is built from, with the hashes that pip verifies. It needs no
network. The operating system's packages are not in it: they come with the base image. `docker buildx` with attestations
lists those too (docs/releasing.md).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tools.version import versions

REPOSITORY: Final = Path(__file__).resolve().parent.parent
LOCKS: Final = {
    "hunarmitra-http": "requirements/http.txt",
    "hunarmitra-ws": "requirements/ws.txt",
    "hunarmitra-operator": "operator/requirements.txt",
}
_PACKAGE: Final = re.compile(r"(?P<name>[a-z0-9._-]+)(?:\[[^]]*])?==(?P<version>[^ ;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")


def components(lock: str) -> Iterator[dict[str, Any]]:
    """Yield a component for each package of the text of a lock file."""
    component: dict[str, Any] | None = None
    for line in lock.splitlines():
        if package := _PACKAGE.match(line):
            if component is not None:
                yield component
            component = _component(package["name"], package["version"])
        if component is not None:
            component["hashes"] += [{"alg": "SHA-256", "content": found["digest"]} for found in _HASH.finditer(line)]
    if component is not None:
        yield component


def _component(name: str, version: str) -> dict[str, Any]:
    reference = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference, "hashes": [],
    }  # fmt: skip


def bill(image: str, lock: str, version: str) -> dict[str, Any]:
    """Return the bill of an image. The same lock gives the same bill, so it has neither a time nor a serial number."""
    application = {"type": "application", "bom-ref": image, "name": image, "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": application},
        "components": sorted(components(lock), key=lambda component: str(component["bom-ref"])),
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    [version] = versions()["pyproject.toml"]
    for image, lock in LOCKS.items():
        made = bill(image, (REPOSITORY / lock).read_text(), version)
        path = folder / f"{image}.cdx.json"
        path.write_text(json.dumps(made, indent=2) + "\n")
        print(f"{path}: {len(made['components'])} components")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
