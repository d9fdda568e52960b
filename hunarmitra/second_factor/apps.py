from django.apps import AppConfig


class SecondFactorConfig(AppConfig):
    name = "hunarmitra.second_factor"
    verbose_name = "Second factor"
