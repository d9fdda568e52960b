"""Reads the spec of a WebSocketScaler from a file, as `kubectl apply` gets it."""

from __future__ import annotations

from pathlib import Path

import yaml

from hunarmitra_operator import specification
from hunarmitra_operator.model import Spec


class ManifestError(ValueError):
    """A file without a usable WebSocketScaler; the message names the file."""


def read(path: Path) -> Spec:
    """Return the spec of the WebSocketScaler in a file. Raises `OSError` or `ManifestError`."""
    try:
        loaded = yaml.safe_load(path.read_text())
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ManifestError(f"{path}: not YAML or JSON: {error}") from error
    if not isinstance(loaded, dict) or loaded.get("kind") != "WebSocketScaler" or "spec" not in loaded:
        raise ManifestError(f"{path}: needs one object of the kind WebSocketScaler with a spec")
    try:
        return specification.read(loaded["spec"])
    except specification.SpecError as error:
        raise ManifestError(f"{path}: {error}") from error
