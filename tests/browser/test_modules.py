"""The page's modules that need no browser, by Node.js's own tests in `modules/`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import hunarmitra_http.page
from tests.support import tools

PAGE = Path(hunarmitra_http.page.__file__).parent / "static" / "page"
TESTS = Path(__file__).parent / "modules"


def test_the_pages_modules(tmp_path: Path) -> None:
    # Node.js takes modules for that only below a package that says so; the page has none.
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copytree(PAGE, tmp_path / "page")
    shutil.copytree(TESTS, tmp_path / "modules")
    names = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "modules").glob("*.test.js"))
    tools.npm()  # fails without Node.js, and says what to install
    result = subprocess.run(
        ["node", "--test", "--test-reporter=tap", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout[-6000:]
    assert re.search(r"^# skipped 0$", result.stdout, re.MULTILINE)
