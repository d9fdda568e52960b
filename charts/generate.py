"""Write the generated files of the chart and `k8s/`: `python charts/generate.py [--check]`.

It writes the chart's README.md, values.schema.json and files/defaults.yaml from values.yaml, and the second version of
the operator's definition from the first. It copies the definition and the rules into the chart, and writes `k8s/` from
the rendered chart. With `--check` it writes nothing; it prints the names of files that are out of date, and exits with
code 1.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
CHART = REPOSITORY / "charts" / "hunarmitra"
OF_THE_CHART = {
    "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "JWT_KEYS", "MESSAGE_KEYS", "ALLOWED_HOSTS", "ADMIN_HOSTS",
    "ALLOWED_ORIGINS", "TRUSTED_PROXIES",
    "LOG_LEVEL", "LOG_FORMAT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME",
    "SERVICES", "PORT", "HTTP_ADMIN_PORT", "WEB_CONCURRENCY", "WEB_THREADS", "WS_MAX_CONNECTIONS",
    "WS_SEND_BUFFER_BYTES", "WS_DRAIN_SETTLE", "WS_DRAIN_WINDOW", "WS_GRACE", "WS_ADMIN_HOST", "WS_ADMIN_PORT",
    "WS_CONTROL_HOST", "WS_CONTROL_PORT", "WS_CONTROL_TOKEN_FILE", "METRICS_HOST", "METRICS_PORT",
}  # fmt: skip
"""Variables that config.env does not accept, because other values set them."""

SHARED: dict[tuple[str, ...], list[tuple[str, ...]]] = {
    ("workloads",): [
        ("http",), ("ws",), ("relay",), ("migrations",), ("prune",), ("operator",), ("crds",), ("test",),
        ("database", "bundled"), ("redis", "bundled"),
    ],
    ("services",): [("http", "service"), ("ws", "service")],
}  # fmt: skip
"""Values that are documented in one place and accepted in several: the place, and the places that accept them."""


@dataclass(frozen=True)
class Value:
    """One documented value: its path, default, description, and additions to its schema."""

    path: tuple[str, ...]
    default: Any
    help: str
    schema: dict[str, Any]


def read_values(text: str) -> Iterator[Value]:
    """Yield the values that have a `# --` comment. Values without one are only parents of other values."""
    tree = yaml.safe_load(text)
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.removeprefix("#").strip())
            continue
        match = re.match(r"^( *)([A-Za-z][\w]*):", line)
        if match and comment and comment[0].startswith("-- "):
            indent = len(match[1])
            path = [step for step in path if step[0] < indent] + [(indent, match[2])]
            names = tuple(name for _, name in path)
            extra = [part.removeprefix("@schema ") for part in comment if part.startswith("@schema ")]
            words = " ".join(part for part in comment if not part.startswith("@schema ")).removeprefix("-- ")
            yield Value(names, _look_up(tree, names), words, json.loads(extra[0]) if extra else {})
        elif match:
            path = [step for step in path if step[0] < len(match[1])] + [(len(match[1]), match[2])]
        comment = []


def _look_up(tree: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        tree = tree[name]
    return tree


def schema(values: list[Value], settings: list[str]) -> dict[str, Any]:
    """Return a strict schema: an unknown value is an error, except in maps that Kubernetes itself checks."""
    root: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}
    for value in values:
        node = root
        for name in value.path[:-1]:
            empty = {"type": "object", "additionalProperties": False, "properties": {}}
            node = node["properties"].setdefault(name, empty)
        extra = value.schema
        if value.path == ("config", "env"):
            extra = {"additionalProperties": False, "properties": {name: {"type": "string"} for name in settings}}
        node["properties"][value.path[-1]] = _type_of(value.default) | {"description": value.help} | extra
    definitions = {".".join(source): _nullable(_node(root, source)["properties"]) for source in SHARED}
    for source, places in SHARED.items():
        prefix = f"#/definitions/{'.'.join(source)}"
        for place in places:
            own = _node(root, place)["properties"]
            for name in definitions[".".join(source)]:
                own.setdefault(name, {"$ref": f"{prefix}/{name}"})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart hunarmitra",
        "definitions": definitions,
        **root,
    }


def _node(root: dict[str, Any], path: tuple[str, ...]) -> Any:
    node = root
    for name in path:
        node = node["properties"][name]
    return node


def _nullable(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the properties with null allowed for each: Helm passes null for a value without a default."""
    changed = {}
    for name, schema in properties.items():
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        changed[name] = schema | {"type": [*types, *({"null"} - set(types))]}
        if "enum" in schema:
            changed[name]["enum"] = [*schema["enum"], None]
    return changed


