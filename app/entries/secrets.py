"""What an entry hides: its commitment key and its texts, sealed in tables of their own.

Nothing here is ever in clear in the database. Source: design section 1, promise 4; app/core/sealing.py.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col

from app.core import sealing
from app.entries.models import EntryCipher, EntryKey, Epoch
from app.platform.epochs import Epochs

_CHUNK, _REWRAPPED = 500, 5000
_TEXTS, REASON = "texts", "reason"


@dataclass(frozen=True)
class Opened:
    """An entry's secret, opened. Never shown by repr."""

    commitment_key: bytes
    canonical_url: str
    statement: str
    hotline_reference: str | None
    scope_reason: str | None = None
    hosting_provider: str | None = None
    hosting_address: str | None = None

    def __repr__(self) -> str:
        return "Opened(...)"


def current_epoch(session: Session) -> int:
    """The number of the epoch whose key wraps new entries; it cannot end before this transaction does."""
    return session.get_one(Epoch, 1, populate_existing=True, with_for_update={"read": True}).number


def epoch_seen(session: Session) -> int:
    """The number of the epoch in force, for who writes nothing under it: nobody is waited for."""
    return session.get_one(Epoch, 1, populate_existing=True).number


def insert(session: Session, epochs: Epochs, entries: Sequence[tuple[str, Opened]]) -> None:
    """Seal the secrets of new entries into the open transaction."""
    epoch = current_epoch(session)
    epoch_key = epochs.key(epoch)
    keys, ciphers = [], []
    for entry, opened in entries:
        wrapped = sealing.wrap(epoch_key, opened.commitment_key, entry=entry, epoch=epoch)
        keys.append({"entry_id": entry, "epoch": epoch, "wrapped": wrapped})
        sealed = sealing.seal(opened.commitment_key, _TEXTS, entry, _pack(opened))
        ciphers.append({"entry_id": entry, "ciphertext": sealed})
    if keys:
        session.execute(sa.insert(EntryKey), keys)
        session.execute(sa.insert(EntryCipher), ciphers)


def of(session: Session, epochs: Epochs, ids: Sequence[str]) -> dict[str, Opened]:
    """What entries hide, by entry id; erased ones are not there."""
    found: dict[str, Opened] = {}
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        found |= dict(opened(session, epochs, col(EntryKey.entry_id).in_(some)))
    return found


def opened(
    session: Session, epochs: Epochs, condition: sa.ColumnElement[bool]
) -> Iterator[tuple[str, Opened]]:
    """(entry id, secret) of every entry whose key row meets the condition, by id."""
    query = (
        sa.select(
            col(EntryKey.entry_id), col(EntryKey.epoch), col(EntryKey.wrapped), col(EntryCipher.ciphertext)
        )
        .join(EntryCipher, col(EntryCipher.entry_id) == col(EntryKey.entry_id))
        .where(condition)
        .order_by(col(EntryKey.entry_id))
    )
    for entry, epoch, wrapped, ciphertext in session.execute(query, execution_options={"yield_per": 5000}):
        key = sealing.unwrap(epochs.key(epoch), wrapped, entry=entry, epoch=epoch)
        yield entry, _unpack(key, sealing.unseal(key, _TEXTS, entry, ciphertext))


def open_epoch(session: Session, epochs: Epochs) -> int:
    """From here on new entries are wrapped under the next epoch's key; returns its number."""
    epoch = session.get_one(Epoch, 1, populate_existing=True, with_for_update=True)
    epochs.make(epoch.number + 1)
    epoch.number += 1
    session.add(epoch)
    return epoch.number


def rewrap(session: Session, epochs: Epochs, number: int, after: str = "") -> str | None:
    """Wrap some surviving keys of earlier epochs anew, by entry id; the last id, None when none was left.

    The old epochs' keys are to be destroyed once all are committed.
    """
    query = sa.select(col(EntryKey.entry_id), col(EntryKey.epoch), col(EntryKey.wrapped))
    query = query.where(col(EntryKey.entry_id) > after, col(EntryKey.epoch) < number)
    query = query.order_by(col(EntryKey.entry_id)).limit(_REWRAPPED)
    new_key, rows = epochs.key(number), []
    for entry, old, wrapped in session.execute(query):
        key = sealing.unwrap(epochs.key(old), wrapped, entry=entry, epoch=old)
        anew = sealing.wrap(new_key, key, entry=entry, epoch=number)
        rows.append({"b_entry": entry, "b_epoch": number, "b_wrapped": anew})
    if rows:
        session.connection().execute(
            sa.update(EntryKey)
            .where(col(EntryKey.entry_id) == sa.bindparam("b_entry"))
            .values(epoch=sa.bindparam("b_epoch"), wrapped=sa.bindparam("b_wrapped")),
            rows,
        )
    return rows[-1]["b_entry"] if rows else None


def destroy(session: Session, entry: str) -> None:
    """Delete an entry's key and ciphertext; what lingers on the disk ends with its epoch."""
    session.execute(sa.delete(EntryKey).where(col(EntryKey.entry_id) == entry))
    session.execute(sa.delete(EntryCipher).where(col(EntryCipher.entry_id) == entry))


def _pack(one: Opened) -> bytes:
    texts = [one.canonical_url, one.statement, one.hotline_reference, one.scope_reason]
    return json.dumps([*texts, one.hosting_provider, one.hosting_address]).encode()


def _unpack(key: bytes, packed: bytes) -> Opened:
    texts: list[Any] = json.loads(packed)
    return Opened(key, *texts)
