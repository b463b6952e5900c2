"""Verifying an export offline: the tree, every transition, every version, and what was opened.

An export is a sequence of named members in one order: `export.json`, `keys.json`, `checkpoint`, optionally
`openings.age`, each entry bundle followed by its tile of level 0, the higher tiles, then the manifests by
list and version, each `.json` followed by its `.jws`, then the JWS of each month's transparency report.
Sources: C2SP tlog-tiles; design sections 3 and 7; docs/log.md.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.core import commitment, jose, merkle, note, replay
from app.core.merkle import TILE, Frontier
from app.core.note import Checkpoint, Verifier
from app.core.replay import Checks, Deviation, Published, Replay, check_signature

Member = tuple[str, bytes]
"""A member's name and content."""
LONGEST_REPORT = 4 * 1024 * 1024
"""Characters of a signed transparency report."""
Step = Callable[[int, int], None]
"""Hears of progress: leaves done, leaves in all."""


def unheard(_done: int, _all: int) -> None:
    """A step that nobody hears of."""


@dataclass(frozen=True)
class Wanted:
    """What the verifier brings along: keys it trusts (the export's own without), openings, and progress."""

    log_key: Verifier | None = None
    witnesses: tuple[Verifier, ...] = ()
    quorum: int = 0
    openings: Mapping[str, bytes] | None = None
    step: Step = unheard


@dataclass
class Report:
    """What was verified."""

    origin: str
    log_key: str
    size: int
    root: str
    witnesses: list[str]
    entries: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    manifests: int = 0
    reports: int = 0
    openings: int = 0
    contents: int = 0


def openings_of(lines: bytes) -> dict[str, bytes]:
    """Entry id -> canonical line, of the opened `openings.age`. Raises ValueError."""
    return {json.loads(line)["entry"]: line for line in lines.splitlines()}


