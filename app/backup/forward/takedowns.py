"""Rows of takedowns, contacts and appeals, from leaves that came after the backup.

Whom exactly a notice went to stands in no leaf. What the outbox of the backup holds is sent again under the
same ids, so that whoever has it sees that it is the same.
"""

from collections.abc import Callable

from sqlmodel import col, select

from app.appeals.models import Appeal, AppealEntry
from app.backup.forward.state import Forward, Leaf, moment
from app.core.terms import AppealOutcome, AppealState, Deconfliction, Excuse
from app.entries import service as entries
from app.log import service as log
from app.takedown import service as takedowns
from app.takedown.models import Contact, Takedown


def _clock(at: Forward, leaf: Leaf) -> Takedown:
    at.touched.setdefault(leaf["entry"], None)
    found = takedowns.of(at.session, entries.existing(at.session, leaf["entry"]), moment(leaf["at"]))
    at.session.add(found)
    return found


def _told(at: Forward, leaf: Leaf) -> None:
    found = _clock(at, leaf)
    found.first_notice_at = found.first_notice_at or moment(leaf["at"])
    at.note("notices that were sent after the backup: they may be sent again")


def _acknowledged(at: Forward, leaf: Leaf) -> None:
    found = _clock(at, leaf)
    found.acknowledged_at = found.acknowledged_at or moment(leaf["at"])


def _removed(at: Forward, leaf: Leaf) -> None:
    _clock(at, leaf).removed_at = moment(leaf["at"])


def _refused(at: Forward, leaf: Leaf) -> None:
    _clock(at, leaf).refusal = leaf["reason"]


def _reopened(at: Forward, leaf: Leaf) -> None:
    found = _clock(at, leaf)
    found.removed_at = found.confirmed_at = None


def _confirmed(at: Forward, leaf: Leaf) -> None:
    _clock(at, leaf).confirmed_at = moment(leaf["at"])


def _excused(at: Forward, leaf: Leaf) -> None:
    _clock(at, leaf).excuse = Excuse(leaf["reason"])


def _held(at: Forward, leaf: Leaf) -> None:
    """Nobody is told before it ends."""
    found = _clock(at, leaf)
    found.hold_reason, found.held_until = Deconfliction(leaf["reason"]), moment(leaf["until"])
    found.hold_organisation_id = leaf.get("organisation")


def _released(at: Forward, leaf: Leaf) -> None:
    _clock(at, leaf).held_until = moment(leaf["at"])


def _touched(at: Forward, leaf: Leaf) -> None:
    _clock(at, leaf)


def _contact_changed(at: Forward, leaf: Leaf) -> None:
    """Where it is now stands in no leaf: nobody is told at the old address any more (`close`)."""
    found = at.session.get(Contact, leaf["contact"])
    if found:
        found.version, found.changed_at = leaf["version"], moment(leaf["at"])
        found.ended_at = moment(leaf["at"])
    at.note("contacts whose addresses are lost: add them anew")


def _contact_ended(at: Forward, leaf: Leaf) -> None:
    found = at.session.get(Contact, leaf["contact"])
    if found:
        found.ended_at = moment(leaf["at"])


def _appeal_filed(at: Forward, _leaf: Leaf) -> None:
    at.note("appeals that were filed after the backup are lost: ask for them again in public")


def _appeal_overdue(at: Forward, leaf: Leaf) -> None:
    found = _appeal(at, leaf)
    if found is None:
        return
    for one in leaf["entries"]:
        at.session.merge(AppealEntry(appeal_id=found.id, entry_id=one, is_expired=True))


def _appeal_decided(at: Forward, leaf: Leaf) -> None:
    """Its reason is lost, and what it hides goes with the backup's last day."""
    found = _appeal(at, leaf)
    if found is None:
        return
    found.outcome, found.decided_at = AppealOutcome(leaf["outcome"]).value, moment(leaf["at"])
    found.organisation_id, found.client_id = leaf["organisation"], leaf["client"]
    found.signature, found.matched_at = leaf["signature"], found.matched_at or moment(leaf["at"])
    found.destroy_by = at.now
    at.session.add(found)
    for one in leaf.get("entries", ()):
        at.session.merge(AppealEntry(appeal_id=found.id, entry_id=one))
    at.note("decisions of appeals whose reasons are lost")


def _appeal_lapsed(at: Forward, leaf: Leaf) -> None:
    found = _appeal(at, leaf)
    if found is None:
        return
    found.outcome, found.decided_at = AppealState.LAPSED.value, moment(leaf["at"])
    found.matched_at, found.destroy_by = found.matched_at or moment(leaf["at"]), at.now
    at.session.add(found)


def _appeal(at: Forward, leaf: Leaf) -> Appeal | None:
    return at.session.exec(select(Appeal).where(Appeal.log_id == leaf["appeal"])).first()


def close(at: Forward) -> None:
    """End every contact that the log has in force and whose address is not known, each with its leaf."""
    in_force = set(at.session.exec(select(Contact.id).where(col(Contact.ended_at).is_(None))))
    for one in sorted(at.replay.contacts.keys() - in_force):
        log.append(at.session, "contact.ended", at.now, contact=one)


CARRY: dict[str, Callable[[Forward, Leaf], None]] = {
    "takedown.notified": _told,
    "takedown.escalated": _told,
    "takedown.reminded": _told,
    "takedown.acknowledged": _acknowledged,
    "takedown.removed": _removed,
    "takedown.refused": _refused,
    "takedown.unreachable": _touched,
    "takedown.reopened": _reopened,
    "takedown.confirmed": _confirmed,
    "takedown.excused": _excused,
    "takedown.held": _held,
    "takedown.released": _released,
    "contact.added": _contact_changed,
    "contact.changed": _contact_changed,
    "contact.ended": _contact_ended,
    "appeal.filed": _appeal_filed,
    "appeal.overdue": _appeal_overdue,
    "appeal.decided": _appeal_decided,
    "appeal.lapsed": _appeal_lapsed,
}
"""What each of these leaves changes in the rows."""
