"""Rules as Python values, and their YAML for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from observability.parameters import Parameters

Yaml = dict[str, Any]


class Severity(StrEnum):
    """How urgent an alert is: ``critical`` pages a person at once, ``warning`` waits for working hours."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Record:
    """A recording rule."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_yaml(self) -> Yaml:
        rule: Yaml = {"record": self.record, "expr": self.expr}
        return rule | ({"labels": dict(self.labels)} if self.labels else {})


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alerting rule.

    ``wait`` is its ``for`` in production. ``symptom_of`` names the alerts that are its causes: while one of them fires
    in the same namespace, Alertmanager mutes this alert. ``memory`` is the window of the expression. An outage stays in
    the window after its end, so the expression excludes the alert for that long after its cause has fired. ``hold`` is
    its ``keep_firing_for``: pods recover from an outage one after another, and the symptoms of the last pods still
    belong to the same outage.
    """

    name: str
    expr: str
    wait: str
    severity: Severity
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)
    symptom_of: tuple[str, ...] = ()
    memory: str = ""
    hold: str = ""

    def to_yaml(self, parameters: Parameters) -> Yaml:
        return {
            "alert": self.name,
            "expr": self._with_memory(parameters),
            "for": parameters.wait(self.wait),
            **({"keep_firing_for": parameters.hold(self.hold)} if self.hold else {}),
            "labels": {"severity": str(self.severity), **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{parameters.runbooks}/{self.name}.md",
            },
        }

    def _with_memory(self, parameters: Parameters) -> str:
        if not (self.memory and self.symptom_of):
            return self.expr
        causes = parameters.select("ALERTS", alertname=f"~{'|'.join(self.symptom_of)}", alertstate="firing")
        explained = f"max by (namespace) (max_over_time({causes}[{parameters.window(self.memory)}]))"
        return f"({self.expr})\nunless on (namespace)\n{explained}"


Rule = Record | Alert


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rules that are evaluated in this order. ``needs`` names an optional part of the system (``operator``)."""

    name: str
    rules: Sequence[Rule]
    needs: str = ""

    @property
    def alerts(self) -> list[Alert]:
        return [rule for rule in self.rules if isinstance(rule, Alert)]

    def to_yaml(self, parameters: Parameters) -> Yaml:
        rules = [rule.to_yaml(parameters) if isinstance(rule, Alert) else rule.to_yaml() for rule in self.rules]
        return {"name": self.name, "rules": rules}
