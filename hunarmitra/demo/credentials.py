"""Passwords of the demo users, kept beside the database so that a second run prints the same ones."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from hunarmitra.config.declaration import BASE_DIR

FILE_NAME = "demo.json"


def credentials_path() -> Path:
    """Beside SQLite's file; for a database server, in the project's ``var``."""
    if connection.vendor == "sqlite":
        return Path(settings.DATABASES["default"]["NAME"]).parent / FILE_NAME
    return BASE_DIR / "var" / FILE_NAME


def read_passwords() -> dict[str, str]:
    """Return user name → password; empty when none were kept."""
    kept = _content(credentials_path())
    return {name: password for name, password in kept.items() if isinstance(password, str)}


def _content(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file; empty when the file is missing or holds anything else."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def keep_passwords(passwords: Mapping[str, str]) -> bool:
    """Replace the file in one step, readable by its owner only.

    Return False when it cannot be written, or when it holds anything but passwords of these users: then the file
    belongs to another program, because the name is a common one.
    """
    path = credentials_path()
    kept = _content(path)
    ours = bool(kept) and set(kept) <= set(passwords) and all(isinstance(password, str) for password in kept.values())
    if path.exists() and not ours:
        return False
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes the file with mode 0600.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE_NAME}.")
        with os.fdopen(descriptor, "w") as file:
            json.dump(passwords, file, indent=2)
            file.write("\n")
        Path(temporary).replace(path)
    except OSError:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        return False
    return True
