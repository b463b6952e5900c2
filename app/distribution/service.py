"""Finding the file a provider asks for, once it is known that it may have it."""

import re
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from app.core import age
from app.core.manifest import Artefact, Manifest
from app.core.terms import Format
from app.identity.service import Caller
from app.lists import service as lists
from app.lists import snapshots
from app.lists.formats import FORMATS
from app.lists.models import Snapshot
from app.lists.repository import Repository
from app.platform.problems import Problem

SEALED = "application/octet-stream"
"""Media type of what is age-encrypted; none is registered for it."""
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_REGISTER = re.compile(r"[0-9a-f]{64}\.register\.json")


@dataclass(frozen=True)
class Download:
    """A file on the disk: where, its media type and its strong validator."""

    path: Path
    media_type: str
    etag: str


def snapshot(session: Session, caller: Caller, name: str, version: int | None) -> Snapshot:
    """A version the caller may know of, the newest when None. Raises a 404 problem."""
    lists.visible(session, caller, name)
    return snapshots.visible(session, caller, name, version)


def artefact(
    session: Session, repository: Repository, caller: Caller, name: str, version: int, form: str
) -> Download:
    """A version's file in one format. Raises a 403, 404 or 410 problem."""
    found, manifest = _manifest(session, caller, name, version)
    if found.is_taken_back:
        raise _taken_back()
    if form not in manifest.artefacts:
        raise Problem("not-found", f"this version comes as {', '.join(sorted(manifest.artefacts))}")
    return _download(
        repository, manifest.artefacts[form], _media_type(manifest.artefacts[form], Format(form))
    )


def delta(session: Session, repository: Repository, caller: Caller, name: str, version: int) -> Download:
    """The change from version-1 to version. Raises a 403, 404 or 410 problem."""
    found = _manifest(session, caller, name, version)[1].delta
    return _download(repository, found, _media_type(found, Format.JSONL))


def target(session: Session, repository: Repository, caller: Caller, path: str) -> Download:
    """A TUF target by its consistent name, a list's or the register. Raises a 403 or 404 problem."""
    parts = path.split("/")
    if _REGISTER.fullmatch(path) and (repository.targets_folder / path).is_file():
        return Download(repository.targets_folder / path, "application/json", f'"{path[:64]}"')
    if len(parts) not in (3, 4) or parts[0] != "lists" or any(part in ("", ".", "..") for part in parts):
        raise Problem("not-found", "there is no target of this name")
    lists.readable(session, caller, parts[1])
    if len(parts) == 4:
        _refuse_staged(session, caller, parts[1], parts[2], parts[3])
    file = repository.targets_folder.joinpath(*parts)
    sha256 = parts[-1].split(".", 1)[0]
    if parts[-1].startswith(".") or not file.is_file():
        raise Problem("not-found", "there is no target of this name; TUF clients find the present ones")
    return Download(file, "application/octet-stream", f'"{sha256}"')


def _manifest(session: Session, caller: Caller, name: str, version: int) -> tuple[Snapshot, Manifest]:
    lists.readable(session, caller, name)
    found = snapshots.visible(session, caller, name, version)
    return found, Manifest.model_validate_json(found.manifest or b"")


def _refuse_staged(session: Session, caller: Caller, name: str, folder: str, file: str) -> None:
    """The metadata is public and names a staged version's files; canaries alone may have them.

    Whole lists of a version that was taken back are for nobody, its manifest and delta lead to the next.
    Raises Problem.
    """
    is_canary = caller.organisation_id in lists.canaries(session, name)
    found = snapshots.find(session, name, int(folder)) if _NUMBER.fullmatch(folder) else None
    is_staged = found is not None and found.is_staged and found.promoted_at is None
    is_early = is_staged and not snapshots.is_served(session, name, int(folder))
    if (is_early or folder == "canary") and not is_canary:
        raise Problem("not-found", "there is no target of this name for you")
    if found and found.is_taken_back and ".list." in file:
        raise _taken_back()


def _media_type(found: Artefact, form: Format) -> str:
    return SEALED if found.path.endswith(age.SUFFIX) else FORMATS[form].media_type


def _taken_back() -> Problem:
    return Problem("gone", "this version was taken back; take the latest")


def _download(repository: Repository, found: Artefact, media_type: str) -> Download:
    path = repository.locate(found)
    if not path.is_file():
        raise Problem("gone", "only the newest versions are kept whole; take the latest")
    return Download(path, media_type, f'"{found.sha256}"')
