"""All rules, and the inhibitions that follow from them."""

from __future__ import annotations

from observability.alerts import delivery, rest, scaler, security, sockets, storage
from observability.model import Alert, Group, Yaml
from observability.parameters import Parameters

PARTS = (storage, sockets, delivery, rest, security, scaler)
"""The groups, with causes first, because a rule reads the alerts of the groups before it."""


def groups(parameters: Parameters) -> list[Group]:
    return [group for part in PARTS for group in part.groups(parameters)]


def alerts(parameters: Parameters | None = None) -> dict[str, list[Alert]]:
    """Return the alerts by name. An alert on a burn rate has one rule for each pair of windows."""
    found: dict[str, list[Alert]] = {}
    for group in groups(parameters or Parameters()):
        for alert in group.alerts:
            found.setdefault(alert.name, []).append(alert)
    return found


def rule_file(parameters: Parameters, *, parts: frozenset[str] = frozenset({"operator"})) -> Yaml:
    """Return the rule file for Prometheus. ``parts`` are the optional parts of the system that run."""
    wanted = [group for group in groups(parameters) if not group.needs or group.needs in parts]
    return {"groups": [group.to_yaml(parameters) for group in wanted]}


def causes() -> dict[str, tuple[str, ...]]:
    """Return each cause with the alerts that are its symptoms."""
    found: dict[str, list[str]] = {}
    for name, rules in alerts().items():
        for cause in rules[0].symptom_of:
            found.setdefault(cause, []).append(name)
    return {cause: tuple(symptoms) for cause, symptoms in found.items()}


def inhibit_rules() -> Yaml:
    """Return inhibitions for Alertmanager: a symptom is muted while its cause fires in the same namespace."""
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
    """Return the inhibitions for an AlertmanagerConfig, which adds its own namespace to both sides."""
    return [
        {
            "sourceMatch": [{"name": "alertname", "value": cause, "matchType": "="}],
            "targetMatch": [{"name": "alertname", "value": "|".join(symptoms), "matchType": "=~"}],
            "equal": ["namespace"],
        }
        for cause, symptoms in causes().items()
    ]
