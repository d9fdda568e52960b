"""Every rule, and the inhibitions that follow from them."""

from __future__ import annotations

from observability.alerts import delivery, rest, scaler, sockets, storage
from observability.model import Alert, Group, Yaml
from observability.parameters import Parameters

PARTS = (storage, sockets, delivery, rest, scaler)
"""Causes first: a rule reads the alerts of the groups before it."""


def groups(parameters: Parameters) -> list[Group]:
    return [group for part in PARTS for group in part.groups(parameters)]


def alerts(parameters: Parameters | None = None) -> dict[str, list[Alert]]:
    """By name; those on a budget's burn have one rule for each pair of windows."""
    found: dict[str, list[Alert]] = {}
    for group in groups(parameters or Parameters()):
        for alert in group.alerts:
            found.setdefault(alert.name, []).append(alert)
    return found


def rule_file(parameters: Parameters, *, parts: frozenset[str] = frozenset({"operator"})) -> Yaml:
    """What Prometheus reads. ``parts``: the optional parts of the system that run."""
    wanted = [group for group in groups(parameters) if not group.needs or group.needs in parts]
    return {"groups": [group.to_yaml(parameters) for group in wanted]}


def causes() -> dict[str, tuple[str, ...]]:
    """Each cause with the alerts that it explains."""
    found: dict[str, list[str]] = {}
    for name, rules in alerts().items():
        for cause in rules[0].symptom_of:
            found.setdefault(cause, []).append(name)
    return {cause: tuple(symptoms) for cause, symptoms in found.items()}


def inhibit_rules() -> Yaml:
    """For Alertmanager's configuration: no symptom is told of while its cause fires in the same namespace."""
    rules = [
        {
            "source_matchers": [f'alertname="{cause}"'],
            "target_matchers": [f'alertname=~"{"|".join(symptoms)}"'],
            "equal": ["namespace"],
        }
        for cause, symptoms in causes().items()
    ]
    return {"inhibit_rules": rules}


def prometheus_operator_inhibit_rules() -> list[Yaml]:
    """The same for an AlertmanagerConfig, which adds its own namespace to both sides."""
    return [
        {
            "sourceMatch": [{"name": "alertname", "value": cause, "matchType": "="}],
            "targetMatch": [{"name": "alertname", "value": "|".join(symptoms), "matchType": "=~"}],
            "equal": ["namespace"],
        }
        for cause, symptoms in causes().items()
    ]
