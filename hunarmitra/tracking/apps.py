from django.apps import AppConfig


class TrackingConfig(AppConfig):
    name = "hunarmitra.tracking"
    verbose_name = "Tracking"
