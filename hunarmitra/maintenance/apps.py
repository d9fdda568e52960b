from django.apps import AppConfig


class MaintenanceConfig(AppConfig):
    name = "hunarmitra.maintenance"
    verbose_name = "Maintenance"
