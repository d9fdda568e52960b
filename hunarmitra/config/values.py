"""Parsers for the value of one environment variable.

Each raises ValueError with the rest of a sentence that begins with the variable's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from hunarmitra.common.addresses import InvalidNetworkError, Network, parse_networks
from hunarmitra.common.origins import parse_origin

MINIMUM_SECRET_BYTES: Final = 32
"""The length of a SHA-256: a shorter key is weaker than the signature (RFC 7518, section 3.2)."""

WIDEST_PREFIXES: Final = {4: 8, 6: 7}
"""Bits by IP version: 10.0.0.0/8 and fc00::/7 are the largest private networks."""

TRACE_SAMPLERS: Final = tuple(
    f"{parent}{root}" for parent in ("", "parentbased_") for root in ("traceidratio", "always_on", "always_off")
)
"""OpenTelemetry's names."""


def text_value(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def boolean(value: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return words[value.strip().lower()]
    except KeyError:
        raise ValueError("must be 1 or 0 (or true/false, yes/no, on/off)") from None


def name_list(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def services(value: str) -> tuple[str, ...]:
    names = name_list(value)
    if not names or set(names) - {"http", "ws"}:
        raise ValueError("must be http, ws or http,ws")
    return names


def networks(value: str) -> tuple[Network, ...]:
    try:
        found = parse_networks(name_list(value))
    except InvalidNetworkError as error:
        raise ValueError(str(error)) from None
    for network in found:
        if network.prefixlen < WIDEST_PREFIXES[network.version]:
            raise ValueError(
                f"has {str(network)!r}, which trusts addresses all over the internet, so that any client could choose "
                "its address; name only the network of your proxies"
            )
    return found


def origins(value: str) -> tuple[str, ...]:
    """Any ``scheme://host[:port]``, as apps have them too: ``capacitor://localhost``. Never ``null``."""
    found = []
    for text in name_list(value):
        origin = parse_origin(text)
        if origin is None:
            raise ValueError(
                f"has {text!r}; an origin looks like https://app.example.org or capacitor://localhost, "
                "with a port but without a user, a path, a query or a fragment"
            )
        found.append(str(origin))
    return tuple(found)


def tile_template(value: str) -> str:
    """A template of tile URLs. Its origin is sent in a header, so only harmless characters are allowed."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[!-~]*", value):
        raise ValueError("must look like https://tiles.example.org/{z}/{x}/{y}.png")
    if not all(place in value for place in ("{z}", "{x}", "{y}")):
        raise ValueError("must have {z}, {x} and {y}")
    return value


def collector_url(value: str) -> str:
    if not re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?", value):
        raise ValueError("must look like http://collector:4318, without a user, a query or a fragment")
    return value.rstrip("/")


def pairs(value: str) -> tuple[tuple[str, str], ...]:
    """Headers as OpenTelemetry writes them: ``name=value,other=value``, values in URL encoding."""
    found = []
    for item in name_list(value):
        name, separator, text = item.partition("=")
        if not separator or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name.strip()):
            raise ValueError("must look like name=value,other=value")
        found.append((name.strip().lower(), unquote(text.strip())))
    return tuple(found)


def secret_list(value: str) -> tuple[str, ...]:
    """Secrets as a JSON list. Its errors repeat nothing of the value."""
    try:
        found = json.loads(value)
        if isinstance(found, list) and found and all(len(each.encode()) >= MINIMUM_SECRET_BYTES for each in found):
            return tuple(found)
    except (ValueError, AttributeError, RecursionError):
        pass
    raise ValueError(f"must be a JSON list of secrets of at least {MINIMUM_SECRET_BYTES} bytes")


def ratio(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError("must be a number from 0 to 1") from None
    if not 0 <= number <= 1:
        raise ValueError("must be a number from 0 to 1")
    return number


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError("must be a whole number") from None
        if not minimum <= number <= maximum:
            raise ValueError(f"must be from {minimum} to {maximum}")
        return number

    return parse


def seconds(minimum: float, maximum: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            raise ValueError("must be a number of seconds") from None
        if not minimum <= number <= maximum:
            raise ValueError(f"must be from {minimum:g} to {maximum:g} seconds")
        return number

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError("must be one of " + ", ".join(choices))
        return value

    return parse
