"""The ``Host`` of requests that Django does not see: the same rule as Django's, without a request object."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from django.http.request import split_domain_port, validate_host

from hunarmitra.common.first_seen import FirstSeen

logger = logging.getLogger(__name__)

MOST_KNOWN: Final = 100
"""Distinct hosts that are remembered, and rejected ones that are logged: a client can invent any number of them."""

WHILE_DEBUGGING: Final = (".localhost", "127.0.0.1", "[::1]")
"""Django's list without ``ALLOWED_HOSTS`` while DEBUG is on."""


class HostRule:
    """Decides whether a request may name a host; logs each rejected one once. ``allowed`` is ``ALLOWED_HOSTS``."""

    def __init__(self, allowed: Collection[str], *, debug: bool = False) -> None:
        self._allowed = list(allowed) or (list(WHILE_DEBUGGING) if debug else [])
        self._accepted: set[str] = set()
        self._rejected = FirstSeen(MOST_KNOWN)

    def accepts(self, host: str | None) -> bool:
        """Judge the ``Host`` header; None if there is none."""
        if host in self._accepted:
            return True
        if not validate_host(split_domain_port(host or "")[0], self._allowed):
            self._log(host or "")
            return False
        if len(self._accepted) < MOST_KNOWN:
            self._accepted.add(host or "")
        return True

    def _log(self, host: str) -> None:
        number = self._rejected.add(host)
        if not number:
            return
        logger.warning("rejected the host %.200r; if clients may use this name, add it to ALLOWED_HOSTS", host)
        if number == MOST_KNOWN:
            logger.warning("rejected %d different hosts; further ones are not logged", MOST_KNOWN)
