"""Statements of the documents are true: links have targets, commands and variables exist, examples are frames."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from hunarmitra.config.environment import Environment
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra.protocol.frames import (
    CATALOGUE,
    OMIT,
    BookingConnected,
    Frame,
    NotificationsConnected,
)
from tests.support import contract
from tests.support.surroundings import REPOSITORY

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "clients/js/*.md", "charts/*/*.md", "k8s/*.md")
    for path in REPOSITORY.glob(pattern)
    if path.parent.name != "contract"  # kept as it was given
)
REFERENCE = (REPOSITORY / "docs" / "realtime.md").read_text()


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that GitHub makes: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
        if re.match(r"https?:|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert not broken


OF_DJANGO = {"check", "createsuperuser", "help", "makemigrations", "migrate"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_make_targets_and_management_commands_exist(path: Path) -> None:
    rules = re.findall(r"^([a-z][a-z0-9 -]*):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    commands = {file.stem for file in REPOSITORY.glob("hunarmitra/*/management/commands/*.py")}
    text = path.read_text()
    assert set(re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"manage\.py ([a-z]+)", text)) <= commands | OF_DJANGO


LIMITS = REPOSITORY / "docs" / "limits.md"


@pytest.mark.parametrize("page", [REPOSITORY / "docs" / "realtime.md", LIMITS], ids=lambda path: path.name)
def test_every_setting_that_is_named_exists_with_the_default_that_is_told(page: Path) -> None:
    known: dict[str, Any] = {item.name.upper(): item.default for item in fields(Environment)}
    shown = {"HUB_COMPARISON_INTERVAL": 5}  # with Redis
    limits = re.findall(r"^\| (?:.+?) \| (.+?) \| (`[A-Z_`, ]+`) \|", page.read_text(), re.MULTILINE)
    assert len(limits) >= 10
    for told, names in limits:
        text = told
        for size, bytes_ in (("64 KiB", 65536), ("32 KiB", 32768), ("16 KiB", 16384), ("1 MiB", 1048576)):
            text = text.replace(size, str(bytes_))
        for name in re.findall(r"[A-Z_]+", names):
            default = shown.get(name, known[name])
            assert re.search(rf"(?<![\d.]){default:.10g}(?![\d.]*\d)", text), f"{name} is {default}, not {told}"


# ── docs/realtime.md ────────────────────────────────────────────────────────────────────────────────────────
def examples() -> list[dict[str, Any]]:
    """Return every JSON object with a type in the reference, from blocks and tables."""
    found = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)]
    found += [json.loads(text) for text in re.findall(r'`(\{"type".*?\})`', REFERENCE)]
    return [example for example in found if "type" in example]


def frame_of(example: dict[str, Any]) -> type[Frame]:
    if example["type"] == "connection_established":
        return BookingConnected if "booking_id" in example else NotificationsConnected
    return next(frame for frame in CATALOGUE if frame.type == example["type"])


OPTIONAL_KEYS = {
    *("accuracy", "ack", "booking_id", "channel", "eta_minutes", "heading", "id", "last", "retry_in_ms"),
    *("speed", "uncertain"),
}
CLIENT_MESSAGES = {"ping", "authenticate", "mark_read", "location", "ack", "subscribe", "unsubscribe"}


def test_every_example_is_a_frame_of_the_catalogue_key_for_key() -> None:
    shown = [example for example in examples() if example["type"] not in CLIENT_MESSAGES]
    for example in shown:
        frame = frame_of(example)
        optional = {item.name for item in fields(frame) if item.default is OMIT}
        wanted = ["type", *(item.name for item in fields(frame))]
        assert list(example) == [key for key in wanted if key in example or key not in optional], example
    assert {frame_of(example) for example in shown} == set(CATALOGUE)
    assert {example["type"] for example in examples()} - {frame.type for frame in CATALOGUE} == CLIENT_MESSAGES


def test_optional_keys_of_the_catalogue_are_the_only_ones_with_a_default_beside_fixed_texts() -> None:
    for frame in CATALOGUE:
        defaults = {item.name for item in fields(frame) if item.default is not MISSING}
        assert defaults <= OPTIONAL_KEYS | {"message", "title"}


def test_every_close_code_is_explained() -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d{4}) \|", REFERENCE, re.MULTILINE)}
    assert explained == {code.value for code in CloseCode}


def test_every_call_of_the_contract_is_in_the_reference() -> None:
    for row in contract.rows("wire.md", "call"):
        for path in re.findall(r"[a-z_]+/(?:\{\w+\}/)?(?:[a-z_]+/)?", row[0]):
            assert path.replace("{booking_id}", "{id}") in REFERENCE, path


# ── docs/troubleshooting.md ─────────────────────────────────────────────────────────────────────────────────
OF_THE_FRAMEWORKS = {
    "method_not_allowed", "no_active_account", "not_authenticated", "parse_error", "throttled", "token_not_valid",
    "unsupported_media_type",
}  # fmt: skip
MADE_BY = (
    r'(?:_error|ClientMessageError|ConflictError|_answer|_page)\(\s*(?:[^"()]*, )?"(\w+)"',
    r'(?:code|_UNAUTHENTICATED|_FORBIDDEN|default_code)(?:: \w+)? ?= ?(?:\([\w.]+, )?"([a-z_]+)"',
    r'_(?:answer|page)\((?:request, )?\d+, "[^"]+", "(\w+)"',
)


def codes_in_the_source() -> set[str]:
    """Return every code that an error of the project may have."""
    folders = ("hunarmitra", "services/http/hunarmitra_http", "services/ws/hunarmitra_ws")
    files = [file for folder in folders for file in (REPOSITORY / folder).rglob("*.py")]
    internal = {"admin.py", "schema.py", "asyncapi.py"}  # an operator's port, and descriptions
    text = "\n".join(file.read_text() for file in files if file.name not in internal)
    return {code for pattern in MADE_BY for code in re.findall(pattern, text)} | OF_THE_FRAMEWORKS


def test_troubleshooting_has_every_error_and_every_close_code() -> None:
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
    codes = codes_in_the_source()
    assert {"forbidden", "invalid_json", "illegal_transition", "no_position", "full", "unavailable"} <= codes
    assert {code for code in codes if f"`{code}`" not in page} == set()
    assert {code.value for code in CloseCode} <= {
        int(code) for code in re.findall(r"^\| (\d{4}) \|", page, re.MULTILINE)
    }


# ── docs/glossary.md ────────────────────────────────────────────────────────────────────────────────────────
def test_the_glossary_is_sorted_and_says_why_a_word_of_ours_is_needed() -> None:
    rows = re.findall(
        r"^\| \*\*(.+?)\*\*(.*?) \| (.+) \|$", (REPOSITORY / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    terms = [re.sub(r"[^a-z,]", "", term.lower()) for term, _, _ in rows]
    assert len(terms) > 60
    assert terms == sorted(set(terms))
    ours = {term: meaning for term, mark, meaning in rows if "(ours)" in mark}
    assert ours
    assert [term for term, meaning in ours.items() if not re.search(r'"|no word|no name|usual words', meaning)] == []


# ── docs/runbooks/ ──────────────────────────────────────────────────────────────────────────────────────────
OF_LOG_FORMATS_AND_LIBRARIES = {"connection", "error", "exception", "psycopg", "traceback"}


def log_messages() -> list[str]:
    """Return every text that the code passes to a logger."""
    files = [
        file for folder in ("hunarmitra", "services", "operator/hunarmitra_operator") for file in python_in(folder)
    ]
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    levels = {"debug", "info", "warning", "error", "exception", "critical", "log"}
    logged = [
        call
        for call in calls
        if (isinstance(call.func, ast.Attribute) and call.func.attr in levels)
        or (isinstance(call.func, ast.Name) and call.func.id == "log_failure")
    ]
    parts = [part for call in logged for argument in call.args for part in ast.walk(argument)]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def python_in(folder: str) -> list[Path]:
    return list((REPOSITORY / folder).rglob("*.py"))


def test_what_runbooks_search_logs_for_is_logged() -> None:
    logged = log_messages()
    unknown = [
        f"{page.name}: {word}"
        for page in sorted((REPOSITORY / "docs" / "runbooks").glob("*.md"))
        for words in re.findall(r"grep (?:-\w+ )*(?:\d+ )?'([^']+)'", page.read_text())
        for word in words.split("|")
        if word not in OF_LOG_FORMATS_AND_LIBRARIES and not any(re.search(word, text, re.IGNORECASE) for text in logged)
    ]
    assert not unknown


def test_the_walks_name_files_in_few_steps() -> None:
    """The walks have few files, and each listed file exists."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text()
    for heading, most in (("The walk of a status change", 20), ("The walk of a connect", 12)):
        section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
        files = re.findall(r"^\d+\. `([\w/.]+)`", section, re.MULTILINE)
        assert 5 < len(files) <= most, heading
        assert [name for name in files if not (REPOSITORY / name).is_file()] == []
