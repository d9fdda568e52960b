"""Create users with the domain's service; `actors.seed` runs this module in a stack's environment.

It reads a JSON list of `{"username", "password", "name", "role"}` and prints it with each user's `id`. With the
argument `--sign-in` it adds the tokens of a first session, and hashes passwords fast, because a real hash takes longer
than most tests.
"""

from __future__ import annotations

import json
import os
import sys

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()

    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    from hunarmitra.accounts.services import session_start, user_create

    users = json.load(sys.stdin)
    quickly = "--sign-in" in sys.argv
    for user in users:
        made = user_create(**{**user, "password": None if quickly else user["password"]})
        user["id"] = str(made.pk)
        if quickly:
            hasher = PBKDF2PasswordHasher()
            made.password = hasher.encode(user["password"], hasher.salt(), iterations=1)
            made.save(update_fields=["password"])
            tokens = session_start(user=made)
            user["access"], user["refresh"] = tokens.access, tokens.refresh
    json.dump(users, sys.stdout)
