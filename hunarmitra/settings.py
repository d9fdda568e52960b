"""Django settings, made from :mod:`hunarmitra.config.environment`. ``SERVICES`` decides which apps are installed."""

from __future__ import annotations

import importlib.util
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from hunarmitra.common import redaction
from hunarmitra.config.checks import (
    check_database_pool,
    check_secret_key,
    check_transport_security,
    chosen_services,
)
from hunarmitra.config.database_url import DatabaseTarget
from hunarmitra.config.declaration import BASE_DIR, ConfigurationError
from hunarmitra.config.reading import process_environment
from hunarmitra.telemetry import tracing
from hunarmitra.telemetry.logs import logging_configuration, service_name, set_up_daphne_access_log

_INSTALLED = tuple(name for name in ("http", "ws") if importlib.util.find_spec(f"hunarmitra_{name}") is not None)
try:
    ENVIRONMENT = process_environment()
    SERVICES = chosen_services(ENVIRONMENT, _INSTALLED)
    check_secret_key(ENVIRONMENT, SERVICES)
    check_database_pool(ENVIRONMENT, SERVICES)
    check_transport_security(ENVIRONMENT)
except ConfigurationError as error:
    sys.exit(f"hunarmitra cannot start: {error}")

SERVES_HTTP = "http" in SERVICES
SERVES_WS = "ws" in SERVICES

# Django insists on one. A ws process without a SECRET_KEY signs nothing with it.
SECRET_KEY = ENVIRONMENT.effective_secret_key or secrets.token_urlsafe(50)
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)

INSTALLED_APPS = [
    "hunarmitra.accounts",  # before Django's, whose changepassword it replaces
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework_simplejwt.token_blacklist",
    "hunarmitra.outbox",
    "hunarmitra.bookings",
    "hunarmitra.notifications",
    "hunarmitra.tracking",
    "hunarmitra.maintenance",
    "hunarmitra.demo",
]
MIDDLEWARE = ["hunarmitra.common.response_headers.ResponseHeadersMiddleware"]
ROOT_URLCONF = "hunarmitra.urls"
WSGI_APPLICATION = "hunarmitra.wsgi.application"


