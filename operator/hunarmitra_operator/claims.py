"""Claims of resources on their targets: two resources with the same target would undo each other's changes.

The oldest resource scales the target; the others report a conflict. The loop feeds this from the watch, the lists and
every turn. So a second resource is known before its first turn, without a further request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hunarmitra_operator.kubernetes import Json

Key = tuple[str, str]
KIND = "WebSocketScaler/"
"""Prefix of the names that `older` returns."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Kind and name of a resource's target, and its age: `created` sorts as it reads (RFC 3339, UTC, seconds)."""

    target: str
    created: str
    uid: str


@dataclass(slots=True)
class Claims:
    """Claim of each resource (namespace, name)."""

    _claims: dict[Key, Claim] = field(default_factory=dict)

    def claim(self, meta: Mapping[str, Any], spec: Json) -> None:
        """Note a resource's target. A spec that the API server would not accept claims nothing."""
        key = (str(meta["namespace"]), str(meta["name"]))
        target = spec.get("target")
        name = target.get("name") if isinstance(target, dict) else None
        kind = str(target.get("kind", "Deployment")) if isinstance(target, dict) else ""
        if isinstance(name, str):
            created, uid = str(meta.get("creationTimestamp", "")), str(meta.get("uid", ""))
            self._claims[key] = Claim(f"{kind}/{name}", created, uid)
        else:
            self.drop(key)

    def drop(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._claims.pop(key, None)

    def older(self, key: Key) -> tuple[str, ...]:
        """Return the older resources with the same target. Resources of the same second are ordered by UID."""
        own = self._claims.get(key)
        if own is None:
            return ()
        return tuple(
            sorted(
                f"{KIND}{name}"
                for (namespace, name), other in self._claims.items()
                if namespace == key[0]
                and name != key[1]
                and other.target == own.target
                and (other.created, other.uid) < (own.created, own.uid)
            )
        )
