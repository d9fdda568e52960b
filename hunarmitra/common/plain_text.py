"""Reject characters that deceive readers: control characters, and overrides of the writing direction."""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import ValidationError

_HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hidden_character(text: str, *, newlines: bool = False) -> str | None:
    """Return the first rejected character as ``U+202E``, or None. ``newlines`` accepts LF and CRLF.

    The overrides and isolates are those of Unicode Standard Annex 9. Joiners, which Indic scripts need, are accepted.
    """
    if newlines:
        text = text.replace("\r\n", "").replace("\n", "")
    found = _HIDDEN.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def hidden_character_error(character: str) -> str:
    """Return the message for a rejected character."""
    return f"Contains the character {character}; remove control characters and direction overrides."


def validate_plain_text(text: str) -> None:
    """Validator of a model's field with one line of text. Raises ValidationError."""
    if character := hidden_character(text):
        raise ValidationError(hidden_character_error(character), code="invalid")
