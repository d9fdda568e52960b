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

    sign_ins = "~sign_in|admin_sign_in"
    refused = counted(sign_ins, "~rejected|limited", "15m")
    yield Alert(
        name="HunarMitraSignInsRefused",
        expr=f"{refused} >= 150 and {refused} > 3 * {counted(sign_ins, 'accepted', '15m')}",
        wait="0s",
        severity=Severity.WARNING,
        summary="Many sign-ins are refused: somebody guesses passwords, or an app signs in with an old one.",
        description="{{ $value | humanize }} sign-ins were refused in 15 minutes, thrice those that succeeded.",
    )
    yield Alert(
        name="HunarMitraSessionsReused",
        expr=f"{counted('refresh', 'reused', '1h')} >= 5",
        wait="0s",
        severity=Severity.WARNING,
        summary="Refresh tokens are used again after their exchange: stolen tokens, or a client that keeps old ones.",
        description="{{ $value | humanize }} sessions ended in an hour because their refresh token was reused.",
    )