def _type_of(default: Any) -> dict[str, Any]:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return {"type": kinds.get(type(default), "null")}


def defaults() -> str:
    """Return a copy of values.yaml for the templates, because Helm does not let them read values.yaml itself."""
    tree = yaml.safe_load((CHART / "values.yaml").read_text())
    note = "# Generated by `make chart` from values.yaml.\n"
    return note + yaml.safe_dump(tree, sort_keys=False, width=110, allow_unicode=True)


def readme(values: list[Value]) -> str:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    rows = []
    for value in values:
        default = json.dumps(value.default, ensure_ascii=False)
        rows.append(f"| `{'.'.join(value.path)}` | `{default.replace('|', chr(92) + '|')}` | {value.help} |")
    introduction = (CHART / "README.md.in").read_text()
    return introduction.replace("@DESCRIPTION@", chart["description"]).replace("@VALUES@", "\n".join(rows))


def files() -> dict[Path, str]:
    """Return the path and the text of each generated file, except those of `k8s/`."""
    sys.path.insert(0, str(REPOSITORY))
    from hunarmitra.config.environment import Environment
    from observability.render import chart_files

    settings = sorted({item.name.upper() for item in fields(Environment)} - OF_THE_CHART)
    values = list(read_values((CHART / "values.yaml").read_text()))
    operator = REPOSITORY / "operator"
    definition = served_twice((operator / "crds" / "websocketscalers.yaml").read_text())
    return {
        CHART / "values.schema.json": json.dumps(schema(values, settings), indent=2, ensure_ascii=False) + "\n",
        CHART / "files" / "defaults.yaml": defaults(),
        CHART / "README.md": readme(values),
        operator / "crds" / "websocketscalers.yaml": definition,
        CHART / "crds" / "websocketscalers.yaml": definition,
        CHART / "files" / "operator-role.yaml": (operator / "rbac" / "role.yaml").read_text(),
        CHART / "files" / "operator-lease.yaml": (operator / "rbac" / "lease.yaml").read_text(),
        CHART / "files" / "operator-admission.yaml": (operator / "rbac" / "admission.yaml").read_text(),
        **{CHART / "files" / "monitoring" / name: text for name, text in chart_files().items()},
    }


SOURCE_VERSION, COPIED_VERSION = "v1alpha1", "v1beta1"


def served_twice(definition: str) -> str:
    """Return the custom resource definition with its stored version, and a copy of it under the second name.

    The text is copied as it is, so that what the API server converts without a webhook is the same in both.
    """
    head, start, rest = definition.partition(f"    - name: {SOURCE_VERSION}\n")
    version = rest.partition("    # Generated from")[0]
    if not start or "      storage: true\n" not in version:
        raise ValueError(f"the definition has no stored version {SOURCE_VERSION}")
    copy = version.replace("      storage: true\n", "      storage: false\n", 1)
    note = f"    # Generated from {SOURCE_VERSION} by `make chart`; change {SOURCE_VERSION} instead.\n"
    return f"{head}{start}{version}{note}    - name: {COPIED_VERSION}\n{copy}"


