"""The private names of other libraries: each exists as its adapter says, and no other module uses one."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

from hunarmitra.common.private_names import Library, PrivateName
from tests.support.surroundings import REPOSITORY
from tools.private_names import ADAPTER_SUFFIX, ADAPTERS, SCANNED, libraries, uses

LIBRARIES = dict(libraries())
NAMES = [name for library in LIBRARIES.values() for name in library.names]


def _owner(name: PrivateName) -> Any:
    module, _, attribute = name.owner.partition(":")
    owner = importlib.import_module(module)
    return getattr(owner, attribute) if attribute else owner


@functools.cache
def _assigned(kind: type) -> frozenset[str]:
    """Return the attributes that a class and its bases set on ``self``."""
    bases = [base for base in inspect.getmro(kind) if base.__module__.partition(".")[0] in ADAPTERS]
    return frozenset(name for base in bases for name in _assigned_in(base))


def _assigned_in(kind: type) -> Iterator[str]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except OSError:  # a class that was made at run time, as zope's proxies are
        return
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name, ctx=ast.Store()) if owner == "self":
                yield name


def test_every_adapter_has_its_list() -> None:
    modules = {path.stem for folder in SCANNED for path in (REPOSITORY / folder).rglob(f"*{ADAPTER_SUFFIX}")}
    assert modules == {module.rpartition(".")[2] for module in ADAPTERS.values()}


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_the_installed_version_is_the_one_in_which_the_names_were_read(library: Library) -> None:
    """After an upgrade: read the names in the new version, as docs/adr/0014 says, and then write that version down."""
    assert version(library.distribution) == library.version


@pytest.mark.parametrize("name", NAMES, ids=lambda name: f"{name.owner.rpartition('.')[2]}.{name.name}")
def test_a_private_name_exists_as_its_adapter_expects(name: PrivateName) -> None:
    owner = _owner(name)
    if name.parameters is None:
        known = hasattr(owner, name.name) or name.name in _assigned(owner)
        assert known, f"{name.owner} has no {name.name} any more, which is used for: {name.reason}"
        return
    function = getattr(owner, name.name)
    parameters = tuple(part for part in inspect.signature(function).parameters if part != "self")
    assert parameters == name.parameters, f"{name.owner}.{name.name} is used for: {name.reason}"


def test_only_adapters_use_private_names() -> None:
    found = [f"{use.path}:{use.line}: {use.name}" for use in uses() if not use.in_adapter]
    assert found == [], "move these into the library's adapter, or use a public name:\n" + "\n".join(found)
