"""How ids are read from paths."""

from __future__ import annotations

from typing import Final
from uuid import UUID

HEX: Final = "[0-9a-fA-F]"


class IdConverter:
    """A UUID in any case (RFC 9562, section 4), as in bodies and WebSocket URLs: Swift's ``uuidString`` is upper case.

    Django's own ``uuid`` knows small letters only, and a path with capitals would be 404.
    """

    regex = f"{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}"

    def to_python(self, value: str) -> UUID:
        return UUID(value)

    def to_url(self, value: UUID) -> str:
        return str(value)
