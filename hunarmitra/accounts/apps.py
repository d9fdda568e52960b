from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "hunarmitra.accounts"
    verbose_name = "Accounts"
