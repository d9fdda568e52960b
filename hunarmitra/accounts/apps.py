import sys

from django.apps import AppConfig

from hunarmitra.config.declaration import ConfigurationError


class AccountsConfig(AppConfig):
    name = "hunarmitra.accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Read the signing keys now: a wrong key stops the start instead of the first sign-in."""
        from hunarmitra.accounts.tokens import token_backend

        try:
            token_backend()
        except ConfigurationError as error:
            sys.exit(f"hunarmitra cannot start: {error}")
