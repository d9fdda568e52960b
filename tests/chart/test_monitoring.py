"""What `monitoring.enabled` installs: one value for everything, each part of it to be left out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.dashboards import PAGES
from observability.rules import alerts, causes
from tests.chart.rendering import of_kind, pod_templates, render, render_values, selects
from tests.support import tools

KINDS = {"PodMonitor", "PrometheusRule", "AlertmanagerConfig"}


def test_nothing_of_it_is_there_unless_it_is_asked_for() -> None:
    objects = render("operator")
    assert not KINDS & {item["kind"] for item in objects}
    assert not [name for name in of_kind(objects, "ConfigMap") if "dashboard" in name]


def test_every_process_is_scraped_under_the_name_that_the_rules_know() -> None:
    objects = render("production")
    monitors = of_kind(objects, "PodMonitor").values()
    jobs = {monitor["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"] for monitor in monitors}
    assert jobs == {"hunarmitra-http", "hunarmitra-ws", "hunarmitra-relay", "hunarmitra-operator"}
    for monitor in monitors:
        port = monitor["spec"]["podMetricsEndpoints"][0]["port"]
        [pod] = [
            pod for _, pod in pod_templates(objects) if selects(monitor["spec"]["selector"], pod["metadata"]["labels"])
        ]
        assert port in {each["name"] for each in pod["spec"]["containers"][0]["ports"]}
        policies = of_kind(objects, "NetworkPolicy").values()
        assert any(
            selects(policy["spec"]["podSelector"], pod["metadata"]["labels"])
            and any(
                port == each["port"] for rule in policy["spec"].get("ingress", []) for each in rule.get("ports", [])
            )
            for policy in policies
        ), f"no policy lets Prometheus reach {monitor['metadata']['name']}"


def test_the_rules_are_of_this_release_and_promtool_takes_them(tmp_path: Path) -> None:
    [rule] = of_kind(render("production"), "PrometheusRule").values()
    text = yaml.safe_dump(rule["spec"])
    assert "RELEASE_NAMESPACE" not in text
    assert "RUNBOOK_URL" not in text
    assert 'absent(hunarmitra_ws_draining{namespace="hm"})' in text
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    command: list[str | Path] = [tools.promtool(), "check", "rules", path]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    names = {each["alert"] for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each}
    assert names == set(alerts())


def test_without_an_operator_no_alert_misses_it() -> None:
    [rule] = of_kind(render("minimal", "monitoring.enabled=true"), "PrometheusRule").values()
    names = {each["alert"] for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each}
    assert names == {name for name in alerts() if "Scaler" not in name}


def test_runbooks_are_where_you_publish_them() -> None:
    settings = ("monitoring.runbookUrl=https://docs.example.org/runbooks",)
    [rule] = of_kind(render("production", *settings), "PrometheusRule").values()
    found = [
        each["annotations"]["runbook_url"]
        for group in rule["spec"]["groups"]
        for each in group["rules"]
        if "alert" in each
    ]
    assert all(url.startswith("https://docs.example.org/runbooks/HunarMitra") for url in found)


def test_symptoms_are_inhibited_by_their_causes() -> None:
    [config] = of_kind(render("production"), "AlertmanagerConfig").values()
    found = {
        rule["sourceMatch"][0]["value"]: tuple(rule["targetMatch"][0]["value"].split("|"))
        for rule in config["spec"]["inhibitRules"]
    }
    assert found == causes()


def test_every_dashboard_is_found_by_grafanas_sidecar() -> None:
    maps = [item for name, item in of_kind(render("production"), "ConfigMap").items() if "dashboard" in name]
    assert len(maps) == len(PAGES)
    for item in maps:
        assert item["metadata"]["labels"]["grafana_dashboard"] == "1"
        [text] = item["data"].values()
        assert json.loads(text)["uid"].startswith("hunarmitra-")


@pytest.mark.parametrize(
    ("setting", "gone"),
    [
        ("monitoring.podMonitors=false", "PodMonitor"),
        ("monitoring.rules=false", "PrometheusRule"),
        ("monitoring.inhibitRules=false", "AlertmanagerConfig"),
    ],
)
def test_each_part_can_be_left_out(setting: str, gone: str) -> None:
    assert KINDS & {item["kind"] for item in render("production", setting)} == KINDS - {gone}


def test_runbooks_are_absolute_links_even_with_the_values_of_the_first_release() -> None:
    for settings in ((), ("monitoring.runbookUrl=docs/runbooks",)):
        [rule] = of_kind(render("production", *settings), "PrometheusRule").values()
        urls = [each["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for each in alerts_of(group)]
        assert urls
        assert all(url.startswith("https://") for url in urls)


def alerts_of(group: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in group["rules"] if "alert" in each]


def uids(namespace: str, release: str) -> set[str]:
    objects = render_values({}, "production", release=release, namespace=namespace)
    texts = [text for item in of_kind(objects, "ConfigMap").values() for text in item["data"].values()]
    return {json.loads(text)["uid"] for text in texts if text.startswith('{\n  "') and "uid" in json.loads(text)}


def test_dashboards_of_two_releases_can_be_in_one_grafana() -> None:
    first, second, third = uids("hm", "shop"), uids("hm", "store"), uids("other", "shop")
    assert len(first) == len(PAGES)
    assert not first & second
    assert not first & third
    assert all(len(uid) <= 40 for uid in first)


def test_alerts_dashboards_and_scrapes_take_what_a_platform_adds() -> None:
    values = {
        "monitoring": {
            "alertLabels": {"team": "realtime"},
            "scrapeTimeout": "5s",
            "relabelings": [{"targetLabel": "cluster", "replacement": "a"}],
            "metricRelabelings": [{"action": "labeldrop", "regex": "pod"}],
            "dashboards": {"namespace": "grafana"},
        }
    }
    objects = render_values(values, "production")
    [rule] = of_kind(objects, "PrometheusRule").values()
    found = [each for group in rule["spec"]["groups"] for each in alerts_of(group)]
    assert found
    assert all(each["labels"]["team"] == "realtime" and each["labels"]["severity"] for each in found)
    for monitor in of_kind(objects, "PodMonitor").values():
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["scrapeTimeout"] == "5s"
        assert endpoint["relabelings"][1:] == values["monitoring"]["relabelings"]
        assert endpoint["metricRelabelings"] == values["monitoring"]["metricRelabelings"]
    maps = [item for name, item in of_kind(objects, "ConfigMap").items() if "dashboard" in name]
    assert {item["metadata"]["namespace"] for item in maps} == {"grafana"}
