"""List every use of another library's private names: ``python -m tools.private_names [--root FOLDER]``.

A name counts if it begins with an underscore and this project does not define it. A name that an adapter lists also
counts, unless it looks like a name of this project (``dataBuffer`` counts, ``state`` does not). Uses in
``*_adapter.py`` are allowed, and are marked.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hunarmitra.common.private_names import Library

ROOT: Final = Path(__file__).resolve().parents[1]
SCANNED: Final = ("bench", "hunarmitra", "services", "tools")
ADAPTER_SUFFIX: Final = "_adapter.py"
DOCUMENTED: Final = frozenset({"_default_manager", "_meta"})
"""Parts of Django's models that are documented despite their underscore."""

ADAPTERS: Final[Mapping[str, str]] = {
    "daphne": "hunarmitra_ws.server.daphne_adapter",
    "django": "hunarmitra.database.django_adapter",
    "drf_spectacular": "hunarmitra_http.spectacular_adapter",
    "gunicorn": "hunarmitra_http.gunicorn_adapter",
    "opentelemetry": "hunarmitra.telemetry.opentelemetry_adapter",
    "prometheus_client": "hunarmitra.telemetry.prometheus_adapter",
    "psycopg_pool": "hunarmitra.database.psycopg_pool_adapter",
    "redis": "hunarmitra.outbox.redis_adapter",
    "twisted": "hunarmitra_ws.server.twisted_adapter",
    "websockets": "hunarmitra_ws.server.websockets_adapter",
}
"""The adapter of each library, by the package that is imported."""


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A use of ``name`` in line ``line`` of ``path``, which is relative to the root."""

    path: str
    line: int
    name: str

    @property
    def in_adapter(self) -> bool:
        return self.path.endswith(ADAPTER_SUFFIX)


def libraries() -> Mapping[str, Library]:
    """Return the lists of the adapters by imported package. Django must be configured."""
    return {package: importlib.import_module(module).LIBRARY for package, module in ADAPTERS.items()}


def uses(root: Path = ROOT) -> list[Use]:
    """Return every use below ``root``, sorted by path and line."""
    paths = [path for folder in SCANNED for path in sorted((root / folder).rglob("*.py")) if _is_scanned(path)]
    trees = {str(path.relative_to(root)): ast.parse(path.read_text()) for path in paths}
    listed = {name.name for library in libraries().values() for name in library.names}
    distinctive = {name for name in listed if not name.isalpha() or not name.islower()}
    ours = {name for tree in trees.values() for name in _defined(tree)}
    found: set[Use] = set()
    for path, tree in trees.items():
        touches = path.endswith(ADAPTER_SUFFIX) or any(package in ADAPTERS for package in _imported(tree))
        for name, line in _names(tree):
            private = name.startswith("_") and not name.startswith("__") and name not in ours | DOCUMENTED
            if private or (touches and name in (listed if path.endswith(ADAPTER_SUFFIX) else distinctive)):
                found.add(Use(path, line, name))
    return sorted(found)


def _is_scanned(path: Path) -> bool:
    return not {"migrations", "tests", ".venv", "node_modules"} & set(path.parts)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            yield module.partition(".")[0]
            # The classes of an adapter inherit the library's names.
            yield from (package for package, adapter in ADAPTERS.items() if module == adapter)


def _defined(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a file binds: functions, classes, variables, ``self.name = …``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
            yield node.attr


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield attributes, imported names, methods, keys of dicts and arguments of ``getattr``, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ClassDef):
            yield from ((part.name, part.lineno) for part in node.body if isinstance(part, ast.FunctionDef))
        elif isinstance(node, ast.Dict):
            yield from ((key.value, key.lineno) for key in node.keys if _is_text(key))  # type: ignore[union-attr]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            yield from ((part.value, part.lineno) for part in node.args if _is_text(part))  # type: ignore[attr-defined]


def _is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def main() -> None:
    """Print the uses, and their number in adapters and in other files."""
    parser = argparse.ArgumentParser(prog="python -m tools.private_names", description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder to search (default: this repository)")
    root = parser.parse_args().root
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
    import django

    django.setup()
    found = uses(root)
    for use in found:
        sys.stdout.write(f"{use.path}:{use.line}: {use.name}{' (adapter)' if use.in_adapter else ''}\n")
    outside = [use for use in found if not use.in_adapter]
    sys.stdout.write(f"{len(found) - len(outside)} uses in adapters, {len(outside)} elsewhere\n")


if __name__ == "__main__":
    main()
