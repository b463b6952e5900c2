"""The public log (C2SP tlog-tiles), and proofs that an entry's leaves are in it."""

import base64
import re
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from app.core import merkle, note
from app.log import service
from app.log.tiles import public_log
from app.platform import tile_files
from app.platform.context import Context
from app.platform.problems import Problem

router = APIRouter(tags=["log"])
_INDEX = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?")
_LEVEL = re.compile(r"entries|[0-9]|[1-5][0-9]|6[0-3]")


class LeafProof(BaseModel):
    """A leaf (base64 of its bytes), its index, and its audit path (base64 hashes, leaf upwards)."""

    index: int
    leaf: str
    proof: list[str]


class EntryProof(BaseModel):
    """Every leaf about an entry, proven against the checkpoint (a signed note)."""

    entry: str
    checkpoint: str
    leaves: list[LeafProof]


@router.get(
    "/log/checkpoint",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "A signed note"}},
)
def checkpoint(context: Context) -> Response:
    """The log's signed head."""
    try:
        body = (context.settings.log / "checkpoint").read_bytes()
    except FileNotFoundError:
        raise Problem("not-found", "the log has no checkpoint yet; try again in a second") from None
    headers = {"Cache-Control": "no-cache"}
    return Response(body, headers=headers, media_type="text/plain; charset=utf-8")


@router.get(
    "/log/tile/{level}/{index:path}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "A tile or entry bundle"}},
)
def tile(
    context: Context,
    level: Annotated[str, Path(max_length=7)],
    index: Annotated[str, Path(max_length=60)],
) -> Response:
    """A tile of hashes, or with level `entries` a bundle of leaves."""
    try:
        if not (_LEVEL.fullmatch(level) and _INDEX.fullmatch(index)):
            raise FileNotFoundError
        body = tile_files.read(context.settings.log, f"tile/{level}/{index}")
    except OSError:
        raise Problem("not-found", "the log has no such tile") from None
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(body, headers=headers, media_type="application/octet-stream")


@router.get("/v1/log/entries/{entry}/proof")
def proof(context: Context, entry_id: Annotated[str, Path(alias="entry", max_length=64)]) -> EntryProof:
    """Inclusion proofs of an entry's leaves. Public: leaves hold no URL."""
    published = public_log(context.settings, context.keyring)
    try:
        signed = (context.settings.log / "checkpoint").read_bytes()
    except FileNotFoundError:
        raise Problem("not-found", "the log has no checkpoint yet; try again in a second") from None
    size = note.Checkpoint.parse(note.read(signed, published.verifiers)[0]).size
    with context.database.reading() as session:
        found = [(index, body) for index, body in service.of_entry(session, entry_id) if index < size]
    if not found:
        raise Problem("not-found", "the log holds nothing about this entry")
    read = published.nodes()
    proofs = [
        LeafProof(
            index=index,
            leaf=base64.b64encode(body).decode(),
            proof=[base64.b64encode(node).decode() for node in merkle.inclusion_proof(index, size, read)],
        )
        for index, body in found
    ]
    return EntryProof(entry=entry_id, checkpoint=signed.decode(), leaves=proofs)
