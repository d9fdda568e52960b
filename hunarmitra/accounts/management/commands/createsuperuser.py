"""``manage.py createsuperuser``: as Django's command, and ``--no-input`` checks the password too."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from hunarmitra.accounts.models import User

PASSWORD_VARIABLE = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105 - a variable's name
NAMES = (User.USERNAME_FIELD, User.EMAIL_FIELD, *User.REQUIRED_FIELDS)
"""Fields that a password must not resemble; Django has an option and a variable for each."""


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if not options["interactive"] and (password := os.environ.get(PASSWORD_VARIABLE)):
            given = {name: options.get(name) or os.environ.get(f"DJANGO_SUPERUSER_{name.upper()}") for name in NAMES}
            try:
                validate_password(password, User(**{name: value for name, value in given.items() if value}))
            except ValidationError as error:
                raise CommandError(f"{PASSWORD_VARIABLE}: {' '.join(error.messages)}") from None
        super().handle(*args, **options)
