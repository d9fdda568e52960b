"""The WSGI application: REST and admin, for gunicorn."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from hunarmitra.metrics import expose_metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")

application = get_wsgi_application()
expose_metrics()
