"""`make audit`: which findings are errors, and what is only noted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_repository import tracked_files
from tools import audit
from tools.audit import Finding, NotAuditedError, javascript_findings, python_findings, result_of

VULNERABLE: dict[str, Any] = {
    "dependencies": [
        {"name": "django", "version": "4.2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["4.2.1", "5.0"]}]},
        {"name": "old", "version": "1.0", "vulns": [{"id": "GHSA-2", "fix_versions": []}]},
        {"name": "redis", "version": "8.1.0", "vulns": []},
        {"name": "own", "skip_reason": "Dependency not found on PyPI"},
    ]
}
CAUSES = [{"title": "Prototype pollution"}, "other"]
NPM: dict[str, Any] = {
    "vulnerabilities": {
        "lodash": {
            "range": "<4",
            "severity": "high",
            "via": CAUSES,
            "fixAvailable": {"name": "lodash", "version": "4"},
        },
        "deep": {"range": "*", "severity": "low", "via": ["lodash"], "fixAvailable": True},
        "stuck": {"range": "*", "severity": "high", "via": ["lodash"], "fixAvailable": False},
    }
}


def test_findings_of_python_name_the_release_to_install() -> None:
    assert list(python_findings("lock", VULNERABLE)) == [
        Finding("lock", "django 4.2.0", "PYSEC-1", "4.2.1 or 5.0"),
        Finding("lock", "old 1.0", "GHSA-2", ""),
    ]


def test_findings_of_javascript() -> None:
    assert [(found.package, found.name, found.fix) for found in javascript_findings("lock", NPM)] == [
        ("lodash <4", "Prototype pollution", "lodash 4"),
        ("deep *", "low severity", "the newest release"),
        ("stuck *", "high severity", ""),
    ]


def test_only_a_finding_with_a_fix_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    fixable, stuck = python_findings("lock", VULNERABLE)
    assert result_of([stuck]) == 0
    assert result_of([stuck, fixable]) == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "note: lock: old 1.0 has GHSA-2; no fix yet",
        "error: lock: django 4.2.0 has PYSEC-1; install 4.2.1 or 5.0",
    ]
    assert result_of([]) == 0


def test_an_index_without_data_is_not_an_audit() -> None:
    with pytest.raises(NotAuditedError, match="no data"):
        list(python_findings("lock", {"dependencies": [{"name": "a", "skip_reason": "unknown"}]}))
    with pytest.raises(NotAuditedError, match="405"):
        list(javascript_findings("lock", {"message": "405 Method Not Allowed"}))


def program(directory: Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(monkeypatch: pytest.MonkeyPatch, directory: Path, *, pip_audit: str, npm: str) -> int:
    program(directory, "pip-audit", pip_audit)
    program(directory, "npm", npm)
    monkeypatch.setenv("PATH", str(directory), prepend=":")
    monkeypatch.setattr(sys, "executable", str(directory / "python"))
    return audit.main()


OFFLINE = "echo 'Failed to resolve the name of the index' >&2; exit 1"


def test_without_a_network_there_are_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, pip_audit=OFFLINE, npm=OFFLINE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(audit.PYTHON_LOCKS) + len(audit.JAVASCRIPT_LOCKS)
    assert all(line.startswith("note: ") and "Failed to resolve" in line for line in lines)


def test_a_program_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_SECONDS", 0.1)
    assert run(monkeypatch, tmp_path, pip_audit="exec sleep 60", npm="exec sleep 60") == 0


def test_a_vulnerability_with_a_fix_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = f"cat <<'END'\n{json.dumps(VULNERABLE)}\nEND\nexit 1"
    assert run(monkeypatch, tmp_path, pip_audit=report, npm=OFFLINE) == 1


def test_every_lock_is_audited() -> None:
    """A lock of an image is a part of the lock for development, which has the same versions."""
    root = audit.REPOSITORY
    found = {str(path.relative_to(root)) for path in tracked_files()}
    locks = {name for name in found if name.endswith(".txt") and "requirements" in name}
    parts = {f"requirements/{name}.txt" for name in ("docs", "embedded", "http", "otlp-grpc", "ws")}
    assert locks - parts - {"operator/requirements.txt"} == set(audit.PYTHON_LOCKS)
    packages = {name for name in found if name.endswith("package-lock.json")}
    assert packages == {f"{folder}/package-lock.json" for folder in audit.JAVASCRIPT_LOCKS}