# ── k8s/ ────────────────────────────────────────────────────────────────────────────────────────────────────
K8S = REPOSITORY / "k8s"
NOTE = "# Rendered from charts/hunarmitra by `make manifests`; change the chart or k8s/values.yaml instead.\n"
BUNDLED = ("database.bundled.enabled=true", "redis.bundled.enabled=true")
NAMESPACE = """apiVersion: v1
kind: Namespace
metadata:
  name: hunarmitra
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


def manifests(helm: str) -> dict[Path, str]:
    """Return the files of `k8s/`: the chart without Helm's labels, hooks and tests, and without Secrets.

    The user creates the Secrets.
    """
    external, bundled = _rendered(helm), _rendered(helm, *BUNDLED)
    monitoring = {"monitoring": _rendered(helm, "monitoring.enabled=true")["monitoring"]}
    migrate = {"migrate": external.pop("migrate")}
    trial = {name: bundled[name] for name in ("migrate", "postgresql", "redis")}
    definition = (REPOSITORY / "operator" / "crds" / "websocketscalers.yaml").read_text()
    return {
        K8S / "crds" / "websocketscalers.yaml": definition,
        **_folder(K8S / "crds", ["websocketscalers"], namespace=False),
        K8S / "base" / "namespace.yaml": NOTE + NAMESPACE,
        **_written(K8S / "base", external),
        **_folder(K8S / "base", ["namespace", *external]),
        **_written(K8S / "migrate", migrate),
        **_folder(K8S / "migrate", list(migrate)),
        **_written(K8S / "monitoring", monitoring),
        **_folder(K8S / "monitoring", list(monitoring)),
        **_written(K8S / "trial", trial),
        **_folder(K8S / "trial", list(trial)),
    }


def _rendered(helm: str, *settings: str) -> dict[str, str]:
    """Return the YAML of each component, rendered for production with `settings`."""
    command = [helm, "template", "hunarmitra", str(CHART), "--namespace", "hunarmitra", "--kube-version", "1.34"]
    command += ["--values", str(K8S / "values.yaml"), *(part for one in settings for part in ("--set", one))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        sys.exit(result.stderr)
    kept: dict[str, list[str]] = {}
    for document in yaml.safe_load_all(result.stdout):
        if document is None:
            continue
        component = document["metadata"]["labels"]["app.kubernetes.io/component"]
        hook = document["metadata"].pop("annotations", {}).get("helm.sh/hook")
        if hook and component != "migrate":
            continue
        _forget_helm(document)
        text = yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)
        kept.setdefault(component, []).append(text)
    return {component: "---\n".join(texts) for component, texts in sorted(kept.items())}


def _written(folder: Path, texts: dict[str, str]) -> dict[Path, str]:
    return {folder / f"{name}.yaml": NOTE + text for name, text in texts.items()}


def _folder(folder: Path, names: list[str], *, namespace: bool = True) -> dict[Path, str]:
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    within = "namespace: hunarmitra\n" if namespace else ""
    listing = "".join(f"  - {name}.yaml\n" for name in names)
    return {folder / "kustomization.yaml": f"{NOTE}{head}{within}resources:\n{listing}"}


def _forget_helm(node: Any) -> None:
    """Remove the labels that declare Helm as the manager, from the object and from its templates."""
    if isinstance(node, dict):
        for labels in (node.get("labels"), node.get("matchLabels")):
            if isinstance(labels, dict):
                labels.pop("helm.sh/chart", None)
                labels.pop("app.kubernetes.io/managed-by", None)
        for child in node.values():
            _forget_helm(child)
    elif isinstance(node, list):
        for child in node:
            _forget_helm(child)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is out of date")
    options = parser.parse_args()
    wanted = files()
    if helm := shutil.which("helm"):
        if not options.check:
            _write(wanted)  # manifests() renders the chart with these files
        wanted |= manifests(helm)
    else:
        print("helm is not on the PATH: k8s/ is left as it is", file=sys.stderr)  # noqa: T201 - a command
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    generated = {path.parent for path in wanted if K8S in path.parents}
    extra = {path for folder in generated for path in folder.glob("*.yaml")} - set(wanted)
    if not options.check:
        _write(wanted)
        for path in extra:
            path.unlink()
        return 0
    for path in sorted({*stale, *extra}):
        print(f"error: {path.relative_to(REPOSITORY)} is out of date: run make chart", file=sys.stderr)  # noqa: T201
    return 1 if stale or extra else 0


def _write(wanted: dict[Path, str]) -> None:
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
