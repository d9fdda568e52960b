"""Which resource scales which Deployment: two that scale the same one would undo each other's work.

The loop keeps this in memory from what the watch, the lists and every turn tell, so a second resource is
known before its first turn, and costs the API server nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from hunarmitra_operator.kubernetes import Json

Key = tuple[str, str]


@dataclass(slots=True)
class Claims:
    """The name of the Deployment that each resource (namespace, name) is for."""

    _targets: dict[Key, str] = field(default_factory=dict)

    def claim(self, key: Key, spec: Json) -> None:
        """Note a resource's target. One that the API server would not have taken claims nothing."""
        target = spec.get("target")
        name = target.get("name") if isinstance(target, dict) else None
        if isinstance(name, str):
            self._targets[key] = name
        else:
            self.drop(key)

    def drop(self, key: Key) -> None:
        """A resource is gone."""
        self._targets.pop(key, None)

    def others(self, key: Key) -> tuple[str, ...]:
        """The other resources for the same Deployment, in the way that rivals are named."""
        target = self._targets.get(key)
        return tuple(
            sorted(
                f"WebSocketScaler/{name}"
                for (namespace, name), wanted in self._targets.items()
                if namespace == key[0] and name != key[1] and wanted == target
            )
        )
