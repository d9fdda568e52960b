"""Reads `spec.behavior`, which has the words and the place of HorizontalPodAutoscaler's own field.

`behavior.scaleUp` and `scaleUp` set the same rules. A field of `behavior` replaces the same field of `scaleUp`, and a
field that is absent from both has HPA's default. The API server stores these defaults in `scaleUp`, so a default in
`scaleUp` counts as absent. Any other value in both places is an error, because one of the two would have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hunarmitra_operator.model import DOWN_RULES, UP_RULES, Rules

RULES = {"scaleUp": UP_RULES, "scaleDown": DOWN_RULES}
"""Default rules of each direction."""


class BothSetError(ValueError):
    """The same field is set in `behavior` and outside of it."""


def defaults(direction: str) -> dict[str, Any]:
    """Return the fields of a direction that `behavior` also has, with HPA's defaults."""
    rules: Rules = RULES[direction]
    return {
        "stabilizationWindowSeconds": rules.window,
        "selectPolicy": str(rules.select),
        "policies": [
            {"type": str(policy.type), "value": policy.value, "periodSeconds": policy.period}
            for policy in rules.policies
        ],
    }


def merged(spec: Mapping[str, Any], direction: str) -> dict[str, Any]:
    """Return the fields of `scaleUp` or `scaleDown`, with those of `behavior` in their place.

    Raises `BothSetError` with the sentence that the API server answers, for a spec that it did not check.
    """
    own: Mapping[str, Any] = spec.get(direction) or {}
    theirs: Mapping[str, Any] = (spec.get("behavior") or {}).get(direction) or {}
    for name, default in defaults(direction).items():
        if name in theirs and own.get(name, default) != default:
            raise BothSetError(both_set(direction, name))
    return {**own, **theirs}


def both_set(direction: str, name: str) -> str:
    """Return the sentence that names both fields."""
    return f"behavior.{direction}.{name} and {direction}.{name} are both set; remove one of them"
