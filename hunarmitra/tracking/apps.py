import sys

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class TrackingConfig(AppConfig):
    name = "hunarmitra.tracking"
    verbose_name = "Tracking"

    def ready(self) -> None:
        """Import the estimator at the start. A wrong path then stops the start, instead of failing a location later."""
        path = settings.ENVIRONMENT.eta_estimator
        try:
            problem = None if callable(import_string(path)) else "which is not a function"
        except ImportError as error:
            problem = f"which cannot be imported: {error}"
        if problem:
            sys.exit(f"hunarmitra cannot start: ETA_ESTIMATOR names {path!r}, {problem}.")
