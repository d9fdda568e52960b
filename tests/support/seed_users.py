"""Run by `actors.seed` in a stack's environment: makes users through the domain's own service.

Reads a JSON list of `{"username", "password", "name", "role"}` and prints it with each user's `id`.
"""

from __future__ import annotations

import json
import os
import sys

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()

    from hunarmitra.accounts.services import user_create

    users = json.load(sys.stdin)
    for user in users:
        user["id"] = str(user_create(**user).pk)
    json.dump(users, sys.stdout)
