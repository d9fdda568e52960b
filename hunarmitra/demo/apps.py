from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "hunarmitra.demo"
    verbose_name = "Demo"
