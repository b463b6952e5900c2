"""To whom a version is sealed, which key its hashes have, and the file that brings subscribers both secrets.

Artefacts that show an address are age-encrypted to every recipient of every subscriber in force. Whoever is
taken off a list is no recipient of the next version, and the key of the hashes that it knew ends with it.
Source: design section 7.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import rfc8785
from sqlmodel import Session, col, select

from app.core import age
from app.core.manifest import Artefact
from app.core.policy import Policy
from app.identity import service as identity
from app.identity.service import Caller
from app.lists import service as lists
from app.lists.canary_entries import CanaryEntries
from app.lists.models import MatchKey, Snapshot, SubscriberFile
from app.lists.repository import Repository
from app.platform.keyring import Keyring
from app.platform.problems import Problem

KEYS_KEPT = 2
"""How many newest keys of the hashes a subscriber is given, so that the version before can be read too."""
FILE = "subscribers.json"
_OF_FILES = ("confidentiality", "formats", "walled_garden")
"""What of a policy decides how files are written."""
Recipients = Mapping[str, list[str]]
"""Organisation id -> its age recipients."""


def recipients(session: Session, name: str) -> Recipients:
    """Of every subscriber in force."""
    return identity.recipients(session, lists.subscribers(session, name))


def everyone(found: Recipients) -> list[str]:
    """All recipients, sorted."""
    return sorted(one for several in found.values() for one in several)


def digest(found: Recipients) -> str:
    """Over all recipients."""
    return hashlib.sha256("".join(f"{one}\n" for one in everyone(found)).encode()).hexdigest()


def is_due(session: Session, last: Snapshot | None, now: datetime) -> bool:
    """Whether the newest version's files are not as they should be now.

    They are sealed to others, their match key is too old, or the policy asks for other files.
    """
    if last is None:
        return False
    current = recipients(session, last.list)
    if (last.recipients_sha256 or digest({})) != digest(current) or _is_written_otherwise(session, last):
        return True
    newest = _newest(session, last.list) if current else None
    return newest is not None and _is_old(session, newest, now)


def is_lost(session: Session, snapshot: Snapshot) -> bool:
    """Whether somebody was taken off whom a version is sealed to."""
    key = session.get(MatchKey, (snapshot.list, snapshot.match_key)) if snapshot.match_key else None
    return key is not None and bool(set(key.recipients) - set(everyone(recipients(session, snapshot.list))))


def fix(session: Session, keyring: Keyring, snapshot: Snapshot, now: datetime) -> None:
    """Settle to whom a version is sealed, which key its hashes have and which policy its files are under."""
    current = recipients(session, snapshot.list)
    snapshot.policy_version = lists.policy_version(session, snapshot.list, None).version
    session.add(snapshot)
    if snapshot.match_key is not None and snapshot.recipients_sha256 == digest(current):
        return
    newest, known = _newest(session, snapshot.list), everyone(current)
    if newest is None or set(newest.recipients) - set(known) or _is_old(session, newest, now):
        number = newest.number + 1 if newest else 1
        keyring.match_keys(snapshot.list).make(number)
        newest = MatchKey(
            list=snapshot.list, number=number, first_version=snapshot.version, made_at=now, recipients=known
        )
    newest.recipients = known
    snapshot.match_key, snapshot.recipients_sha256 = newest.number, digest(current)
    session.add(newest)
    session.flush()


def subscriber_texts(
    session: Session, keyring: Keyring, canary_entries: CanaryEntries, name: str, found: Recipients
) -> dict[str, bytes]:
    """What each of those that are sealed to is told, RFC 8785: match keys and canary entries."""
    query = (
        select(MatchKey).where(MatchKey.list == name).order_by(col(MatchKey.number).desc()).limit(KEYS_KEPT)
    )
    files = keyring.match_keys(name)
    keys = [
        {"first_version": one.first_version, "key": files.key(one.number).hex(), "number": one.number}
        for one in session.exec(query)
        if files.has(one.number)
    ]
    policy = lists.policy_in_force(session, name)

    def told(organisation: str) -> dict[str, Any]:
        lines = canary_entries.lines(name, organisation, policy)
        return {
            "canary_entries": [json.loads(line) for line in lines],
            "list": name,
            "match_keys": keys,
            "organisation": organisation,
        }

    return {one: rfc8785.dumps(told(one)) for one in found}


def made_from(texts: Mapping[str, bytes], found: Recipients) -> str:
    """Changes with anything that is in the subscribers' file, and with whom it is sealed to."""
    parts = {one: [hashlib.sha256(text).hexdigest(), *sorted(found[one])] for one, text in texts.items()}
    return hashlib.sha256(rfc8785.dumps(parts)).hexdigest()


def subscriber_file(texts: Mapping[str, bytes], found: Recipients) -> bytes:
    """One file for all: organisation id -> its text, age-encrypted to that organisation alone, base64."""
    sealed = {
        one: base64.b64encode(age.seal_bytes(text, found[one])).decode()
        for one, text in sorted(texts.items())
    }
    return rfc8785.dumps({"subscribers": sealed})


def own_part(session: Session, repository: Repository, caller: Caller, name: str) -> bytes:
    """What the subscribers' file holds for the caller: an age file. Raises a 403 or 404 problem."""
    lists.readable(session, caller, name)
    stored = remembered(session, name)
    if stored:
        artefact = Artefact(path=f"lists/{name}/{FILE}", length=stored.length, sha256=stored.sha256)
        subscribers = json.loads(repository.targets.locate(artefact).read_bytes())["subscribers"]
        if caller.organisation_id in subscribers:
            return base64.b64decode(subscribers[caller.organisation_id])
    raise Problem("not-found", "there is nothing for you until a version is out that is sealed to you")


def remember(session: Session, name: str, source: str, length: int, sha256: str) -> None:
    """The file that holds what `source` is the digest of is stored."""
    stored = session.get(SubscriberFile, name) or SubscriberFile(list=name, made_from="", length=0, sha256="")
    stored.made_from, stored.length, stored.sha256 = source, length, sha256
    session.add(stored)


def remembered(session: Session, name: str) -> SubscriberFile | None:
    """The subscribers' file, if there is one."""
    return session.get(SubscriberFile, name)


def forget_keys(session: Session, keyring: Keyring, name: str) -> None:
    """Destroy keys of hashes that nobody is given any longer."""
    newest = _newest(session, name)
    if newest:
        keyring.match_keys(name).destroy_before(newest.number - KEYS_KEPT + 1)


def _newest(session: Session, name: str) -> MatchKey | None:
    query = select(MatchKey).where(MatchKey.list == name).order_by(col(MatchKey.number).desc()).limit(1)
    return session.exec(query).first()


def _is_written_otherwise(session: Session, last: Snapshot) -> bool:
    if last.policy_version is None:
        return False
    under = Policy.recorded(lists.policy_version(session, last.list, last.policy_version).policy)
    asked = lists.policy_in_force(session, last.list)
    return any(getattr(under, knob) != getattr(asked, knob) for knob in _OF_FILES)


def _is_old(session: Session, key: MatchKey, now: datetime) -> bool:
    days = lists.policy_in_force(session, key.list).match_key_days
    return now - key.made_at >= timedelta(days=days)
