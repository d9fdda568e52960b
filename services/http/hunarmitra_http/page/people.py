"""The demo's people with their passwords, for one click instead of typing. Only for browsers on this machine."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

from hunarmitra.accounts.models import User
from hunarmitra.demo.credentials import read_passwords
from hunarmitra_http.middleware import FORWARDED

_FORWARDED: Final = ("Forwarded", "Via", "X-Real-Ip")


def offers_people(request: HttpRequest) -> bool:
    """Whether this is the demo, asked from this machine.

    ``Host`` has to be a loopback address or ``localhost`` too: otherwise a foreign page whose name resolves to
    127.0.0.1 could read the answer. A proxy on this machine, which forwards for others, gives itself away by what
    it adds.
    """
    environment = settings.ENVIRONMENT
    if not (environment.debug or environment.demo) or _is_forwarded(request):
        return False
    host, _ = split_domain_port(request.get_host())
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host.strip("[]")))


def _is_forwarded(request: HttpRequest) -> bool:
    if request.META.get(FORWARDED):
        return True
    return any(name in _FORWARDED or name.startswith("X-Forwarded-") for name in request.headers)


def demo_people() -> list[dict[str, Any]]:
    """Those whose passwords ``manage.py demo`` kept, employer first."""
    passwords = read_passwords()
    users = User.objects.filter(username__in=passwords, is_active=True)
    people = [
        {
            "id": str(user.pk),
            "username": user.username,
            "password": passwords[user.username],
            "name": user.name,
            "role": user.effective_role,
        }
        for user in users
    ]
    order = ("employer", "worker", "admin")
    return sorted(people, key=lambda person: order.index(str(person["role"])))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
