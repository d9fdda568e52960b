"""Alerts on signing in and on sessions."""

from __future__ import annotations

from collections.abc import Iterator

from observability.model import Alert, Group, Severity
from observability.parameters import Parameters


def groups(parameters: Parameters) -> Iterator[Group]:
    yield Group(name="hunarmitra-security", rules=tuple(_alerts(parameters)))


def _alerts(parameters: Parameters) -> Iterator[Alert]:
    def counted(event: str, outcome: str, duration: str) -> str:
        metric = parameters.select("hunarmitra_security_events_total", event=event, outcome=outcome)
        return f"sum by (namespace) (increase({metric}[{parameters.window(duration)}]))"

    yield Alert(
        name="HunarMitraSessionsReused",
        expr=f"{counted('refresh', 'reused', '1h')} >= 5",
        wait="0s",
        severity=Severity.WARNING,
        summary="Refresh tokens are used again after their exchange: stolen tokens, or a client that keeps old ones.",
        description="{{ $value | humanize }} sessions ended in an hour because their refresh token was reused.",
    )
