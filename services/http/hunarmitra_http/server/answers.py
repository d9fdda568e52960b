"""Responses to requests that never reach the application, in the API's error format."""

from __future__ import annotations

from typing import Final

from hunarmitra.common import early_answers

LATE: Final = early_answers.late()
HEADER_TOO_LONG: Final = early_answers.early_answer(
    "431 Request Header Fields Too Large", "The header is too long.", "header_too_long"
)
