"""Taking up the TUF keys that are wanted, by the publisher, as it is the only one that writes metadata.

A list's role: the targets role names the new key, the list's metadata is signed by it, and one snapshot and
timestamp bring both, so that no client ever sees one without the other. The online roles' keys stand in root:
a next root that its offline keys signed waits (`wardlist tuf root accept`); first everything is signed by old
and new keys, then the root is served. The old keys sign along for as long as a timestamp lives, for clients
that had fetched the root before, and are then destroyed. Killed at any line, the next round goes on.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import structlog
from tuf.api.metadata import DelegatedRole

from app.core import register
from app.files import sync_folder
from app.lists.repository import LIFE, Repository, delegated
from app.platform.files import destroy, private_folder, write_atomically
from app.platform.key_files import FILE, KeyUnusable, Source, read_private, stated
from app.platform.signers import LEAVING, LIST, NEXT, ONLINE, Signers

_logger = structlog.get_logger("keys")


def take_up(repository: Repository, now: datetime) -> bool:
    """Take up what waits. True when metadata was written. Raises OSError, KeyUnusable and the fence's."""
    changed = _take_up_root(repository, now)
    if waiting := list(_waiting_lists(repository)):
        _redelegate(repository, waiting, now)
        changed = True
    _put_in_place(repository, now)
    return changed


def _waiting_lists(repository: Repository) -> Iterator[str]:
    """Lists for which a key was made, or a place named, that is not the one that the targets role names.

    A file that is merely another one is not taken up: it may be an old one, out of a backup.
    """
    signers = repository.signers
    for name in lists_of(repository):
        role = f"{LIST}{name}"
        if not is_asked_for(signers, role):
            continue
        if signers.wanted(role).public_key.keyid not in _keyids(repository, role):
            yield name


def is_asked_for(signers: Signers, role: str) -> bool:
    """Whether a list's wanted key is to take the place of the one that the targets role names."""
    return bool(stated(role)) or signers.file(role, NEXT).exists()


def lists_of(repository: Repository) -> dict[str, DelegatedRole]:
    """The roles of lists, by list."""
    roles = delegated(repository.role("targets"))
    return {name: role for name, role in roles.items() if name != register.ROLE}


def _keyids(repository: Repository, role: str) -> set[str]:
    """The keys that the metadata in force names for a role."""
    if role in ONLINE:
        return repository.roots.required(role)
    found = lists_of(repository).get(role.removeprefix(LIST))
    return set(found.keyids) if found else set()


def _redelegate(repository: Repository, names: list[str], now: datetime) -> None:
    targets = repository.role("targets")
    roles = delegated(targets)
    for name in names:
        for keyid in list(roles[name].keyids):
            targets.revoke_key(keyid, name)
        targets.add_key(repository.signers.wanted(f"{LIST}{name}").public_key, name)
    repository.resign({"targets": targets, **{name: repository.role(name) for name in names}}, now)
    _logger.info("list keys changed", lists=len(names))


def _take_up_root(repository: Repository, now: datetime) -> bool:
    staged = repository.roots.staged()
    if staged is None:
        return False
    repository.resign({"targets": repository.role("targets")}, now)
    repository.add_root(staged)
    _logger.info("root changed", version=staged.signed.version)
    return True


def _put_in_place(repository: Repository, now: datetime) -> None:
    """Files follow what the metadata says by now: next ones become current, and those that went go."""
    roots, signers = repository.roots, repository.signers
    if roots.staged_path.exists() and roots.staged() is None:
        roots.staged_path.unlink()
    for path in signers.file("", NEXT).parent.glob("*.pem"):
        role = path.stem
        if signers.one(Source(role, FILE, str(path))).public_key.keyid in _keyids(repository, role):
            if role in ONLINE:
                _let_leave(repository, role)
            elif (old := signers.file(role)).exists():
                destroy(old)
            os.replace(path, signers.file(role))
            sync_folder(path.parent)
            sync_folder(signers.file(role).parent)
    for path in signers.file("", LEAVING).parent.glob("*.pem"):
        if now.timestamp() - path.stat().st_mtime > LIFE["timestamp"].total_seconds():
            destroy(path)


def _let_leave(repository: Repository, role: str) -> None:
    current, leaving = repository.signers.file(role), repository.signers.file(role, LEAVING)
    with suppress(KeyUnusable):
        text = read_private(current)
        private_folder(leaving.parent)
        write_atomically(leaving, text.encode(), mode=0o600)
