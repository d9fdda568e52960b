"""Settings of the test process, for tests that call the code directly. Servers use `settings_servers`.

Django's test database is SQLite in memory, which belongs to one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("SECRET_KEY", "a-secret-key-for-the-tests-of-this-process-only-0123456789")
os.environ.setdefault("ALLOWED_HOSTS", "testserver,localhost,127.0.0.1")

from hunarmitra.settings import *  # noqa: F403 - settings are names in a module

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
