"""A published version in memory: its manifest in every shape that is asked for; it names no address."""

from dataclasses import dataclass
from functools import cached_property

from app.core.manifest import Manifest
from app.distribution.answers import IMMUTABLE, PRIVATE, REVALIDATE, Representation
from app.lists.models import Snapshot


@dataclass(frozen=True)
class Published:
    """`body` is the manifest in RFC 8785 form, `jws` the same signed. None of it ever changes."""

    list: str
    version: int
    body: bytes
    jws: str

    @classmethod
    def of(cls, found: Snapshot) -> "Published":
        """A finished version."""
        return cls(found.list, found.version, found.manifest or b"", found.manifest_jws or "")

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest read."""
        return Manifest.model_validate_json(self.body)

    @cached_property
    def etag(self) -> str:
        """The manifest's strong validator, quotes included."""
        return f'"{self.list}-{self.version}"'

    @cached_property
    def as_latest(self) -> Representation:
        """The manifest as the answer to who asks for the newest."""
        return self._shaped(REVALIDATE)

    @cached_property
    def as_version(self) -> Representation:
        """The manifest as the answer to who asks for this version."""
        return self._shaped(IMMUTABLE)

    @cached_property
    def as_jws(self) -> Representation:
        """The manifest as a compact JWS."""
        etag = f'"{self.list}-{self.version}-jws"'
        return Representation.of(self.jws.encode(), etag, "application/jose", IMMUTABLE, PRIVATE)

    def _shaped(self, lasting: str) -> Representation:
        place = f"/v1/lists/{self.list}/snapshots/{self.version}"
        headers = {**PRIVATE, "Content-Location": place}
        return Representation.of(self.body, self.etag, "application/json", lasting, headers)
