"""What an appeal hides: its key, address, statement and proof token, sealed as entries are.

Nothing here is ever in clear in the database. Source: design section 1, promise 4; app/core/sealing.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col

from app.appeals.models import AppealCipher, AppealKey
from app.core import sealing
from app.entries.secrets import current_epoch
from app.platform.epochs import Epochs

_CHUNK = 500
_TEXTS, _REASON = "texts", "reason"


@dataclass(frozen=True)
class Opened:
    """An appeal's secret, opened. Never shown by repr."""

    key: bytes
    canonical_url: str
    statement: str
    proof_token: str | None

    def __repr__(self) -> str:
        return "Opened(...)"


def insert(session: Session, epochs: Epochs, appeal_id: str, opened: Opened) -> None:
    """Seal the secret of a new appeal into the open transaction."""
    epoch = current_epoch(session)
    wrapped = sealing.wrap(epochs.key(epoch), opened.key, entry=_name(appeal_id), epoch=epoch)
    packed = json.dumps([opened.canonical_url, opened.statement, opened.proof_token]).encode()
    ciphertext = sealing.seal(opened.key, _TEXTS, _name(appeal_id), packed)
    session.add(AppealKey(appeal_id=appeal_id, epoch=epoch, wrapped=wrapped))
    session.add(AppealCipher(appeal_id=appeal_id, ciphertext=ciphertext))


def of(session: Session, epochs: Epochs, ids: Sequence[str]) -> dict[str, Opened]:
    """What appeals hide, by appeal id; destroyed ones are not there."""
    found: dict[str, Opened] = {}
    for start in range(0, len(ids), _CHUNK):
        query = (
            sa.select(
                col(AppealKey.appeal_id),
                col(AppealKey.epoch),
                col(AppealKey.wrapped),
                col(AppealCipher.ciphertext),
            )
            .join(AppealCipher, col(AppealCipher.appeal_id) == col(AppealKey.appeal_id))
            .where(col(AppealKey.appeal_id).in_(ids[start : start + _CHUNK]))
        )
        for appeal, epoch, wrapped, ciphertext in session.execute(query):
            key = sealing.unwrap(epochs.key(epoch), wrapped, entry=_name(appeal), epoch=epoch)
            texts = json.loads(sealing.unseal(key, _TEXTS, _name(appeal), ciphertext))
            found[appeal] = Opened(key, *texts)
    return found


def seal_reason(opened: Opened, appeal_id: str, reason: str) -> bytes:
    """A decision's reasons under the appeal's key."""
    return sealing.seal(opened.key, _REASON, _name(appeal_id), reason.encode())


def unseal_reason(opened: Opened, appeal_id: str, sealed: bytes) -> str:
    """The reasons again. Raises Unreadable."""
    return sealing.unseal(opened.key, _REASON, _name(appeal_id), sealed).decode()


def rewrap(session: Session, epochs: Epochs, number: int) -> int:
    """Wrap every surviving key under the key of the epoch of that number; returns how many."""
    query = sa.select(col(AppealKey.appeal_id), col(AppealKey.epoch), col(AppealKey.wrapped))
    rows = []
    for appeal, old, wrapped in session.execute(query).all():
        key = sealing.unwrap(epochs.key(old), wrapped, entry=_name(appeal), epoch=old)
        anew = sealing.wrap(epochs.key(number), key, entry=_name(appeal), epoch=number)
        rows.append({"b_appeal": appeal, "b_epoch": number, "b_wrapped": anew})
    if rows:
        session.connection().execute(
            sa.update(AppealKey)
            .where(col(AppealKey.appeal_id) == sa.bindparam("b_appeal"))
            .values(epoch=sa.bindparam("b_epoch"), wrapped=sa.bindparam("b_wrapped")),
            rows,
        )
    return len(rows)


def destroy(session: Session, ids: Sequence[str]) -> None:
    """Delete keys and ciphertexts; what lingers on the disk ends with its epoch."""
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        session.execute(sa.delete(AppealKey).where(col(AppealKey.appeal_id).in_(some)))
        session.execute(sa.delete(AppealCipher).where(col(AppealCipher.appeal_id).in_(some)))


def _name(appeal_id: str) -> str:
    """What the ciphertexts are bound to: never the name of an entry."""
    return f"appeal/{appeal_id}"
