"""Shapes of TAXII 2.1 resources. Source: its sections 3.7, 4.1.2, 4.2.2, 5.1.1, 5.3.2, 5.6.1, 5.8.1."""

from typing import Any

from pydantic import BaseModel

MEDIA_TYPE = "application/taxii+json;version=2.1"
STIX_MEDIA_TYPE = "application/stix+json;version=2.1"


class Discovery(BaseModel):
    """What this server has."""

    title: str
    default: str
    api_roots: list[str]


class ApiRoot(BaseModel):
    """A group of collections: here the only one."""

    title: str
    versions: list[str]
    max_content_length: int


class Collection(BaseModel):
    """A list that the caller may read."""

    id: str
    title: str
    alias: str
    can_read: bool = True
    can_write: bool = False
    media_types: list[str] = [STIX_MEDIA_TYPE]


class Collections(BaseModel):
    """Every list that the caller may read; without one there is no member at all."""

    collections: list[Collection] | None = None


class Envelope(BaseModel):
    """A page of objects; `next` leads on while there is more."""

    more: bool = False
    next: str | None = None
    objects: list[dict[str, Any]] | None = None


class ManifestRecord(BaseModel):
    """An object without its content."""

    id: str
    date_added: str
    version: str
    media_type: str = STIX_MEDIA_TYPE


class ManifestPage(BaseModel):
    """A page of a collection's manifest."""

    more: bool = False
    next: str | None = None
    objects: list[ManifestRecord] | None = None


class Versions(BaseModel):
    """The versions there are of an object: the newest."""

    more: bool = False
    next: str | None = None
    versions: list[str] | None = None
