"""JSON from strangers, held to limits before it is read: nothing here recurses or grows with what was sent.

What passes means the same to every reader: UTF-8, no name twice in one object, no number that a reader must
round or cannot hold. Sources: RFC 8259 sections 4, 6, 8.1 and 9; RFC 7493 (I-JSON) section 2.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, or what begins as one and never ends: so that no text is looked at twice."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_QUOTES_A_VALUE = 8
"""Those of a name and a string, and as many escaped: what holds more of them is not even taken apart."""


class Refused(ValueError):
    """The text is no JSON, or not plain enough. The message names the fault and no content."""


class NotJson(Refused):
    """No reader takes it for JSON."""


class TooComplex(Refused):
    """It goes past a limit."""


@dataclass(frozen=True)
class Limits:
    """The most of each that is read. `string` is characters between the quotes, escapes as written."""

    depth: int = 32
    values: int = 250_000
    string: int = 65_536
    digits: int = 40


DEFAULT = Limits()


def loads(data: bytes, limits: Limits = DEFAULT) -> Any:
    """The value. Raises NotJson or TooComplex."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJson("send it in UTF-8") from None
    if "\0" in text:
        raise NotJson("send it in UTF-8, without zero bytes")
    _measure(text, limits)
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=lambda digits: _integer(digits, limits),
            parse_float=lambda digits: _float(digits, limits),
            parse_constant=_constant,
        )
    except json.JSONDecodeError:
        raise NotJson("send valid JSON") from None


def _measure(text: str, limits: Limits) -> None:
    if text.count('"') > _QUOTES_A_VALUE * limits.values:
        raise _too_many(limits)
    if max(map(len, _STRING.findall(text)), default=0) > limits.string + 2:
        raise TooComplex(f"a string has at most {limits.string} characters")
    bare = _STRING.sub("", text)
    brackets = bare.encode().translate(None, _NO_BRACKETS)
    # Each value is the first in its brackets, or stands behind a comma.
    if bare.count(",") + len(brackets) // 2 > limits.values:
        raise _too_many(limits)
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > limits.depth:
            raise TooComplex(f"it is nested at most {limits.depth} deep")


def _too_many(limits: Limits) -> TooComplex:
    return TooComplex(f"it holds at most {limits.values} values")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("a name stands twice in one object")
    return found


def _integer(digits: str, limits: Limits) -> int:
    if len(digits) > limits.digits:
        raise TooComplex(f"a number has at most {limits.digits} digits")
    return int(digits)


def _float(digits: str, limits: Limits) -> float:
    if len(digits) > limits.digits:
        raise TooComplex(f"a number has at most {limits.digits} digits")
    found = float(digits)
    if not math.isfinite(found):
        raise TooComplex("a number is beyond what a double holds")
    return found


def _constant(_name: str) -> Any:
    raise NotJson("NaN and Infinity are no JSON")
