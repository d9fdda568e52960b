"""Where the programs of the tests run, and what they inherit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child: coverage's variables, but no settings of the developer's shell."""
    names = [*_INHERITED, *(name for name in os.environ if name.startswith("COVERAGE_"))]
    return {name: os.environ[name] for name in names if name in os.environ} | dict(extra or {})
