"""The project's settings with one bare view, stock authentication and no middleware."""

from __future__ import annotations

import os

from hunarmitra.settings import *  # noqa: F403 - settings are names in a module
from hunarmitra.settings import SIMPLE_JWT

ROOT_URLCONF = "bench.peers.bare_rest_urls"
MIDDLEWARE = []
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
SIMPLE_JWT = {
    **{name: value for name, value in SIMPLE_JWT.items() if name != "AUTH_TOKEN_CLASSES"},
    "SIGNING_KEY": os.environ["BENCH_JWT_SECRET"],
}
