from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "hunarmitra.realtime"
    verbose_name = "Realtime"
