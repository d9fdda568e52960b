"""Settings of server processes: the real ones, with fast password hashes: a real hash takes longer than most tests.

Processes that a test starts with a documented command and an environment of its own have the real settings alone.
"""

from __future__ import annotations

from hunarmitra.settings import *  # noqa: F403 - settings are names in a module

PASSWORD_HASHERS = ["tests.support.fast_hashes.FastPasswordHasher"]
