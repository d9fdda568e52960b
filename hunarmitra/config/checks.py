"""Checks of settings that depend on each other, or on what is installed. Each raises ConfigurationError."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hunarmitra.config.declaration import ConfigurationError
from hunarmitra.config.environment import Environment

LEAST_PRELOAD_SECONDS: Final = 31536000
"""A year, which the browsers' preload list demands."""


def chosen_services(environment: Environment, installed: Sequence[str]) -> tuple[str, ...]:
    """Return the services that this process serves: those of ``SERVICES``, else every one installed."""
    chosen = environment.services or tuple(installed)
    if missing := set(chosen) - set(installed):
        raise ConfigurationError(f"SERVICES names {', '.join(sorted(missing))}, which is not installed here.")
    return chosen


def check_secret_key(environment: Environment, services: Sequence[str]) -> None:
    """Check that only a process that serves ws alone has no SECRET_KEY: all others issue tokens or sign cookies."""
    if not environment.effective_secret_key and tuple(services) != ("ws",):
        raise ConfigurationError(
            f"SECRET_KEY is not set, but this process serves {', '.join(services) or 'nothing'}: only one that serves "
            "ws alone can do without it, with JWT_KEYS and MESSAGE_KEYS."
        )


def check_database_pool(environment: Environment, services: Sequence[str]) -> None:
    """Check that a ws process has a PostgreSQL connection for each thread that keeps one.

    Those are WS_DATABASE_THREADS, the hub's thread and the relay's; REST requests take turns on one more. A thread
    without a connection would reject every client that it reads for, after five seconds of waiting.
    """
    if "ws" not in services or environment.database_url.engine != "postgresql":
        return
    needed = environment.ws_database_threads + 1 + environment.relays_in_process + ("http" in services)
    if environment.database_pool_max < needed:
        raise ConfigurationError(
            f"DATABASE_POOL_MAX is {environment.database_pool_max}, but with WS_DATABASE_THREADS at "
            f"{environment.ws_database_threads} this process needs {needed} connections."
        )


def check_transport_security(environment: Environment) -> None:
    """Check that HSTS_PRELOAD comes with what the preload list demands; otherwise the list ignores the host."""
    if not environment.hsts_preload:
        return
    if not environment.hsts_include_subdomains or environment.effective_hsts_seconds < LEAST_PRELOAD_SECONDS:
        raise ConfigurationError(
            f"HSTS_PRELOAD needs HSTS_INCLUDE_SUBDOMAINS=1 and HSTS_SECONDS of at least {LEAST_PRELOAD_SECONDS}."
        )
