"""Write the files for Prometheus, Alertmanager and Grafana: `python -m observability.render [--check]`.

With `--check` it writes nothing; it prints the names of files that are out of date, and exits with code 1. `--rules`
prints only the rules, for another rendering: `--time-scale 60` turns hours into minutes, to try a fault quickly.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

from observability.dashboards import dashboards
from observability.model import Yaml
from observability.parameters import Parameters
from observability.rules import groups, inhibit_rules, prometheus_operator_inhibit_rules, rule_file

RENDERED = Path(__file__).parent / "rendered"
NOTE = "# Rendered from observability/ by `make observability`; change it there.\n"


class _Dumper(yaml.SafeDumper):
    """A YAML dumper that writes expressions of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def to_text(document: Yaml | list[Yaml]) -> str:
    return NOTE + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def to_json(dashboard: Yaml) -> str:
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """Return the path and the text of each rendered file."""
    pages = {RENDERED / "dashboards" / f"{name}.json": to_json(dashboard) for name, dashboard in dashboards().items()}
    return {
        RENDERED / "rules.yaml": to_text(rule_file(Parameters())),
        RENDERED / "inhibit-rules.yaml": to_text(inhibit_rules()),
        **pages,
    }


def chart_files() -> dict[str, str]:
    """Return the chart's copies: templates replace two words in them, by the namespace and the runbooks' address.

    Every selector contains the namespace. So an alert on an absent series names the namespace, and several releases can
    share one Prometheus.
    """
    parameters = Parameters(labels={"namespace": "RELEASE_NAMESPACE"}, runbooks="RUNBOOK_URL")
    every = groups(parameters)
    return {
        "rules.yaml": to_text([group.to_yaml(parameters) for group in every if not group.needs]),
        "rules-operator.yaml": to_text([group.to_yaml(parameters) for group in every if group.needs == "operator"]),
        "inhibit-rules.yaml": to_text(prometheus_operator_inhibit_rules()),
        **{f"dashboards/{name}.json": to_json(dashboard) for name, dashboard in dashboards().items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is out of date")
    parser.add_argument("--rules", action="store_true", help="print the rules, and write nothing")
    parser.add_argument("--time-scale", type=float, default=1.0, help="divide every window and wait by this")
    options = parser.parse_args()
    if options.rules:
        print(to_text(rule_file(Parameters(time_scale=options.time_scale))), end="")  # noqa: T201 - a command
        return 0
    wanted = files()
    present = set(RENDERED.rglob("*.yaml")) | set(RENDERED.rglob("*.json"))
    stale = {path for path, text in wanted.items() if path not in present or path.read_text() != text}
    stale |= present - set(wanted)
    if options.check:
        for path in sorted(stale):
            print(f"error: {path} is out of date: run make observability", file=sys.stderr)  # noqa: T201 - a command
        return 1 if stale else 0
    for path in present - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
