"""Check REST answers against the OpenAPI description: status, content type, headers and each key of the body.

The schemas are compiled and forbid additional keys, so that an undescribed key fails the test that receives it.
"""

from __future__ import annotations

import copy
import re
import threading
from functools import cache
from typing import Any, Final

import httpx
from jsonschema_rs import Draft202012Validator

Json = dict[str, Any]

PREFIX: Final = "/api/v1/"
_making: Final = threading.Lock()

UNROUTED: Final = frozenset({400, 404, 413})
"""The allowed answers of a path without an operation: an unknown host, an unknown path, a too large body."""
SERVERS_OWN: Final = frozenset({408, 414, 431})
"""Answers to a request that does not reach the application: it came too slowly, or its line or header is too long."""

GATEWAYS_OWN: Final = frozenset({502, 503, 504})
"""Answers of an ingress without a backend. They are HTML; those of the project are JSON."""


def problems_of_answer(answer: httpx.Response) -> list[str]:
    """Return the differences from the description; none for undescribed paths (probes, the descriptions)."""
    request = answer.request
    path = request.url.path
    if not path.startswith(PREFIX) or answer.status_code in SERVERS_OWN or _is_a_gateways_own(answer):
        return []
    shown = f"{request.method} {path[:200]}: {answer.status_code}"
    described = _described_answer(request.method, path, answer.status_code)
    if described is None:
        return [f"{shown} is not in the description: {answer.text[:500]}"]
    found = [f"{shown} without {name}" for name in _missing_headers(described, answer)]
    if request.method != "HEAD":
        found += [f"{shown}: {problem}" for problem in _problems_of_body(described, answer)]
    return found


def _is_a_gateways_own(answer: httpx.Response) -> bool:
    return answer.status_code in GATEWAYS_OWN and answer.headers.get("content-type", "").startswith("text/html")


def _described_answer(method: str, path: str, status: int) -> Json | None:
    item = next((item for pattern, item in _paths() if pattern.fullmatch(path)), None)
    if item is None:
        return _error(status) if status in UNROUTED else None
    operation = item.get("get" if method == "HEAD" else method.lower())
    if operation is None:  # of another method, or a browser asking which are there
        return _error(status) if status == 405 else None
    answer: Json | None = operation["responses"].get(str(status))
    return answer


def _error(status: int) -> Json:
    name = "InvalidRequest" if status == 400 else "Error"
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _missing_headers(described: Json, answer: httpx.Response) -> list[str]:
    headers: Json = described.get("headers", {})
    return [name for name, header in headers.items() if header.get("required") and name not in answer.headers]


def _problems_of_body(described: Json, answer: httpx.Response) -> list[str]:
    content = described.get("content")
    if not content:
        return ["a body where none is described"] if answer.content else []
    [(media_type, media)] = content.items()
    if answer.headers.get("Content-Type") != media_type:
        return [f"{answer.headers.get('Content-Type')} instead of {media_type}"]
    schema = media["schema"]
    validator = _validator(schema["$ref"]) if "$ref" in schema else _compiled(schema)
    body = answer.json()
    return [f"{error.message} at {list(error.instance_path)}: {body}" for error in validator.iter_errors(body)]


@cache
def _paths() -> list[tuple[re.Pattern[str], Json]]:
    """Return the paths, with those without parameters first: `mark_all_read/` is not an id."""
    paths: dict[str, Json] = _description()["paths"]
    ordered = sorted(paths.items(), key=lambda entry: "{" in entry[0])
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), item) for path, item in ordered]


@cache
def _validator(reference: str) -> Draft202012Validator:
    return _compiled({"$ref": reference})


def _compiled(schema: Json) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": _description()["components"]}, validate_formats=True)


def _description() -> Json:
    # Only one thread generates it, because drf-spectacular stores its state in the views.
    with _making:
        return _made_description()


@cache
def _made_description() -> Json:
    """Return the description that this process generates; `test_openapi.py` compares that of the servers with it."""
    from hunarmitra_http.views.schema import description

    made = copy.deepcopy(description())
    for schema in made["components"]["schemas"].values():
        _close(schema)
    return made


def _close(schema: Any) -> None:
    """Forbid undescribed keys in a schema and its parts."""
    if isinstance(schema, list):
        for each in schema:
            _close(each)
    elif isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for each in schema.values():
            _close(each)
