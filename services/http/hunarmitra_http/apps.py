from django.apps import AppConfig


class HttpConfig(AppConfig):
    name = "hunarmitra_http"
    verbose_name = "REST API"
