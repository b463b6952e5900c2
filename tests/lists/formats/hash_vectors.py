"""The test vectors of docs/hashes.md, from fixed inputs.

`python -m tests.lists.formats.hash_vectors` writes tests/data/hashes_vectors.json again.
"""

import json
from pathlib import Path
from typing import Any

from app.core import rice, url
from app.core.terms import EntryScope
from app.lists.formats import hashes
from tests.lists.formats.hostile import Entry, sheet_of

FILE = Path(__file__).parents[2] / "data" / "hashes_vectors.json"
KEY = bytes(range(32))
ENTRIES: list[Entry] = [
    (EntryScope.URL, "http://a.example.test/1?x=%25"),
    (EntryScope.PATH, "https://a.example.test/album"),
    (EntryScope.DOMAIN, "http://b.example.test/"),
]
ASKED = (
    "http://a.example.test/1?x=%25",
    "http://a.example.test/1",
    "https://a.example.test/album/2?page=3",
    "https://a.example.test/albums",
    "http://deep.under.b.example.test/any",
)
SMALL = (8, [5, 70, 100])


def made() -> dict[str, Any]:
    """Everything that the file holds."""
    width, values = SMALL
    key, file = KEY, b"".join(hashes.render(sheet_of(ENTRIES, match_key=KEY)))
    empty = b"".join(hashes.render(sheet_of([], match_key=KEY)))
    return {
        "rice": {
            "width": width,
            "values": values,
            "parameter": rice.parameter(len(values), width),
            "coded": b"".join(rice.encode(values, len(values), width)).hex(),
        },
        "parameters_at_128_bits": {str(10**e): rice.parameter(10**e, 128) for e in range(8)},
        "match_key": key.hex(),
        "key_id": hashes.key_id(key).hex(),
        "entries": [_hashed(scope.value, url.expression(address, scope)) for scope, address in ENTRIES],
        "file": file.hex(),
        "file_without_entries": empty.hex(),
        "asked": [_asked(file, address) for address in ASKED],
    }


def _hashed(scope: str, expression: str) -> dict[str, str]:
    hashed = hashes.value(KEY, scope, expression)
    return {"scope": scope, "expression": expression, "hash": hashed.hex()}


def _asked(file: bytes, address: str) -> dict[str, Any]:
    return {
        "url": address,
        "expressions": [list(one) for one in url.covering(address)],
        "is_covered": hashes.Hashes.read(file).covers(KEY, address),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=1) + "\n")
