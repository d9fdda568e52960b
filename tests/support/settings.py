"""Settings of the test process itself, for tests that call the code directly. Servers use the real ones."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "a-secret-key-for-the-tests-of-this-process-only-0123456789")
os.environ.setdefault("ALLOWED_HOSTS", "testserver,localhost,127.0.0.1")

from hunarmitra.settings import *  # noqa: F403 - settings are names in a module
from hunarmitra.settings import DATABASES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file: SQLite's shared in-memory databases lock whole tables and ignore the busy timeout.
    DATABASES["default"].setdefault("TEST", {})["NAME"] = str(
        Path(tempfile.gettempdir()) / f"hunarmitra-test-{os.getpid()}.sqlite3"
    )
