"""The form of a leaf: an object in RFC 8785 form."""

from typing import Any

import orjson
import rfc8785

from app.core.replay.state import Deviation, Leaf


def read(index: int, body: bytes) -> Leaf:
    """A leaf that is an object in RFC 8785 form. Raises Deviation."""
    try:
        leaf = orjson.loads(body)
        if isinstance(leaf, dict) and is_canonical(leaf, body):
            return leaf
    except ValueError:
        pass
    raise Deviation(index, "expected a leaf in RFC 8785 form")


def is_canonical(found: Any, raw: bytes) -> bool:
    """For ASCII names and whole numbers orjson's sorted form is that of RFC 8785, and far quicker."""
    return orjson.dumps(found, None, orjson.OPT_SORT_KEYS) == raw or rfc8785.dumps(found) == raw
