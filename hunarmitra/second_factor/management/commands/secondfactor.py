"""``manage.py secondfactor``: the second factor of a user, for the first superuser or a lost device."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hunarmitra.accounts.models import User
from hunarmitra.second_factor import services
from hunarmitra.second_factor.selectors import device_of, setup_text, setup_url

ATTEMPTS = 3


class Command(BaseCommand):
    help = "Add or remove the second factor of a user at the admin, or make new recovery codes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "action",
            choices=("add", "remove", "codes"),
            help="add: show the secret for an authenticator app, and ask for a code of it; "
            "remove: for a lost device; codes: replace the recovery codes",
        )
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        username = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"user '{username}' does not exist")
        if options["action"] == "add":
            self._add(user)
        elif options["action"] == "remove":
            self._remove(user)
        else:
            self._renew(user)

    def _remove(self, user: User) -> None:
        if not services.device_remove(user_id=user.pk):
            raise CommandError(f"user '{user.username}' has no second factor")
        self.stdout.write(f"Second factor of user '{user.username}' removed. All sessions of this user have ended.")

    def _renew(self, user: User) -> None:
        try:
            self._show(services.recovery_codes_renew(user_id=user.pk))
        except services.NoDeviceError:
            raise CommandError(f"user '{user.username}' has no second factor: add one first") from None

    def _add(self, user: User) -> None:
        if device_of(user.pk) is not None:
            raise CommandError(f"user '{user.username}' has a second factor already: remove it first")
        secret = services.secret_generate()
        self.stdout.write(f"Add this to an authenticator app:\n\n    {setup_url(user, secret)}\n\n", ending="")
        self.stdout.write(
            f"or type the secret into it (time-based, 6 digits):\n\n    {setup_text(secret)}\n\n", ending=""
        )
        for _ in range(ATTEMPTS):
            try:
                code = input("Code that the app shows now: ")
            except EOFError:
                break
            try:
                codes = services.device_add(user_id=user.pk, secret=secret, code=code)
            except services.WrongCodeError:
                self.stderr.write("This is not a code of the secret. Is the clock of the device right?")
                continue
            except services.DeviceExistsError:
                raise CommandError(f"user '{user.username}' has a second factor already: remove it first") from None
            self.stdout.write(f"Second factor of user '{user.username}' added. All sessions of this user have ended.")
            self._show(codes)
            return
        raise CommandError("nothing is added: no code was right")

    def _show(self, codes: list[str]) -> None:
        self.stdout.write(
            "Recovery codes, each for one sign-in without the device. They are not shown again:\n\n", ending=""
        )
        for code in codes:
            self.stdout.write(f"    {code}")
        if settings.ENVIRONMENT.admin_second_factor == "off":
            self.stdout.write("\nThe admin does not ask for codes now, because ADMIN_SECOND_FACTOR is off.")
