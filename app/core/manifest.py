"""The manifest of a snapshot: what publisher and client agree on. Source: design section 7."""

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

Hex256 = Field(pattern=r"^[0-9a-f]{64}$")


class Artefact(BaseModel):
    """One file of a snapshot: its TUF target path, length in bytes and SHA-256 (hex)."""

    model_config = ConfigDict(extra="forbid")

    path: str
    length: int = Field(ge=0)
    sha256: str = Hex256


class Manifest(BaseModel):
    """A version of a list. Times are RFC 3339 UTC; `log_*` say which log position it was made from."""

    model_config = ConfigDict(extra="forbid")

    list: str
    version: int = Field(ge=1)
    previous_version: int | None
    published_at: str
    expires_at: str
    min_poll_seconds: int = Field(ge=1)
    entry_count: int = Field(ge=0)
    content_sha256: str = Hex256
    commitments_sha256: str = Hex256
    log_origin: str
    log_size: int = Field(ge=0)
    log_root: str = Hex256
    artefacts: dict[str, Artefact]
    delta: Artefact

    def to_bytes(self) -> bytes:
        """RFC 8785 form: the bytes that are signed."""
        return rfc8785.dumps(self.model_dump())


def target_path(name: str, version: int, file: str) -> str:
    """TUF target path of a snapshot's file, e.g. `lists/national-url/7/manifest.json`."""
    return f"lists/{name}/{version}/{file}"


def latest_path(name: str) -> str:
    """TUF target path under which a client finds the newest manifest without knowing its number."""
    return f"lists/{name}/manifest.json"


def canary_path(name: str) -> str:
    """TUF target path of the manifest that the list's canaries get first; there while a version is staged."""
    return f"lists/{name}/canary/manifest.json"
