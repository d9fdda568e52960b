from django.apps import AppConfig

from hunarmitra.config.misspelt import warn_of_misspelt_settings


class MaintenanceConfig(AppConfig):
    name = "hunarmitra.maintenance"
    verbose_name = "Maintenance"

    def ready(self) -> None:
        """Warn at the start: a misspelt setting would silently keep its default."""
        warn_of_misspelt_settings()
