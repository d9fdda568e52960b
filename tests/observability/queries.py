"""Every query of every rule and panel, and the metrics and labels that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from observability.dashboards import PAGES
from observability.model import Alert
from observability.parameters import Parameters
from observability.rules import groups

METRIC = re.compile(r"(?<![\w:\"$])((?:hunarmitra|process|python|up\b|ALERTS|namespace_pod:)[\w:]*)(\{[^}]*\})?")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')


def of_rules(parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Where it is, and the query."""
    for group in groups(parameters):
        for rule in group.rules:
            name = rule.name if isinstance(rule, Alert) else f"{rule.record} {dict(rule.labels)}"
            yield f"{group.name}: {name}", rule.expr


def of_panels() -> Iterator[tuple[str, str]]:
    """As Grafana sends them, of all namespaces."""
    for page in PAGES:
        for panel in page.panels():
            for query in panel.queries:
                expr = query.expr.replace("$namespace", ".*").replace("$__rate_interval", "1m")
                yield f"{page.name}: {panel.title} ({query.legend})", expr


def selectors(expr: str) -> Iterator[tuple[str, Mapping[str, list[str]]]]:
    """Each metric of a query with the values that its matchers ask for."""
    for name, matchers in METRIC.findall(expr):
        found = {
            label: value.split("|") if operator == "=~" else [value]
            for label, operator, value in MATCHER.findall(matchers)
            if value != ".*"
        }
        yield name, found