def _files_of(package: str, *parts: str) -> str:
    """Return a folder of an installed package without importing the package."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        sys.exit(f"hunarmitra cannot start: the package {package} is not installed here.")
    return str(Path(found.submodule_search_locations[0], *parts))


STATICFILES_DIRS: list[tuple[str, str]] = []
if SERVES_HTTP:
    ALLOWED_HOSTS += ENVIRONMENT.admin_hosts
    INSTALLED_APPS += [
        "hunarmitra_http",  # before the admin, one of whose templates it extends
        "hunarmitra.second_factor",
        "django_otp",
        "django_otp.plugins.otp_totp",
        "hunarmitra_http.admin_config.StaffAdminConfig",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
        "corsheaders",
        "rest_framework",
        "drf_spectacular",
    ]
    swagger = ("static", "drf_spectacular_sidecar", "swagger-ui-dist")
    STATICFILES_DIRS.append(("swagger-ui", _files_of("drf_spectacular_sidecar", *swagger)))
    if ENVIRONMENT.serves_page:
        INSTALLED_APPS.append("hunarmitra_http.page")
        from hunarmitra_http.page.shell import add_static_headers

        WHITENOISE_ADD_HEADERS_FUNCTION = add_static_headers
        # The page runs the published JavaScript client, not a copy.
        STATICFILES_DIRS += [
            ("realtime", str(BASE_DIR / "clients" / "js" / "src")),
            ("leaflet", _files_of("leaflet", "static", "leaflet")),
        ]
    MIDDLEWARE = [
        "hunarmitra.common.response_headers.ResponseHeadersMiddleware",
        "hunarmitra_http.middleware.ProbeMiddleware",
        "hunarmitra_http.request_context.RequestIdMiddleware",
        *(["hunarmitra_http.request_context.TraceMiddleware"] if ENVIRONMENT.traces else []),
        "hunarmitra_http.metrics.MetricsMiddleware",
        "hunarmitra_http.middleware.TrustedProxyMiddleware",
        "hunarmitra_http.middleware.RejectedOriginMiddleware",
        "corsheaders.middleware.CorsMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        *(["hunarmitra_http.middleware.AdminHostMiddleware"] if ENVIRONMENT.admin_hosts else []),
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django_otp.middleware.OTPMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database(target: DatabaseTarget) -> dict[str, Any]:
    if target.engine == "sqlite":
        path = BASE_DIR / target.name
        path.parent.mkdir(parents=True, exist_ok=True)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(path),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 10,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    return {
        "ENGINE": "hunarmitra.database",
        "NAME": target.name,
        "USER": target.user,
        "PASSWORD": target.password,
        "HOST": target.host,
        "PORT": target.port or "",
        "OPTIONS": {
            "pool": {
                "min_size": 0,
                "max_size": ENVIRONMENT.database_pool_max,
                "timeout": 5,
                # By default the pause between two attempts grows to five minutes, and requests wait for it. After a
                # long outage the process would not use the database for minutes.
                "reconnect_timeout": 2,
                "max_lifetime": ENVIRONMENT.database_max_lifetime,
            },
            # For each host. A dead one is asked first for each new connection, until it is back.
            "connect_timeout": 2 if target.has_several_hosts else 5,
            # A new connection leads to a server that accepts writes: the data of any other may be old.
            "target_session_attrs": "read-write",
            # For statements that ask for it (hunarmitra.database.prepared); Django's own cursors bind on the client.
            "prepare_threshold": 5 if ENVIRONMENT.database_prepared_statements else None,
            # A node without power or network does not answer, not even with a reset. By default TCP retransmits for a
            # quarter of an hour at growing intervals, and the query waits even when the network is back.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 5000,
            **target.options,
        },
    }


DATABASES = {"default": _database(ENVIRONMENT.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# The second factor of staff. Failed codes count in the limits of sign-in. django-otp's own limit is off: with it, an
# attacker who knows the password could lock the user out.
OTP_TOTP_ISSUER = "HunarMitra"
OTP_TOTP_THROTTLE_FACTOR = 0
OTP_TOTP_SYNC = False

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "hunarmitra_ws.hub.layer.HubChannelLayer"
        if SERVES_WS
        else "hunarmitra.outbox.channel_layer.PublishingChannelLayer"
    }
}

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ENVIRONMENT.jwt_access_lifetime),
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=ENVIRONMENT.jwt_refresh_lifetime),
    "LEEWAY": ENVIRONMENT.jwt_leeway,
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": False,
    "SIGNING_KEY": SECRET_KEY,
    "AUTH_TOKEN_CLASSES": ("hunarmitra.accounts.tokens.AccessToken",),
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["hunarmitra_http.authentication.SessionJWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["hunarmitra_http.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_THROTTLE_CLASSES": [
        "hunarmitra_http.throttles.UserThrottle",
        "hunarmitra_http.throttles.WriteThrottle",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "hunarmitra_http.negotiation.OnlyJSON",
    "DEFAULT_SCHEMA_CLASS": "hunarmitra_http.schema.ApiSchema",
    "DEFAULT_PAGINATION_CLASS": "hunarmitra_http.pagination.Pages",
    "EXCEPTION_HANDLER": "hunarmitra_http.errors.error_response",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "PAGE_SIZE": 20,
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "HunarMitra realtime",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "PATH_CONVERTER_OVERRIDES": {"id": UUID},
    "ENUM_NAME_OVERRIDES": {
        "BookingStatus": "hunarmitra_http.serializers.bookings.STATUSES",
        "EventType": "hunarmitra.protocol.schemas.EVENT_TYPES",
        "Role": "hunarmitra_http.serializers.accounts.ROLES",
    },
}

CORS_ALLOWED_ORIGINS = list(ENVIRONMENT.allowed_origins)
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "device-token", "idempotency-key", "traceparent", "x-request-id")
]
CORS_EXPOSE_HEADERS = ["Device-Token", "Retry-After", "Idempotency-Replayed", "X-Request-ID"]

# A redirect to the path with a slash would lose the body of a POST.
APPEND_SLASH = False
# TrustedProxyMiddleware of hunarmitra_http removes the header unless a trusted proxy sent it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = ENVIRONMENT.request_max_bytes
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
# Browsers accept this prefix only over TLS, and only from this host itself: no other host of the domain can set it.
_COOKIE_PREFIX = "" if DEBUG else "__Host-"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}sessionid", f"{_COOKIE_PREFIX}csrftoken"
SESSION_COOKIE_HTTPONLY = True

SERVICE_NAME = service_name(ENVIRONMENT, SERVICES)
try:
    tracing.configure(ENVIRONMENT, SERVICE_NAME)
except ConfigurationError as error:
    sys.exit(f"hunarmitra cannot start: {error}")
redaction.install()
LOGGING = logging_configuration(ENVIRONMENT, SERVICE_NAME)
set_up_daphne_access_log(ENVIRONMENT)