def verify_tree(members: Iterator[Member], wanted: Wanted) -> Report:
    """The checkpoint's signatures, that bundles and tiles are just those of its tree, and each leaf's form.

    Raises Deviation, which names the leaf, at the first thing that is wrong.
    """
    reader = _Reader(members)
    reader.json("export.json")
    keys = reader.json("keys.json")
    checkpoint, report = _checkpoint(reader, keys, wanted)
    if reader.peek() == "openings.age":
        reader.take("openings.age", 0)
    roots = []
    for index in range((checkpoint.size + TILE - 1) // TILE):
        width = min(TILE, checkpoint.size - index * TILE)
        hashes = _tile(reader, index, width)
        roots.append(Frontier().extend(hashes).root())
    _higher_tiles(reader, roots, checkpoint)
    return report


def verify_history(
    members: Iterator[Member], wanted: Wanted, report: Report, check: Checks = check_signature
) -> Report:
    """Every transition, version, manifest and opening; adds to the report of `verify_tree`.

    On its own it proves nothing: the leaves could be any. `check` is given each reviewer's signature. Raises
    Deviation.
    """
    return _History(members, wanted, check).run(report)


def _checkpoint(reader: "_Reader", keys: dict[str, Any], wanted: Wanted) -> tuple[Checkpoint, Report]:
    signed = reader.take("checkpoint", 0)
    try:
        key = wanted.log_key or Verifier.parse(keys["log_vkey"])
        witnesses = wanted.witnesses or tuple(map(Verifier.parse, keys["witness_vkeys"]))
        text, _ = note.read(signed, [key])
        checkpoint = Checkpoint.parse(text)
        cosigners = note.cosigners(signed, witnesses)
    except (note.Malformed, KeyError, TypeError, AttributeError) as fault:
        raise Deviation(0, f"expected a checkpoint signed by this log: {fault}") from None
    last = max(checkpoint.size - 1, 0)
    if checkpoint.origin != key.name:
        raise Deviation(last, f"expected a checkpoint of {key.name}")
    if len(cosigners) < wanted.quorum:
        raise Deviation(last, f"expected {wanted.quorum} witnesses' cosignatures, found {len(cosigners)}")
    return checkpoint, Report(key.name, str(key), checkpoint.size, checkpoint.root.hex(), sorted(cosigners))


def _tile(reader: "_Reader", index: int, width: int) -> list[bytes]:
    """The hashes of a bundle that is just what its tile says, of leaves in RFC 8785 form."""
    first = index * TILE
    bundle = reader.take(merkle.tile_path("entries", index, width), first)
    tile = reader.take(merkle.tile_path(0, index, width), first)
    try:
        leaves = merkle.unbundle(bundle)
    except ValueError as fault:
        raise Deviation(first, f"expected a whole bundle of {width} leaves: {fault}") from None
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    if b"".join(hashes) != tile or len(hashes) != width:
        stated = [tile[at : at + 32] for at in range(0, len(tile), 32)]
        at = next((n for n in range(width) if hashes[n : n + 1] != stated[n : n + 1]), width - 1)
        raise Deviation(first + at, f"expected the leaf whose hash tile 0/{index} of {width} leaves holds")
    for at, leaf in enumerate(leaves):
        replay.read(first + at, leaf)
    return hashes


def _higher_tiles(reader: "_Reader", level: list[bytes], checkpoint: Checkpoint) -> None:
    """Tiles above the leaves, and the root over all."""
    size, number, roots = checkpoint.size, 1, level
    while count := size >> (8 * number):
        following = []
        for index in range((count + TILE - 1) // TILE):
            expected = roots[index * TILE : min((index + 1) * TILE, count)]
            first = index * TILE << (8 * number)
            found = reader.take(merkle.tile_path(number, index, len(expected)), first)
            if found != b"".join(expected):
                raise Deviation(first, f"expected tile {number}/{index} over the leaves from here")
            following.append(Frontier().extend(expected).root())
        roots, number = following, number + 1
    if _root(level) != checkpoint.root:
        raise Deviation(max(size - 1, 0), "expected leaves that lead to the checkpoint's root")


class _Reader:
    """Members in the order in which they must come."""

    def __init__(self, members: Iterator[Member]) -> None:
        self._members = members
        self._pending: Member | None = None

    def peek(self) -> str | None:
        """The next member's name, None at the end."""
        if self._pending is None:
            self._pending = next(self._members, None)
        return self._pending[0] if self._pending else None

    def take(self, name: str, index: int) -> bytes:
        """The content of the next member, which must have this name. Raises Deviation at leaf `index`."""
        if self.peek() != name or self._pending is None:
            raise Deviation(index, f"expected member {name}, found {self.peek() or 'the end'}")
        content, self._pending = self._pending[1], None
        return content

    def json(self, name: str) -> dict[str, Any]:
        """The next member as an object. Raises Deviation."""
        try:
            found = json.loads(self.take(name, 0))
        except ValueError:
            raise Deviation(0, f"expected {name} to be JSON") from None
        if not isinstance(found, dict):
            raise Deviation(0, f"expected {name} to be an object")
        return found


class _History:
    def __init__(self, members: Iterator[Member], wanted: Wanted, check: Checks) -> None:
        self._reader, self._wanted = _Reader(members), wanted
        self._replay = Replay(self._check_content, check)
        self._opened: set[str] = set()
        self._contents = 0

    def run(self, report: Report) -> Report:
        scope, keys = self._reader.json("export.json"), self._reader.json("keys.json")
        while (name := self._reader.peek()) and not name.startswith(("manifests/", "reports/")):
            content = self._reader.take(name, self._replay.size)
            if name.startswith("tile/entries/"):
                self._bundle(content)
                self._wanted.step(self._replay.size, int(scope.get("size", 0)))
            elif not name.startswith(("tile/", "checkpoint", "openings.age")):
                raise Deviation(max(self._replay.size - 1, 0), f"expected no member {name}")
        report.manifests = self._manifests(scope, keys)
        report.reports = self._reports(keys)
        if self._reader.peek() is not None:
            raise Deviation(
                max(self._replay.size - 1, 0), f"expected no further member, found {self._reader.peek()}"
            )
        report.entries = len(self._replay.entries)
        report.versions = {name: len(one.versions) for name, one in self._replay.lists.items()}
        report.openings, report.contents = len(self._opened), self._contents
        return report

    def _bundle(self, content: bytes) -> None:
        history = self._replay
        try:
            leaves = merkle.unbundle(content)
        except ValueError as fault:
            raise Deviation(history.size, f"expected a whole bundle: {fault}") from None
        try:
            for leaf in leaves:
                history.take(orjson.loads(leaf))
        except ValueError:
            raise Deviation(history.size, "expected a leaf in RFC 8785 form") from None

    def _manifests(self, scope: dict[str, Any], keys: dict[str, Any]) -> int:
        wanted = [one for one in self._replay.published if _is_within(scope, one)]
        for one in sorted(wanted, key=lambda found: (found.list, found.version)):
            path = f"manifests/{one.list}/{one.version}"
            body = self._reader.take(f"{path}.json", one.index)
            if hashlib.sha256(body).hexdigest() != one.manifest_sha256:
                raise Deviation(one.index, f"expected the manifest of {one.list} version {one.version}")
            if _signed(self._reader.take(f"{path}.jws", one.index), keys, one.index) != body:
                raise Deviation(one.index, "expected the service's signature on this manifest")
        return len(wanted)

    def _reports(self, keys: dict[str, Any]) -> int:
        for one in self._replay.reports:
            body = _signed(self._reader.take(f"reports/{one.period}.jws", one.index), keys, one.index)
            if hashlib.sha256(body).hexdigest() != one.sha256:
                raise Deviation(one.index, f"expected the report of {one.period}")
        return len(self._replay.reports)

    def _check_content(self, one: Published, listed: Mapping[str, str]) -> None:
        """With openings: each opens its commitment, and together they are the version's content."""
        openings = self._wanted.openings
        if openings is None:
            return
        lines = [openings[entry] for entry in listed if entry in openings]
        for entry in (listed.keys() & openings.keys()) - self._opened:
            scope = self._replay.entries[entry].scope
            _check_opening(openings[entry], listed[entry], scope, one.index, entry)
            self._opened.add(entry)
        if len(lines) < len(listed):
            return
        if commitment.content_sha256(sorted(lines)) != one.content_sha256:
            raise Deviation(one.index, f"expected the content of {one.list} version {one.version}")
        self._contents += 1


def _signed(token: bytes, keys: dict[str, Any], index: int) -> bytes:
    """What the service signed. Raises Deviation."""
    try:
        kid = jose.header(token.decode(), LONGEST_REPORT).get("kid")
        jwk = next(one for one in keys["manifest_jwks"] if one["kid"] == kid)
        return jose.verify(token.decode(), jwk, LONGEST_REPORT)
    except (jose.Invalid, StopIteration, KeyError, TypeError, UnicodeDecodeError) as fault:
        raise Deviation(index, f"expected the service's signature: {fault}") from None


def _root(level: list[bytes]) -> bytes:
    """The root over all leaves from the roots of tiles, of which only the last may be partial.

    A partial tile's subtree hangs where RFC 6962 hangs it: right of everything complete.
    """
    if not level:
        return merkle.EMPTY_ROOT
    *full, last = level
    root = last
    for left in reversed(Frontier().extend(full).hashes):
        root = merkle.node_hash(left, root)
    return root


def _check_opening(line: bytes, stated: str, scope: str, index: int, entry: str) -> None:
    """The scope is that under which the quorum was counted."""
    try:
        found = json.loads(line)
        key = bytes.fromhex(found["commitment_key"])
        opened = commitment.commitment(key, entry=entry, scope=found["scope"], url=found["url"])
        whole = commitment.list_line(key, entry=entry, scope=found["scope"], url=found["url"])
    except (ValueError, KeyError, TypeError):
        raise Deviation(index, "expected an opening", entry) from None
    if opened != stated or whole != line or found["scope"] != scope:
        raise Deviation(index, "expected an opening of the entry's commitment", entry)


def _is_within(scope: Mapping[str, Any], one: Published) -> bool:
    if scope.get("list") not in (None, one.list):
        return False
    return (scope.get("from") or "") <= one.at and (scope.get("to") is None or one.at < scope["to"])
