"""Answers as ready-made bytes: validators, ranges, and encodings made beforehand.

Sources: RFC 9110 sections 8.8.3 (strong validators), 12.5.3, 13 and 14; RFC 9111. A file is told by what it
holds: its validator is its SHA-256, with the name of the encoding after it when it is encoded.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.platform.aside import aside
from app.platform.problems import Problem

Header = tuple[bytes, bytes]
Headers = Mapping[bytes, bytes]
"""Of a request: lower-case names, those that came several times joined by commas."""
IMMUTABLE = "private, max-age=31536000, immutable"
REVALIDATE = "private, no-cache"
PRIVATE = {"Vary": "Authorization"}
ENCODED = {"Vary": "Authorization, Accept-Encoding"}
ENCODINGS = {"zstd": ".zst", "gzip": ".gz"}
"""Encodings that a file may have beside it, the better first, and how that file's name ends."""
_CHUNK = 1 << 20
_LONGEST_ACCEPT = 1000
_IN_ONE = 1 << 18
"""Files up to this many bytes are read at once: a thread costs more."""
_RANGE = re.compile(rb"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))")


@dataclass(frozen=True)
class StoredFile:
    """A file on the disk that never changes; it may go at any moment."""

    path: Path
    size: int


@dataclass(frozen=True)
class Representation:
    """What can be answered with 200. `told` are the headers of a 304 too, `about` those of the body."""

    body: bytes | StoredFile
    etag: bytes
    told: tuple[Header, ...]
    about: tuple[Header, ...]
    not_modified: "Answer" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "not_modified", Answer(304, self.told, b""))

    @classmethod
    def of(
        cls,
        body: bytes | StoredFile,
        etag: str,
        media_type: str,
        lasting: str,
        headers: Mapping[str, str],
        encoding: str | None = None,
    ) -> "Representation":
        """`etag` with its quotes; `headers` are told with a 304 too."""
        told = {"ETag": etag, "Cache-Control": lasting, **headers}
        about = {"Content-Type": media_type}
        if encoding:
            about["Content-Encoding"] = encoding
        if isinstance(body, StoredFile):
            about["Accept-Ranges"] = "bytes"
        return cls(body, etag.encode(), _raw(told), _raw(about))

    @cached_property
    def not_modified_lines(self) -> bytes:
        """The 304 as it goes over the wire, but for the end of its headers."""
        lines = (b"%s: %s\r\n" % header for header in self.told)
        return b"HTTP/1.1 304 Not Modified\r\n" + b"".join(lines)

    @property
    def length(self) -> int:
        """Of the whole body, in bytes."""
        return self.body.size if isinstance(self.body, StoredFile) else len(self.body)


class Part(NamedTuple):
    """Bytes of a file."""

    path: Path
    start: int
    length: int


class Answer(NamedTuple):
    """Ready to be sent. `headers` are lower-case."""

    status: int
    headers: tuple[Header, ...]
    body: bytes | Part


def _raw(headers: Mapping[str, str]) -> tuple[Header, ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


def joined(headers: Iterable[Header]) -> dict[bytes, bytes]:
    """A request's headers by name (RFC 9110, section 5.3)."""
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def answer(found: Representation, asked: Headers) -> Answer:
    """200, 206, or 304, as the request's headers ask for. Raises a 416 problem."""
    offered = asked.get(b"if-none-match")
    if offered is not None and (offered == found.etag or has(offered, found.etag)):
        return found.not_modified
    wanted = asked.get(b"range")
    if wanted is not None and isinstance(found.body, StoredFile):
        part = _part(wanted, asked.get(b"if-range"), found)
        if part:
            return _partial(found, found.body, *part)
    length = (b"content-length", b"%d" % found.length)
    body = Part(found.body.path, 0, found.body.size) if isinstance(found.body, StoredFile) else found.body
    return Answer(200, (*found.told, *found.about, length), body)


def has(if_none_match: bytes, etag: bytes) -> bool:
    """RFC 9110 section 13.1.2, weak comparison."""
    offered = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
    return etag in offered or b"*" in offered


def _part(wanted: bytes, if_range: bytes | None, found: Representation) -> tuple[int, int] | None:
    """First byte and length of a single range; None where the whole is to be sent. Raises a 416 problem."""
    asked = _RANGE.fullmatch(wanted)
    if asked is None or (if_range is not None and if_range != found.etag):
        return None
    first, last, suffix = (int(one) if one is not None else None for one in asked.groups())
    start = max(0, found.length - (suffix or 0)) if first is None else first
    end = found.length if last is None else min(last + 1, found.length)
    if first is not None and last is not None and last < first:
        return None
    if start >= found.length:
        refused = {"Content-Range": f"bytes */{found.length}"}
        raise Problem("range-not-satisfiable", f"the file has {found.length} bytes", headers=refused)
    return start, end - start


def _partial(found: Representation, file: StoredFile, start: int, length: int) -> Answer:
    place = (b"content-range", b"bytes %d-%d/%d" % (start, start + length - 1, file.size))
    size = (b"content-length", b"%d" % length)
    return Answer(206, (*found.told, *found.about, place, size), Part(file.path, start, length))


def encodings(accept: bytes) -> tuple[str, ...]:
    """Of those there may be, the ones that an Accept-Encoding allows, best first."""
    return _encodings(accept[:_LONGEST_ACCEPT])


@lru_cache(maxsize=256)
def _encodings(accept: bytes) -> tuple[str, ...]:
    weights: dict[str, float] = {}
    for one in accept.decode("latin-1").lower().split(","):
        name, _, parameters = one.partition(";")
        weights[name.strip()] = _weight(parameters)
    rest = weights.get("*", 0.0)
    allowed = [name for name in ENCODINGS if weights.get(name, rest) > 0]
    return tuple(sorted(allowed, key=lambda name: -weights.get(name, rest)))


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


async def deliver(answered: Answer, send: Send, more: tuple[Header, ...] = (), is_head: bool = False) -> None:
    """Send an answer, with these headers besides. Raises a 410 problem, before anything is sent."""
    status, headers, body = answered
    if isinstance(body, Part) and not is_head:
        await _stream(answered, body, send, more)
        return
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
    await send({"type": "http.response.body", "body": body if isinstance(body, bytes) else b""})


async def _stream(answered: Answer, part: Part, send: Send, more: tuple[Header, ...]) -> None:
    try:
        file = os.open(part.path, os.O_RDONLY)
    except FileNotFoundError:
        raise gone() from None
    try:
        start = {
            "type": "http.response.start",
            "status": answered.status,
            "headers": [*answered.headers, *more],
        }
        await send(start)
        place, end = part.start, part.start + part.length
        while True:
            size = min(_CHUNK, end - place)
            read = (
                os.pread(file, size, place) if size <= _IN_ONE else await aside(os.pread, file, size, place)
            )
            if size and not read:
                raise EOFError("the file is shorter than it was")
            place += len(read)
            await send({"type": "http.response.body", "body": read, "more_body": place < end})
            if place >= end:
                return
    finally:
        os.close(file)


def gone() -> Problem:
    """The 410 problem of a file that grew old."""
    return Problem("gone", "only the newest versions are kept whole; take the latest")


class Ready(Response):
    """An answer as the framework sends it."""

    def __init__(self, answered: Answer) -> None:
        super().__init__(status_code=answered.status)
        self._answered = answered

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        await deliver(self._answered, send, is_head=scope["method"] == "HEAD")
