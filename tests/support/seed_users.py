"""Create users with the domain's service: `actors.seed` runs this module in a stack's environment, or calls `create`.

It reads a JSON list of `{"username", "password", "name", "role"}` and prints it with each user's `id`. With the
argument `--sign-in` it adds the tokens of a first session, and hashes passwords fast, because a real hash takes longer
than most tests.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django


def create(users: list[dict[str, Any]], sign_in: bool) -> list[dict[str, Any]]:
    """Return the users with `id`, and with `access` and `refresh` if they are signed in."""
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    from hunarmitra.accounts.services import session_start, user_create

    for user in users:
        made = user_create(**{**user, "password": None if sign_in else user["password"]})
        user["id"] = str(made.pk)
        if sign_in:
            hasher = PBKDF2PasswordHasher()
            made.password = hasher.encode(user["password"], hasher.salt(), iterations=1)
            made.save(update_fields=["password"])
            tokens = session_start(user=made)
            user["access"], user["refresh"] = tokens.access, tokens.refresh
    return users


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()
    json.dump(create(json.load(sys.stdin), "--sign-in" in sys.argv), sys.stdout)
