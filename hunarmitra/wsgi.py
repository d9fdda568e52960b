"""The WSGI application: REST and admin, for gunicorn."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from hunarmitra.database.connections import limit_answers
from hunarmitra.metrics import expose_metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")

application: Any = get_wsgi_application()
expose_metrics()
limit_answers(settings.ENVIRONMENT.database_answer_timeout)
if settings.SERVES_HTTP:
    from hunarmitra_http.location_posts import in_front_of

    application = in_front_of(application)
