"""Rows of organisations, clients, the register and auditors, from leaves that came after the backup."""

import json
from collections.abc import Callable

from sqlmodel import col, select

from app.audit.models import OrganisationFlag, RevealRight
from app.backup.forward.state import Forward, Leaf, moment
from app.core import register
from app.core.terms import Kind
from app.identity.models import (
    Client,
    ClientKey,
    Conflict,
    Organisation,
    RegisterVersion,
    ReviewerCertificate,
    SealingRecipient,
)
from app.identity.people.models import Person


def _organisation_added(at: Forward, leaf: Leaf) -> None:
    """Its name stands in no leaf."""
    one = leaf["organisation"]
    at.session.add(
        Organisation(
            id=one,
            kind=Kind(leaf["kind"]),
            name=f"organisation {one}",
            country=leaf["country"],
            created_at=moment(leaf["at"]),
        )
    )
    at.note(f"the name of organisation {one} is lost: `wardlist org rename {one} NAME`")


def _suspended(at: Forward, leaf: Leaf) -> None:
    at.session.get_one(Organisation, leaf["organisation"]).suspended_at = moment(leaf["at"])


def _readmitted(at: Forward, leaf: Leaf) -> None:
    at.session.get_one(Organisation, leaf["organisation"]).suspended_at = None


def _client_added(at: Forward, leaf: Leaf) -> None:
    at.session.add(
        Client(
            id=leaf["client"],
            organisation_id=leaf["organisation"],
            scopes=" ".join(leaf["scopes"]),
            created_at=moment(leaf["at"]),
        )
    )


def _key_added(at: Forward, leaf: Leaf) -> None:
    jwk = leaf["jwk"]
    at.session.add(
        ClientKey(
            kid=jwk["kid"], client_id=leaf["client"], jwk=json.dumps(jwk), created_at=moment(leaf["at"])
        )
    )
    if "rp_id" in jwk:
        at.note("passkeys that were enrolled after the backup: invite their people anew")


def _key_revoked(at: Forward, leaf: Leaf) -> None:
    at.session.get_one(ClientKey, leaf["kid"]).revoked_at = moment(leaf["at"])


def _client_revoked(at: Forward, leaf: Leaf) -> None:
    """A person whose client ends has left, name and all."""
    at.session.get_one(Client, leaf["client"]).revoked_at = moment(leaf["at"])
    person = at.session.exec(select(Person).where(Person.client_id == leaf["client"])).first()
    if person:
        person.ended_at, person.name = moment(leaf["at"]), ""


def _conflict_declared(at: Forward, leaf: Leaf) -> None:
    one, other = leaf["organisations"]
    at.session.add(Conflict(one=one, other=other, reason=leaf["reason"], declared_at=moment(leaf["at"])))


def _conflict_ended(at: Forward, leaf: Leaf) -> None:
    at.session.delete(at.session.get_one(Conflict, tuple(leaf["organisations"])))


def _flagged(at: Forward, leaf: Leaf) -> None:
    key = leaf["organisation"], leaf["list"]
    found = at.session.get(OrganisationFlag, key) or OrganisationFlag(
        organisation_id=key[0], list=key[1], overturned=0, looked_at=moment(leaf["at"])
    )
    found.flagged_at = moment(leaf["at"])
    at.session.add(found)


def _unflagged(at: Forward, leaf: Leaf) -> None:
    found = at.session.get_one(OrganisationFlag, (leaf["organisation"], leaf["list"]))
    found.flagged_at, found.forgiven = None, found.overturned


def _register_published(at: Forward, leaf: Leaf) -> None:
    proposal = {"metadata": leaf["metadata"], "register": leaf["register"]}
    at.session.add(
        RegisterVersion(version=leaf["version"], proposal=proposal, published_at=moment(leaf["at"]))
    )


def _certified(at: Forward, leaf: Leaf) -> None:
    reviewer = register.certified(leaf["certificate"], at.replay.register)
    at.session.add(
        ReviewerCertificate(
            kid=reviewer.jwk["kid"],
            organisation_id=leaf["organisation"],
            certificate=leaf["certificate"],
            admitted_at=moment(leaf["at"]),
        )
    )


def _reviewer_revoked(at: Forward, leaf: Leaf) -> None:
    at.session.get_one(ReviewerCertificate, leaf["kid"]).revoked_at = moment(leaf["at"])


def _recipient_added(at: Forward, leaf: Leaf) -> None:
    at.session.add(
        SealingRecipient(
            recipient=leaf["recipient"], organisation_id=leaf["organisation"], added_at=moment(leaf["at"])
        )
    )


def _recipient_ended(at: Forward, leaf: Leaf) -> None:
    at.session.get_one(SealingRecipient, leaf["recipient"]).ended_at = moment(leaf["at"])


def _reveal_allowed(at: Forward, leaf: Leaf) -> None:
    at.session.merge(
        RevealRight(
            organisation_id=leaf["organisation"],
            recipient=leaf["recipient"],
            allowed_at=moment(leaf["at"]),
        )
    )


def _reveal_ended(at: Forward, leaf: Leaf) -> None:
    found = at.session.exec(
        select(RevealRight).where(col(RevealRight.organisation_id) == leaf["organisation"])
    ).first()
    if found:
        at.session.delete(found)


def _nothing(_at: Forward, _leaf: Leaf) -> None:
    """An export's file was kept for a day, and is lost."""


CARRY: dict[str, Callable[[Forward, Leaf], None]] = {
    "organisation.added": _organisation_added,
    "organisation.suspended": _suspended,
    "organisation.readmitted": _readmitted,
    "organisation.flagged": _flagged,
    "organisation.unflagged": _unflagged,
    "client.added": _client_added,
    "client.key_added": _key_added,
    "client.key_revoked": _key_revoked,
    "client.revoked": _client_revoked,
    "conflict.declared": _conflict_declared,
    "conflict.ended": _conflict_ended,
    "register.published": _register_published,
    "reviewer.certified": _certified,
    "reviewer.revoked": _reviewer_revoked,
    "recipient.added": _recipient_added,
    "recipient.ended": _recipient_ended,
    "audit.reveal_allowed": _reveal_allowed,
    "audit.reveal_ended": _reveal_ended,
    "export.made": _nothing,
}
"""What each of these leaves changes in the rows."""
