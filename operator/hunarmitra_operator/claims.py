"""Which resource scales which Deployment: two resources with the same target would undo each other's work.

The loop feeds this from the watch, the lists and every turn. So a second resource is known before its first turn,
without a further request.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hunarmitra_operator.kubernetes import Json

Key = tuple[str, str]


@dataclass(slots=True)
class Claims:
    """Target of each resource (namespace, name)."""

    _targets: dict[Key, str] = field(default_factory=dict)

    def claim(self, key: Key, spec: Json) -> None:
        """Note a resource's target. A spec that the API server would not accept claims nothing."""
        target = spec.get("target")
        name = target.get("name") if isinstance(target, dict) else None
        if isinstance(name, str):
            self._targets[key] = name
        else:
            self.drop(key)

    def drop(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._targets.pop(key, None)

    def others(self, key: Key) -> tuple[str, ...]:
        """Return the other resources with the same target."""
        target = self._targets.get(key)
        return tuple(
            sorted(
                f"WebSocketScaler/{name}"
                for (namespace, name), wanted in self._targets.items()
                if namespace == key[0] and name != key[1] and wanted == target
            )
        )
