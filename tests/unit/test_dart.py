"""The Dart of the package and of the documents, by its grammar: no package registry has a Dart SDK to run it with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_dart
from tree_sitter import Language, Parser

from hunarmitra.protocol.asyncapi import document
from hunarmitra.protocol.close_codes import CloseCode
from tests.support.documents import Block, blocks, file_of
from tests.support.surroundings import REPOSITORY

PACKAGE = REPOSITORY / "clients" / "dart"
SOURCES = sorted(PACKAGE.rglob("*.dart"))
PAGES = ("realtime.md", "guide/flutter.md", "../clients/dart/README.md")
SAMPLES = [block for page in PAGES for block in blocks(page) if block.language == "dart"]


def assert_is_dart(text: str) -> None:
    tree = Parser(Language(tree_sitter_dart.language())).parse(text.encode())
    assert not tree.root_node.has_error, tree.root_node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_package_is_dart(path: Path) -> None:
    assert_is_dart(path.read_text())


@pytest.mark.parametrize("block", SAMPLES, ids=lambda block: block.title or "sample")
def test_the_samples_are_dart(block: Block) -> None:
    text = block.text
    if text.startswith("@override"):
        text = f"class Screen {{\n{text}}}\n"
    elif not block.title:  # statements, as they stand in some function
        imports = re.findall(r"^import .*\n", text, re.MULTILINE)
        rest = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
        text = f"{''.join(imports)}void main() {{\n{rest}}}\n"
    assert_is_dart(text)


def test_code_that_is_not_dart_is_found() -> None:
    with pytest.raises(AssertionError):
        assert_is_dart("void main() { final x = ; }")


def code() -> str:
    package = "\n".join(path.read_text() for path in sorted((PACKAGE / "lib").rglob("*.dart")))
    return file_of("realtime.md", "booking_stream.dart") + package


def test_it_reads_only_keys_that_frames_have() -> None:
    schemas: list[dict[str, Any]] = list(document()["components"]["schemas"].values())
    known = {key for schema in schemas for key in schema.get("properties", {})}
    types = {schema["properties"]["type"]["const"] for schema in schemas if "type" in schema.get("properties", {})}
    read = set(re.findall(r"(?:frame|snapshot|event|location)\['(\w+)'\]", code()))
    assert read <= known
    assert {"seq", "after_ms", "expires_at", "server_time", "heartbeat_seconds", "location", "unread"} <= read
    named = set(re.findall(r"case '(\w+)':|eventType: '(\w+)'|\['type'\] == '(\w+)'", code()))
    assert {name for names in named for name in names if name} <= types


def test_it_decides_by_close_codes_that_exist() -> None:
    used = {int(number) for number in re.findall(r"\b4\d{3}\b", code())}
    assert used
    assert used <= {member.value for member in CloseCode}
