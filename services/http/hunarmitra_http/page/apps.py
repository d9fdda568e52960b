from django.apps import AppConfig


class PageConfig(AppConfig):
    name = "hunarmitra_http.page"
    label = "page"
    verbose_name = "Page"
