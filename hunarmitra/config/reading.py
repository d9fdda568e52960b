"""Read the process environment. Nothing else in the code base reads ``os.environ``.

A wrong value raises ConfigurationError, whose message names the variable and says what it must look like; it never
repeats a secret's value. Variables marked as secret may also be given as a file (``SECRET_KEY_FILE=/run/secrets/key``),
the form in which Kubernetes and Docker mount secrets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from hunarmitra.config.declaration import BASE_DIR, DEVELOPMENT_SECRET, ConfigurationError
from hunarmitra.config.environment import Environment
from hunarmitra.config.values import name_list


def _raw_value(name: str, source: Mapping[str, str], secret: bool) -> str | None:
    value = source.get(name)
    path = source.get(f"{name}_FILE") if secret else None
    if value is not None and path is not None:
        raise ConfigurationError(f"{name} and {name}_FILE are both set; set one of them.")
    if path is None:
        return value
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except ValueError:
        reason = "is not UTF-8 text"
    raise ConfigurationError(f"{name}_FILE names {path}, which {reason}.")


def read_environment(source: Mapping[str, str]) -> Environment:
    """Read and check every variable. Raises :class:`ConfigurationError` naming the first wrong one."""
    values: dict[str, Any] = {}
    for item in fields(Environment):
        name = item.name.upper()
        raw = _raw_value(name, source, item.metadata["secret"])
        if raw is None or (raw == "" and item.metadata["parse"] is not name_list):
            continue
        try:
            values[item.name] = item.metadata["parse"](raw)
        except ValueError as error:
            shown = "" if item.metadata["secret"] else f" (it is {raw!r})"
            raise ConfigurationError(f"{name} {error}{shown}.") from None
    environment = Environment(**values)
    only_verifies = environment.jwt_keys and environment.message_keys
    if not environment.secret_key and not environment.debug and not only_verifies:
        raise ConfigurationError(
            "SECRET_KEY is not set. Give a random one "
            "(python -c 'import secrets; print(secrets.token_urlsafe(50))'), or DEBUG=1 for development. "
            "A process that serves ws alone needs JWT_KEYS (public keys suffice) and MESSAGE_KEYS, or SECRET_KEY."
        )
    if not environment.debug and environment.secret_key == DEVELOPMENT_SECRET:
        raise ConfigurationError("SECRET_KEY is the development key; give a random one of your own.")
    return environment


def process_variables() -> dict[str, str]:
    """Return the variables of this process: those of ``.env``, overridden by real ones."""
    dotenv = {name: value for name, value in dotenv_values(BASE_DIR / ".env").items() if value is not None}
    return {**dotenv, **os.environ}


def process_environment() -> Environment:
    """Read what this process was started with."""
    return read_environment(process_variables())
