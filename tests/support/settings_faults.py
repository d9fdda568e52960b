"""Settings of server processes that carry out a test's `Faults`: the real ones, with fast password hashes."""

from __future__ import annotations

import os
from pathlib import Path

from hunarmitra.settings import *  # noqa: F403 - settings are names in a module
from tests.support import faults

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",  # of the people who were signed in while they were made
]

faults.obey(Path(os.environ["FAULTS_DIRECTORY"]))
