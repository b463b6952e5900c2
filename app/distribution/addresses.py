"""What providers ask for most, by its address. These are answered without the framework (hot.py)."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from app.distribution.service import REGISTER


class Address(StrEnum):
    """Templates of the hot addresses."""

    LATEST = "/v1/lists/{list}/snapshots/latest"
    SNAPSHOT = "/v1/lists/{list}/snapshots/{version}"
    JWS = "/v1/lists/{list}/snapshots/{version}/manifest.jws"
    ARTEFACT = "/v1/lists/{list}/snapshots/{version}/{format}"
    DELTA = "/v1/lists/{list}/deltas/{version}"
    ACCESS = "/v1/lists/{list}/access"
    METADATA = "/tuf/metadata/{file}"
    TARGET = "/tuf/targets/{path:path}"


class Wanted(NamedTuple):
    """What is asked for. `version` 0: none is named; `file` is a format, or a path in the repository.

    `is_whole` asks for access to whole lists.
    """

    address: Address
    list: str = ""
    version: int = 0
    file: str = ""
    is_whole: bool = False


_LONGEST = 400
_PLAIN = re.compile(r"[a-zA-Z0-9/._-]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_METADATA = re.compile(r"(?:[0-9]+\.[a-z0-9-]+|timestamp)\.json")
_ACCESS = re.compile(rb"version=([1-9][0-9]{0,8})(&whole=1)?")
_TARGET = re.compile(
    r"lists/(?P<list>[a-z0-9-]{1,63})/(?:(?:canary|[1-9][0-9]{0,8})/)?[0-9a-f]{64}\.[a-z0-9.-]{1,40}"
)
"""The same that deploy/nginx.conf takes for a file."""
_LONGEST_NAME, _LONGEST_FORMAT, _LONGEST_METADATA = 63, 20, 120


def access(found: Wanted, query: bytes) -> Wanted | None:
    """The access asked for with this query string; None when it takes more to read it."""
    if not query:
        return found
    asked = _ACCESS.fullmatch(query)
    return found._replace(version=int(asked[1]), is_whole=bool(asked[2])) if asked else None


def read(raw: bytes) -> Wanted | None:
    """What a path asks for; None when it is no hot address, or not written as plainly as they are."""
    # Looked at before it is remembered: anybody can make us remember thousands of paths.
    return _read(raw) if len(raw) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _read(raw: bytes) -> Wanted | None:
    path = raw.decode("latin-1")
    if not _PLAIN.fullmatch(path):
        return None
    match path.split("/"):
        case ["", "v1", "lists", name, *rest] if 1 <= len(name) <= _LONGEST_NAME:
            return _of_list(name, rest)
        case ["", "tuf", "metadata", file]:
            return metadata(file)
        case ["", "tuf", "targets", *parts]:
            return target("/".join(parts))
    return None


def _of_list(name: str, rest: list[str]) -> Wanted | None:
    match rest:
        case ["access"]:
            return Wanted(Address.ACCESS, name)
        case ["snapshots", "latest"]:
            return Wanted(Address.LATEST, name)
        case ["snapshots", version] if _NUMBER.fullmatch(version):
            return Wanted(Address.SNAPSHOT, name, int(version))
        case ["snapshots", version, "manifest.jws"] if _NUMBER.fullmatch(version):
            return Wanted(Address.JWS, name, int(version))
        case ["snapshots", version, form] if _NUMBER.fullmatch(version) and 1 <= len(form) <= _LONGEST_FORMAT:
            return Wanted(Address.ARTEFACT, name, int(version), form)
        case ["deltas", version] if _NUMBER.fullmatch(version):
            return Wanted(Address.DELTA, name, int(version))
    return None


def metadata(file: str) -> Wanted | None:
    """TUF metadata. None when there can be none of this name."""
    is_one = len(file) <= _LONGEST_METADATA and _METADATA.fullmatch(file)
    return Wanted(Address.METADATA, file=file) if is_one else None


def target(path: str) -> Wanted | None:
    """A TUF target: a list's, or the register. None when there can be none of this name."""
    if REGISTER.fullmatch(path):
        return Wanted(Address.TARGET, file=path)
    found = _TARGET.fullmatch(path)
    return Wanted(Address.TARGET, found["list"], file=path) if found else None
