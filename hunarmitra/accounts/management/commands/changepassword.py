"""``manage.py changepassword [USERNAME]``: as Django's command, and the user is signed out everywhere.

Django's own saves the whole row, and leaves sessions and connections alive.
"""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from hunarmitra.accounts.models import User
from hunarmitra.accounts.services import user_set_password

ATTEMPTS = 3


class Command(changepassword.Command):
    help = "Change a user's password, and end all sessions and connections of the user."

    def handle(self, *args: Any, **options: Any) -> str:
        username = options["username"] or getpass.getuser()
        user = User.objects.using(options["database"]).filter(username=username).first()
        if user is None:
            raise CommandError(f"user '{username}' does not exist")
        self.stdout.write(f"Changing password for user '{username}'")
        user_set_password(user_id=user.pk, password=self._new_password(user))
        return f"Password changed for user '{username}'. All sessions of this user have ended."

    def _new_password(self, user: User) -> str:
        for _ in range(ATTEMPTS):
            password = self._ask("Password: ")
            if password != self._ask("Password (again): "):
                self.stdout.write("Passwords do not match. Please try again.")
                continue
            try:
                validate_password(password, user)
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
                continue
            return password
        raise CommandError(f"the password is not changed, after {ATTEMPTS} attempts")

    def _ask(self, prompt: str) -> str:
        password = getpass.getpass(prompt)
        if not password:
            raise CommandError("aborted")
        return password
