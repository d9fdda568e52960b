"""The catalogue of metrics: its conventions, and its label values compared with the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

from hunarmitra.outbox.models import outbox_models
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.telemetry import labels
from hunarmitra.telemetry.catalogue import CATALOGUE, EVENT_LATENCY, Kind, Metric
from hunarmitra.telemetry.labels import ROUTES, UNMATCHED
from hunarmitra_http.signing_in import name_limit, network_delay
from hunarmitra_http.throttles import AuthThrottle, UserThrottle, WriteThrottle
from tests.support.surroundings import REPOSITORY
from tools import metrics

UNITS = {"seconds", "bytes", "events"}


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_names_follow_prometheus_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"hunarmitra_[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    if metric.unit:
        assert metric.unit in UNITS
        assert metric.name.endswith(f"_{metric.unit}")
    assert metric.help.endswith("."), "a sentence"
    assert metric.processes
    assert not {"id", "path", "user", "token", "address", "le"} & set(metric.labels)


def test_no_name_comes_twice_and_the_objective_is_a_bucket() -> None:
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
    assert 0.5 in EVENT_LATENCY.buckets


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_every_series_at_the_start_has_values_of_its_labels(metric: Metric) -> None:
    initial = metric.initial_series()
    assert len(initial) == len(set(initial)) >= 1
    for values in initial:
        assert len(values) == len(metric.labels)
        for value, allowed in zip(values, metric.labels.values(), strict=True):
            assert value in allowed


def _patterns(urls: Iterable[URLPattern | URLResolver], before: str = "/") -> Iterator[tuple[str, URLPattern]]:
    for each in urls:
        if isinstance(each, URLPattern):
            yield before + str(each.pattern), each
        elif each.urlconf_name is not admin.site.urls[0]:
            yield from _patterns(each.url_patterns, before + str(each.pattern))


def test_the_routes_are_those_of_the_urls_with_their_methods() -> None:
    served = {}
    for route, pattern in _patterns(get_resolver("hunarmitra_http.urls").url_patterns):
        view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
        if route.startswith(("/admin", "/^")) or view is None:
            continue
        served[route] = {
            method.upper() for method in ("get", "post", "put", "patch", "delete") if hasattr(view, method)
        }
    # The routes of the page exist only if it is served.
    own = {route: set(methods) for route, methods in ROUTES.items() if route not in {"/admin/", "/static/", UNMATCHED}}
    assert {route: own.get(route) for route in served} == served
    assert set(own) - set(served) <= {"/", "/demo/people/"}
    assert {method for methods in ROUTES.values() for method in methods} < set(labels.METHODS)


def test_the_other_closed_sets_are_those_of_the_code() -> None:
    limits = {throttle().limit().name for throttle in (UserThrottle, WriteThrottle, AuthThrottle)}
    assert {*limits, network_delay().name, name_limit().name, "failures", "position"} == set(labels.RATE_LIMITS)
    assert {str(code.value) for code in CloseCode} < set(labels.CLOSE_CODES)
    assert {model._meta.app_label for model in outbox_models()} == set(labels.OUTBOX_STREAMS)


def test_the_document_is_up_to_date_and_has_the_operators_too() -> None:
    text = metrics.render()
    assert (REPOSITORY / "docs" / "metrics.md").read_text() == text, "run `make generated`"
    assert all(f"| `{metric.name}` |" in text for metric in CATALOGUE)
    assert "| `hunarmitra_operator_decisions_total` | counter |" in text
    assert len(metrics.operator_metrics()) >= 10
