"""The software bill of materials has every package of a lock, with its hashes."""

from __future__ import annotations

import json
from pathlib import Path

from tools import sbom

LOCK = """\
django==5.2.19 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via -r http.in
psycopg[binary,pool]==3.3.4 ; python_version >= '3.11' \\
    --hash=sha256:{c}
""".format(a="a" * 64, b="b" * 64, c="c" * 64)


def test_a_component_has_its_version_and_hashes() -> None:
    first, second = sbom.components(LOCK)
    assert (first["purl"], second["purl"]) == ("pkg:pypi/django@5.2.19", "pkg:pypi/psycopg@3.3.4")
    assert [found["content"][0] for found in first["hashes"]] == ["a", "b"]
    assert second["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]


def test_each_image_has_a_bill_of_its_lock(tmp_path: Path) -> None:
    sbom.main(tmp_path / "sbom")
    for image, lock in sbom.LOCKS.items():
        bill = json.loads((tmp_path / "sbom" / f"{image}.cdx.json").read_text())
        packages = [line for line in (sbom.REPOSITORY / lock).read_text().splitlines() if line[:1].isalnum()]
        assert bill["specVersion"] == "1.6"
        assert len(bill["components"]) == len(packages) > 10
        assert all(component["hashes"] for component in bill["components"])
