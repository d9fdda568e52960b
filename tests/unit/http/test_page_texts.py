"""The page's texts: complete in each language, and nowhere else than in the catalogues."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import hunarmitra_http.page
from hunarmitra.bookings.services import _TITLES
from hunarmitra_http import hindi
from tests.support.javascript import Literal, literals

PAGE = Path(hunarmitra_http.page.__file__).parent / "static" / "page"
TEMPLATE = PAGE.parents[1] / "templates" / "page" / "index.html"
LANGUAGES = sorted(path.stem for path in (PAGE / "languages").glob("*.json"))
OTHERS = [language for language in LANGUAGES if language != "en"]
SOURCES = sorted(PAGE.rglob("*.js"))


@cache
def catalogue(language: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        assert len(found) == len(pairs), "a key stands twice"
        return found

    text = (PAGE / "languages" / f"{language}.json").read_text()
    return dict(json.loads(text, object_pairs_hook=unique))


def texts(value: Any) -> list[str]:
    """The forms or steps of an entry."""
    return [value] if isinstance(value, str) else list(value.values() if isinstance(value, dict) else value)


def placeholders(value: Any) -> set[str]:
    return {name for text in texts(value) for name in re.findall(r"\{(\w+)\}", text)}


@cache
def code(path: Path) -> list[Literal]:
    return list(literals(path.read_text()))


def test_each_catalogue_has_a_language_in_the_switch() -> None:
    shown = set(re.findall(r"(\w+): \{ name:", (PAGE / "languages.js").read_text()))
    assert shown == set(LANGUAGES) == {"en", "hi"}


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_each_text_of_the_english_one_and_no_other(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert set(english) - set(other) == set(), "missing"
    assert set(other) - set(english) == set(), "too many"
    for key, value in english.items():
        assert type(other[key]) is type(value), key
        assert placeholders(other[key]) == placeholders(value), key
        assert all(text.strip() for text in texts(other[key])), key


def test_hindi_is_written_in_devanagari() -> None:
    but_for = {"booking.title", "notifications.most", "notifications.readOne"}  # only placeholders
    for key, value in catalogue("hi").items():
        for text in texts(value):
            assert key in but_for or re.search(r"[\u0900-\u097f]", text), key
            assert not re.search(r"[\u0900-\u097f]\.(\s|$)", text), f"{key}: a sentence ends with a danda"


def test_plural_forms_are_those_of_the_language() -> None:
    for language in LANGUAGES:
        for key, value in catalogue(language).items():
            assert not isinstance(value, dict) or set(value) == {"one", "other"}, key


@pytest.mark.parametrize(("language", "texts"), [("en", _TITLES), ("hi", hindi.NOTIFICATIONS)])
def test_notifications_have_the_same_texts_as_the_server(language: str, texts: dict[str, tuple[str, str]]) -> None:
    shown = {key: value for key, value in catalogue(language).items() if key.startswith("notification.")}
    expected = {f"notification.{event}.title": title for event, (title, _) in texts.items()}
    expected |= {f"notification.{event}.message": message for event, (_, message) in texts.items()}
    assert shown == expected


def test_the_sources_use_each_text_and_only_texts_that_exist() -> None:
    keys = set(catalogue("en"))
    areas = {key.partition(".")[0] for key in keys}
    used: set[str] = set()
    for path in SOURCES:
        for literal in code(path):
            pattern = "[^.]+".join(map(re.escape, literal.text.split("{}")))
            found = {key for key in keys if re.fullmatch(pattern, key)} if "." in literal.text else set()
            used |= found
            looks_like_a_key = re.fullmatch(rf"({'|'.join(areas)})\.[\w.{{}}]+", literal.text)
            assert found or not looks_like_a_key or literal.text.endswith(".js"), (path.name, literal)
    assert keys - used == set()


TECHNICAL = re.compile(
    r"[A-Z]+|Accept-Language|Authorization|Content-Type|Retry-After|Bearer \{\}|BroadcastChannel|HunarMitra|AbortError"
    r"|Escape|Arrow\w+|\{\} · HunarMitra"
)
"""Words of protocols, of browsers and the name of the product."""
SELECTORS = re.compile(
    r"querySelector|closest|matches|matchMedia|classList|\.on$|Listener$|createElement|create$|^L\.|^pin$"
)
SEEN_ATTRIBUTES = re.compile(r"(?:'aria-(?:label|description|roledescription)'|\b(?:title|placeholder|alt|label)): $")
SEEN_ARGUMENTS = {"h": 2, "fill": 1, "announce": 0, "say": 1}
"""The first argument of a function that is shown."""
UNSEEN_ATTRIBUTES = re.compile(r"\b(?:class|className|marks|rel|style)\b[^,{]*$|transform = $")


def is_for_people(literal: Literal) -> bool:
    """Whether a literal is text that the page shows or says."""
    words = literal.text.replace("{}", "")
    if (
        not re.search(r"[^\W\d_]", words)
        or TECHNICAL.fullmatch(literal.text)
        or re.search(r"[!=]==? $", literal.before)
    ):
        return False
    if SEEN_ATTRIBUTES.search(literal.before) or literal.argument >= SEEN_ARGUMENTS.get(literal.call, 99):
        return True
    hidden = SELECTORS.search(literal.call) or UNSEEN_ATTRIBUTES.search(literal.before)
    return not hidden and bool(re.search(r"\b[A-Z][a-z]+|[^\W\d_]+ [^\W\d_]+|[^\x00-\x7f]", words))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_has_a_text_for_people(path: Path) -> None:
    allowed = {"languages.js": {"हिन्दी", "English", "no text for {}"}}.get(path.name, set())
    found = [f"{path.name}:{each.line}: {each.text}" for each in code(path) if is_for_people(each)]
    assert [each for each in found if each.split(": ", 1)[1] not in allowed] == []


def test_the_document_has_no_text_but_that_for_browsers_without_scripts() -> None:
    html = re.sub(r"<head>.*</head>|\{[%{].*?[%}]\}|<!doctype html>", "", TEMPLATE.read_text(), flags=re.DOTALL)
    [unscripted] = re.findall(r"<noscript>(.*?)</noscript>", html, re.DOTALL)
    assert {"en", *re.findall(r'<p[^>]* lang="(\w+)"', unscripted)} == set(LANGUAGES)
    rest = html.replace(unscripted, "")
    assert re.sub(r"<[^>]+>", "", rest).strip() == ""
    assert not re.search(r'(?:title|aria-label|alt|placeholder)="', rest)


@pytest.mark.parametrize(
    "source",
    [
        "h('p', {}, 'Nothing yet.')",
        "h('p', {}, x ? t('a.b') : 'none')",
        "h('b', { title: 'quick' })",
        "h('b', { 'aria-label': `the ${x}` })",
        "say(this.#note, 'gone')",
        "announce(`${x} gone`)",
        "throw new Error('Another tab drives this booking already.')",
        "element.textContent = 'Last seen just now';",
        "h('p', {}, 'नहीं')",
    ],
)
def test_the_check_finds_texts(source: str) -> None:
    assert any(is_for_people(each) for each in literals(source))
