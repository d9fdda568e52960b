"""The least authenticated REST framework view: simplejwt's own authentication, one query for the user, a small body."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.bare_rest_settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
