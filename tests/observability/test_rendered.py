"""Rules, runbooks and dashboards against each other, and against what they must be."""

from __future__ import annotations

import json
import re

import pytest

from observability.dashboards import PAGES
from observability.dashboards.panels import Page, Panel
from observability.model import Alert, Severity
from observability.parameters import Parameters
from observability.render import RENDERED, files
from observability.rules import alerts, causes, groups
from tests.observability.cases import CASES
from tests.support.surroundings import REPOSITORY

RUNBOOKS = REPOSITORY / "docs" / "runbooks"
ALERTS = [(name, alert) for name, rules in alerts().items() for alert in rules]


def test_what_is_rendered_is_up_to_date() -> None:
    wanted = files()
    assert {path for path in RENDERED.rglob("*") if path.is_file()} == set(wanted)
    for path, text in wanted.items():
        assert path.read_text() == text, f"{path} is out of date: run make observability"


@pytest.mark.parametrize("name", sorted(alerts()))
def test_each_alert_has_a_runbook(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings == ["What it means", "Impact", "Check first", "Fix", "When to escalate"]
    assert f"**{alerts()[name][0].severity}**" in text
    check = text.partition("## Check first")[2].partition("## Fix")[0]
    assert re.search(r"^```(bash|promql)\n", check, flags=re.MULTILINE), "no command and no query to begin with"
    for cause in alerts()[name][0].symptom_of:
        assert f"({cause}.md)" in text


def test_each_runbook_is_of_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(alerts())
    index = (RUNBOOKS / "README.md").read_text()
    assert set(re.findall(r"\[(HunarMitra\w+)\]", index)) == set(alerts())


@pytest.mark.parametrize(("name", "alert"), ALERTS, ids=[f"{name}-{alert.wait}" for name, alert in ALERTS])
def test_annotations_name_labels_that_the_alert_has(name: str, alert: Alert) -> None:
    """`{{ $labels.pod }}` of an alert that sums pods up would be empty."""
    used = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    for label in used - {"job", "instance"}:
        assert re.search(rf"by \([^)]*\b{label}\b[^)]*\)", alert.expr) or "namespace_pod:" in alert.expr, name
    assert alert.summary.endswith(".")
    assert alert.description.endswith(".")


def test_a_cause_is_never_less_severe_than_its_symptom() -> None:
    """Else a warning would silence a page."""
    known = alerts()
    for cause, symptoms in causes().items():
        for symptom in symptoms:
            if known[symptom][0].severity is Severity.CRITICAL:
                assert known[cause][0].severity is Severity.CRITICAL, f"{cause} would silence {symptom}"
            assert cause not in known[symptom][0].symptom_of or cause != symptom


def test_no_two_alerts_silence_each_other() -> None:
    found = causes()
    for cause, symptoms in found.items():
        for symptom in symptoms:
            assert cause not in found.get(symptom, ())


def test_a_faster_rendering_has_the_same_rules() -> None:
    slow, fast = groups(Parameters()), groups(Parameters(time_scale=60))
    assert [[type(rule) for rule in group.rules] for group in slow] == [
        [type(rule) for rule in group.rules] for group in fast
    ]
    text = json.dumps([group.to_yaml(Parameters(time_scale=60)) for group in fast])
    assert not re.search(r"\[\d+[mhd]\]", text), "a window was not shortened"


def test_case_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_panel_says_what_it_shows_and_in_which_unit(page: Page) -> None:
    panels = [panel for panel in page.to_json()["panels"] if panel["type"] != "row"]
    assert len(panels) == len(page.panels())
    assert len({panel["title"] for panel in panels}) == len(panels)
    ids = [panel["id"] for panel in page.to_json()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels:
        assert len(panel["description"]) > 10
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert target["expr"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_panels_do_not_overlap_and_fit(page: Page) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in page.to_json()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_an_alarm_on_a_panel_is_a_line_of_its_kind() -> None:
    alarming: list[Panel] = [panel for page in PAGES for panel in page.panels() if panel.alarm is not None]
    assert alarming
    assert all(panel.alarm is not None and panel.alarm > 0 for panel in alarming)
