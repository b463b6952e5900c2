"""Published files that a restored installation takes over, so that its numbers go on above them.

TUF metadata is taken as it was signed, once it is seen that every key that must sign the next of it is here,
or can be made: root names those of the online roles, but the targets role those of lists.
The files that the metadata leads to come along, each held to its digest.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sqlmodel import Session, col, select

from app.backup import tuf
from app.backup.forward.state import CannotStep
from app.backup.making import of_version
from app.backup.places import Place
from app.core import register
from app.core.manifest import Artefact, latest_path
from app.lists.models import Snapshot
from app.lists.repository import Repository
from app.platform.files import destroy, write_atomically
from app.platform.key_files import KeyUnusable, stated, variable_of
from app.platform.settings import Settings
from app.platform.signers import LIST, NEXT, ONLINE, Signers, make_next


def see_to_keys(settings: Settings, published: tuf.Published) -> list[str]:
    """Every role can be signed with a key of the backup, or is a list's that gets a new one.

    The lists that do: the publisher takes the key up as after a rotation (app/lists/key_change.py), so that
    clients follow. Raises CannotStep where root names the key, or the settings say where it is.
    """
    signers, renewed = Signers(settings.keys), []
    for name, key_ids in sorted(published.key_ids.items()):
        if name in ("root", register.ROLE):
            continue
        role = name if name in ONLINE else f"{LIST}{name}"
        try:
            signers.of(role, key_ids)
        except KeyUnusable:
            if name in ONLINE or stated(role):
                raise CannotStep(
                    f"the key of TUF's role {name} was changed after the backup, and the new one is not in "
                    f"it: {_what_to_do(role)}"
                ) from None
            # What was to follow at the time of the backup may have been ended since.
            destroy(signers.file(role, NEXT))
            make_next(settings.keys, role)
            renewed.append(name)
    return renewed


def _what_to_do(role: str) -> str:
    if role in ONLINE:
        return "put it where it was and restore again, or rotate it with the root keys"
    return f"name it with {variable_of(role)}, for the restore and for the service after it"


def adopt(settings: Settings, session: Session, place: Place, published: tuf.Published) -> int:
    """Write metadata and files; how many files were not to be had. Raises CannotStep, OSError, Unreachable.

    What versions before the newest still had may be gone there too; the newest must be whole.
    """
    repository, missing = Repository(settings.public, settings.keys), 0
    needed = {one.path for one in published.targets}
    for artefact in (*published.targets, *_of_versions(session)):
        target = repository.targets.locate(artefact)
        if target.exists():
            continue
        body = place.read(Path("tuf", "targets", artefact.path).with_name(target.name).as_posix())
        if body is None and artefact.path in needed:
            raise CannotStep(f"{place} does not show {artefact.path}, which its metadata leads to")
        if body is None:
            missing += 1
            continue
        if (len(body), hashlib.sha256(body).hexdigest()) != (artefact.length, artefact.sha256):
            raise CannotStep(f"{place} shows {artefact.path} with other bytes than were signed")
        write_atomically(target, body, mode=0o640)
    _write_metadata(repository.metadata, published)
    return missing


def led_to(session: Session, published: tuf.Published) -> dict[str, int]:
    """The version of each list that the metadata leads all subscribers to."""
    manifests = {one.path: one.sha256 for one in published.targets}
    query = select(Snapshot.list, Snapshot.version, Snapshot.manifest)
    found: dict[str, int] = {}
    for name, version, body in session.exec(query.where(col(Snapshot.manifest).is_not(None))):
        digest = hashlib.sha256(body or b"").hexdigest()
        if manifests.get(latest_path(name)) == digest:
            found[name] = version
    return found


def _of_versions(session: Session) -> Iterator[Artefact]:
    query = select(Snapshot.list, Snapshot.version, Snapshot.manifest)
    for name, version, body in session.exec(query.where(col(Snapshot.manifest).is_not(None))):
        if body:
            yield from of_version(name, version, body)


def _write_metadata(folder: Path, published: tuf.Published) -> None:
    """What leads to others comes last."""
    for name, body in published.files.items():
        if name != tuf.TIMESTAMP:
            write_atomically(folder / name, body)
    write_atomically(folder / tuf.TIMESTAMP, published.files[tuf.TIMESTAMP])
