"""Report known vulnerabilities of the locked dependencies: `python -m tools.audit`.

pip-audit reads the Python locks, `npm audit` the JavaScript ones. A vulnerability for which a fixed release exists is
an error, exit code 1. One without a fix is printed, as there is nothing to install. Without a network, or with an index
that has no data on vulnerabilities, a note says what was not audited; the exit code is 0.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PYTHON_LOCKS: Final = (
    "requirements/dev.txt",
    "requirements/bench.txt",
    "requirements/audit.txt",
    "operator/requirements-dev.txt",
    "clients/python/requirements-dev.txt",
)
"""The locks of the images are parts of the first and the fourth."""
JAVASCRIPT_LOCKS: Final = ("clients/js", "bench/socketio", "tests/support/asyncapi", "tests/support/wscat")
MOST_SECONDS: Final = 120
"""For one lock."""


@dataclass(frozen=True)
class Finding:
    """A vulnerability of a dependency. ``fix`` is the release to install, empty if there is none."""

    lock: str
    package: str
    name: str
    fix: str

    def __str__(self) -> str:
        return f"{self.lock}: {self.package} has {self.name}; " + (f"install {self.fix}" if self.fix else "no fix yet")


class NotAuditedError(Exception):
    """The program is missing, or could not get its data."""


def python_findings(lock: str, report: dict[str, Any]) -> Iterator[Finding]:
    """Yield the findings of pip-audit. Raises NotAuditedError if the index knew none of the packages."""
    packages = report["dependencies"]
    if packages and all("skip_reason" in package for package in packages):
        raise NotAuditedError("the package index has no data on vulnerabilities")
    for package in packages:
        for found in package.get("vulns", ()):
            fix = " or ".join(found["fix_versions"])
            yield Finding(lock, f"{package['name']} {package['version']}", found["id"], fix)


def javascript_findings(lock: str, report: dict[str, Any]) -> Iterator[Finding]:
    """Yield the findings of `npm audit`. Raises NotAuditedError if the registry did not answer."""
    if "vulnerabilities" not in report:
        raise NotAuditedError(str(report.get("message") or report.get("error") or "npm audit has no report"))
    for name, found in report["vulnerabilities"].items():
        fix = found["fixAvailable"]
        version = f"{fix['name']} {fix['version']}" if isinstance(fix, dict) else "the newest release" if fix else ""
        titles = [cause["title"] for cause in found["via"] if isinstance(cause, dict)]
        yield Finding(lock, f"{name} {found['range']}", "; ".join(titles) or f"{found['severity']} severity", version)


def _report(command: Sequence[str], folder: Path) -> dict[str, Any]:
    program = shutil.which(command[0])
    if program is None:
        raise NotAuditedError(f"{command[0]} is not installed")
    try:
        result = subprocess.run(
            [program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotAuditedError(f"no answer within {MOST_SECONDS} s") from None
    try:
        report: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        reason = (result.stderr.strip().splitlines() or ["no output"])[-1]
        raise NotAuditedError(reason[:300]) from None
    return report


def audit_python(lock: str) -> list[Finding]:
    options = ["--disable-pip", "--no-deps", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    command = [str(Path(sys.executable).with_name("pip-audit")), *options, "--requirement", lock]
    return list(python_findings(lock, _report(command, REPOSITORY)))


def audit_javascript(folder: str) -> list[Finding]:
    command = ["npm", "audit", "--package-lock-only", "--json"]
    return list(javascript_findings(folder, _report(command, REPOSITORY / folder)))


def result_of(findings: Iterable[Finding]) -> int:
    """Print the findings; return the exit code."""
    fixable = False
    for finding in findings:
        print("error:" if finding.fix else "note:", finding)
        fixable = fixable or bool(finding.fix)
    return int(fixable)


def main() -> int:
    findings: list[Finding] = []
    for audit, locks in ((audit_python, PYTHON_LOCKS), (audit_javascript, JAVASCRIPT_LOCKS)):
        for lock in locks:
            try:
                findings += audit(lock)
            except NotAuditedError as error:
                print(f"note: {lock} was not audited: {error}")
            else:
                print(f"{lock} was audited")
    return result_of(findings)


if __name__ == "__main__":
    sys.exit(main())
