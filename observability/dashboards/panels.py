"""Dashboards as Python values, and their JSON for Grafana, made with its foundation SDK."""

from __future__ import annotations

import itertools
import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final, cast

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from observability.parameters import Parameters

TAG: Final = "hunarmitra"
RATE: Final = "$__rate_interval"
WIDTH: Final = 24

Json = dict[str, Any]

_PARAMETERS: Final = Parameters(labels={"namespace": "~$namespace"})
select = _PARAMETERS.select
"""The label matcher for the namespaces of the dashboard's variable."""


class Unit(StrEnum):
    """Grafana's names of units."""

    SECONDS = "s"
    PER_SECOND = "cps"
    REQUESTS = "reqps"
    MESSAGES = "mps"
    RATIO = "percentunit"
    NUMBER = "short"
    BYTES = "bytes"
    CPUS = "none"


class Look(Enum):
    LINES = "lines"
    STACKED = "stacked"
    STAT = "stat"
    HEATMAP = "heatmap"
    TABLE = "table"


@dataclass(frozen=True)
class Query:
    expr: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel. Values of ``alarm`` or more are red. ``span`` is the width in columns; the page has 24."""

    title: str
    description: str
    unit: Unit
    queries: Sequence[Query]
    look: Look = Look.LINES
    span: int = 8
    alarm: float | None = None
    decimals: int | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One dashboard. ``name`` is the name of its file and its address in Grafana."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]

    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row.panels]

    def to_json(self) -> Json:
        board = (
            dashboard.Dashboard(f"HunarMitra / {self.title}")
            .uid(f"hunarmitra-{self.name}")
            .description(self.description)
            .tags([TAG])
            .readonly()
            .refresh("30s")
            .time("now-1h", "now")
            .timezone(common_models.TimeZoneBrowser)
            .tooltip(models.DashboardCursorSync.CROSSHAIR)
            .link(_links())
            .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
            .with_variable(_namespaces())
        )
        number = itertools.count(1)
        for row in self.rows:
            board = board.with_row(dashboard.Row(row.title).id(next(number)))
            for panel in row.panels:
                board = board.with_panel(_builder(panel, next(number)))
        return cast(Json, json.loads(json.dumps(board.build(), cls=JSONEncoder)))


# ── expressions ─────────────────────────────────────────────────────────────────────────────────────────────
def per_second(metric: str, *by: str, **matchers: str) -> str:
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouped} (rate({select(metric, **matchers)}[{RATE}]))"


def quantile(share: float, histogram: str, *by: str, **matchers: str) -> str:
    bucket = per_second(f"{histogram}_bucket", "le", *by, **matchers)
    return f"histogram_quantile({share:g}, {bucket})"


def quantiles(histogram: str, *shares: float, **matchers: str) -> list[Query]:
    return [Query(quantile(share, histogram, **matchers), f"{share * 100:g} %") for share in shares]


def total(metric: str, *by: str, **matchers: str) -> str:
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouped} ({select(metric, **matchers)})"


# ── Grafana ─────────────────────────────────────────────────────────────────────────────────────────────────
_SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")


def _namespaces() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("namespace")
        .label("Namespace")
        .datasource(_SOURCE)
        .query("label_values(hunarmitra_ws_draining, namespace)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(text="All", value="$__all", selected=True))
    )


def _links() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("HunarMitra")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )


def _builder(panel: Panel, number: int) -> Builder[models.Panel]:
    built: Any
    if panel.look is Look.STAT:
        built = stat.Panel().graph_mode(common_models.BigValueGraphMode.AREA)
        built = built.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    elif panel.look is Look.HEATMAP:
        built = heatmap.Panel().calculate(False).y_axis(heatmap.YAxisConfig().unit(panel.unit.value))
    elif panel.look is Look.TABLE:
        built = table.Panel()
    else:
        built = _lines(stacked=panel.look is Look.STACKED)
    built = (
        built.id(number)
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit.value)
        .span(panel.span)
        .height(4 if panel.look is Look.STAT else 8)
    )
    if panel.decimals is not None:
        built = built.decimals(panel.decimals)
    if panel.alarm is not None:
        built = built.thresholds(_alarm(panel.alarm))
        if panel.look is Look.LINES:
            line = common_models.GraphThresholdsStyleMode.LINE
            built = built.thresholds_style(common.GraphThresholdsStyleConfig().mode(line))
    for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        built = built.with_target(_target(panel, query, letter))
    return cast(Builder[models.Panel], built)


def _lines(*, stacked: bool) -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
    panel = timeseries.Panel().legend(legend).tooltip(tooltip).fill_opacity(20 if stacked else 0).axis_soft_min(0)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    return panel


def _alarm(value: float) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color="green"), models.Threshold(value=value, color="red")]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _target(panel: Panel, query: Query, reference: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(reference).datasource(_SOURCE)
    if panel.look is Look.HEATMAP:
        return target.format(prometheus_models.PromQueryFormat.HEATMAP).legend_format("{{le}}").range().exemplar(True)
    if panel.look is Look.TABLE:
        return target.format(prometheus_models.PromQueryFormat.TABLE).instant()
    return target.legend_format(query.legend or "__auto").range()
