from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "hunarmitra.outbox"
    label = "realtime"  # the tables and migrations of version 0.1 are named after it
    verbose_name = "Realtime"
