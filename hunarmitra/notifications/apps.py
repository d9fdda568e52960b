from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "hunarmitra.notifications"
    verbose_name = "Notifications"
