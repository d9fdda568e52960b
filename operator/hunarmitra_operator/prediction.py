"""Replicas for the load that last week had soon after this moment.

A prediction only ever adds replicas to what the load needs now, and at most `max_extra`. So a wrong one, for example on
a holiday, costs these pods and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

from hunarmitra_operator import curve, explain, recommendation
from hunarmitra_operator.curve import Forecast, PredictionMode
from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Context, Demand, History, Spec, Survey

NAME = "prediction"


def remember(spec: Spec, survey: Survey, history: History, now: float) -> History:
    """Add the load to the curve of the week, unless the spec has no prediction. An estimate is not recorded."""
    if spec.prediction.mode is PredictionMode.OFF:
        return replace(history, curve=None) if history.curve else history
    known = survey.total if survey.readable and not survey.unreadable else None
    return replace(history, curve=curve.record(history.curve, spec.prediction.zone, now, known))


def forecast(context: Context, history: History, current: int) -> Forecast | None:
    """Return what is predicted, whether or not it is applied; None if nothing is known of last week."""
    spec, survey, rules = context.spec, context.survey, context.spec.prediction
    if history.curve is None:
        return None
    found = curve.highest(history.curve, rules.zone, context.now, rules.lead)
    if found is None:
        return None
    connections, at = found
    needed = ceil_div(survey.total, spec.target_per_pod)
    limit = min(needed + rules.max_extra, spec.max_replicas)
    return Forecast(connections, at, min(recommendation.by_average(spec, connections, current), limit))


def demand(spec: Spec, predicted: Forecast | None) -> tuple[Demand, ...]:
    """Return the prediction as one more metric, or nothing while it only observes."""
    if predicted is None or spec.prediction.mode is not PredictionMode.APPLY:
        return ()
    words = explain.predicted(predicted, spec.prediction.zone)
    return (Demand(NAME, spec.target_per_pod, predicted.replicas, words=words),)
