"""Whom to tell of an entry: the contacts that fit it, and the choice among them (app/core/routing.py).

Nothing is resolved: hosts and networks are compared as they were given and assessed. A host's suffixes and an
address' networks are few and all known, so each is looked up by its index; no table is read whole.
"""

import ipaddress
from collections.abc import Iterator

import httpx
import sqlalchemy as sa
from sqlmodel import Session, col, select

import app
from app.core import routing, url
from app.core.policy import Policy
from app.core.routing import Fit
from app.core.terms import Channel, ContactKind, Rule
from app.entries.models import Entry
from app.entries.schemas import RoutedBy
from app.entries.secrets import Opened
from app.takedown.contacts.schemas import name_key
from app.takedown.models import Contact, Peer, Referral, RoutingMark


def route(session: Session, policy: Policy, entry: Entry, opened: Opened) -> list[RoutedBy]:
    """Turn 0 is law enforcement, where the policy hears it first; turns 1, 2, ... come in that order."""
    country = entry.hosting_country
    found = [*_of_country(session, policy, country), *_of_host(session, country, opened)]
    peers = _peer_hosts(session, [contact.address for contact, _ in found if _is_peer(contact)])
    asking = _asking(session, entry)
    fitting = [
        (contact, fit)
        for contact, fit in found
        if _may_hear(contact, peers, opened) and not (_is_peer(contact) and contact.address in asking)
    ]
    contacts = {contact.id: contact for contact, _ in fitting}
    placed = routing.turns([fit for _, fit in fitting], policy, country)
    return [_step(turn, fit, contacts[fit.contact]) for turn, fit in placed]


def mark(session: Session) -> str:
    """Another one after each change of what `route` goes by besides the entry, and in another release."""
    return f"{session.exec(select(RoutingMark.mark)).one()}/{app.__version__}"


def _of_country(session: Session, policy: Policy, country: str) -> Iterator[tuple[Contact, Fit]]:
    """Law enforcement of the list's own country, where it has one, and partners where it is hosted."""
    heard = policy.jurisdiction or country
    is_of_either = col(Contact.country).in_({heard, country})
    kinds = (ContactKind.LAW_ENFORCEMENT, ContactKind.PARTNER_HOTLINE)
    for contact in _in_force(session, is_of_either, col(Contact.kind).in_(kinds)):
        if contact.kind is ContactKind.PARTNER_HOTLINE and contact.country == country:
            yield contact, Fit(contact.id, Rule.PARTNER_OF_COUNTRY, contact.rank)
        elif contact.kind is ContactKind.LAW_ENFORCEMENT and contact.country == heard:
            yield contact, Fit(contact.id, Rule.LAW_ENFORCEMENT_FIRST, contact.rank)


def _of_host(session: Session, country: str, opened: Opened) -> Iterator[tuple[Contact, Fit]]:
    """Providers by name and by host, and networks, but those of another country."""
    anywhere = sa.or_(col(Contact.country).is_(None), col(Contact.country) == country)
    is_provider = col(Contact.kind) == ContactKind.PROVIDER
    if opened.hosting_provider:
        is_named = col(Contact.name_key) == name_key(opened.hosting_provider)
        for contact in _in_force(session, is_named, is_provider, anywhere):
            yield contact, Fit(contact.id, Rule.PROVIDER_BY_NAME, contact.rank)
    suffixes = _suffixes(url.host_of(opened.canonical_url))
    for contact in _in_force(session, col(Contact.host_suffix).in_(suffixes), is_provider, anywhere):
        closeness = (contact.host_suffix or "").count(".")
        yield contact, Fit(contact.id, Rule.PROVIDER_BY_HOST, contact.rank, closeness)
    networks = _networks(opened.hosting_address)
    for contact in _in_force(session, col(Contact.network).in_(networks), anywhere) if networks else ():
        closeness = int((contact.network or "/0").rpartition("/")[2])
        yield contact, Fit(contact.id, Rule.NETWORK_BY_ADDRESS, contact.rank, closeness)


def _in_force(session: Session, *conditions: sa.ColumnElement[bool]) -> list[Contact]:
    return list(session.exec(select(Contact).where(col(Contact.ended_at).is_(None), *conditions)))


def _suffixes(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


def _networks(address: str | None) -> list[str]:
    """Every network that an IP address is in, as contacts write them; none without an address."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return []
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    longest = parsed.max_prefixlen
    return [str(ipaddress.ip_network((int(parsed), bits), strict=False)) for bits in range(longest + 1)]


def _peer_hosts(session: Session, organisations: list[str]) -> dict[str, str]:
    """Where peers in force are reached, by organisation."""
    if not organisations:
        return {}
    query = select(Peer).where(col(Peer.organisation_id).in_(organisations), col(Peer.ended_at).is_(None))
    return {peer.organisation_id: httpx.URL(peer.address).host for peer in session.exec(query)}


def _asking(session: Session, entry: Entry) -> set[str]:
    """Peers that referred it here, and wait for us: to refer it back would have each wait for the other."""
    query = select(Referral.peer_id).where(
        Referral.entry_id == entry.id, col(Referral.is_ours).is_(False), col(Referral.ended_at).is_(None)
    )
    return set(session.exec(query))


def _is_peer(contact: Contact) -> bool:
    return contact.channel is Channel.PEER


def _may_hear(contact: Contact, peers: dict[str, str], opened: Opened) -> bool:
    """Whether it can be told without connecting to the entry's own host."""
    if contact.channel is Channel.MAIL:
        return True
    is_peer = _is_peer(contact)
    host = peers.get(contact.address) if is_peer else httpx.URL(contact.address).host
    if not host or host == opened.hosting_address:
        return False
    return not routing.is_own(url.host_of(opened.canonical_url), host)


def _step(turn: int, fit: Fit, contact: Contact) -> RoutedBy:
    return RoutedBy(
        turn=turn,
        rule=fit.rule,
        contact=contact.id,
        version=contact.version,
        kind=contact.kind,
        channel=contact.channel,
    )
