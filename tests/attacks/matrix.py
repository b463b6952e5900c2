"""A world in which every kind of organisation has a part in something, and another of its kind has none.

What a call writes is taken back at once, so that each caller meets the same world.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import httpx
import pyrage
from sqlmodel import Session

from app.client.session import Connection
from app.core import jose
from app.core.terms import Kind
from app.distribution.stix import TLP_AMBER
from app.identity import service as identity
from app.identity.permissions import MAY_HOLD, Scope
from app.identity.tokens import Issuer
from app.platform.clock import instant
from app.platform.database import Database
from tests.attacks.authorisation import Route
from tests.programs.inside import Inside
from tests.programs.service import LIST, Service, approve, new_entry

CONTACT = {
    "kind": "provider",
    "name": "Provider",
    "channel": "mail",
    "address": "abuse@provider.example",
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/entries": new_entry("https://new.example.test/"),
    "POST /v1/entries/batch": {"entries": []},
    "POST /v1/entries/emergency-delisting": {},
    "POST /v1/entries/{entry}/rechecks": {"outcome": "unreachable", "checked_at": "2026-01-02T03:04:05Z"},
    "POST /v1/entries/{entry}/reviews": {},
    "POST /v1/entries/{entry}/erasure": {"reason": "retention"},
    "POST /v1/entries/{entry}/legal-hold": {},
    "POST /v1/appeals/{appeal}/decision": {"outcome": "denied", "reason": "None.", "signature": "a.b.c"},
    "POST /v1/lists": {"name": "other", "title": "T", "scopes": ["url"], "confidentiality": "plain"},
    "PUT /v1/lists/{list}/policy": {},
    "PUT /v1/lists/{list}/protected-hosts": {"hosts": [""]},
    "POST /v1/lists/{list}/receipts": {
        "version": 1,
        "content_sha256": "0" * 64,
        "applied_at": "2026-01-02T03:04:05Z",
        "outcome": "applied",
        "signature": "a.b.c",
    },
    "POST /v1/webhooks": {"url": "https://isp.example/"},
    "PUT /v1/conflicts/{one}/{other}": {"reason": "funding"},
    "POST /v1/contacts": CONTACT,
    "PUT /v1/contacts/{contact}": {**CONTACT, "base_version": 1},
    "POST /v1/takedowns/{entry}/events": {"event": "notified"},
    "POST /v1/takedowns/{entry}/hold": {},
    "POST /v1/audit/exports": {},
    "POST /v1/appeals": {"url": "https://x.example.test/", "statement": "This page is mine and harmless."},
    "POST /v1/takedown-answers/{token}": {"answer": "removed"},
}
"""What is sent. Where it could not be true it is wrong on purpose: 422 comes after the caller was let in."""
_PARAMETERS: dict[str, str] = {"GET /v1/lists/{list}/access": "?version=1"}


class World:
    """Everything in it, by name; `nothing` are names of the same form that nothing has."""

    def __init__(self, service: Service) -> None:
        self.service, self.inside = service, Inside(service.app)
        self._http = httpx.Client(transport=self.inside, base_url=service.address)
        service.add_list(formats=["jsonl", "hashes"])
        self.own = {kind: service.organisation(kind) for kind in Kind}
        self.other = {kind: service.organisation(kind) for kind in Kind}
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        with service.database.writing() as session:
            identity.add_recipient(session, self.own[Kind.ISP], recipient, service.clock())
        service.subscribe(self.own[Kind.ISP])
        service.let_read(self.own[Kind.LAW_ENFORCEMENT])
        self._tokens: dict[tuple[str, frozenset[Scope]], str] = {}
        self._connections = {kind: self._connect(kind) for kind in Kind}
        self.names: dict[str, str] = {"list": LIST, "version": "1", "format": "jsonl", "collection": LIST}
        self._fill()
        self.nothing = {name: _unlike(value) for name, value in self.names.items()} | {
            "version": "1",
            "format": "jsonl",
            "path:path": self.names["path:path"].replace(LIST, "no-such-list"),
        }

    def close(self) -> None:
        """End what it holds."""
        self._http.close()
        self.inside.finish()

    def token(self, organisation: str, scopes: frozenset[Scope]) -> str:
        """An access token of a client that holds just these."""
        key = organisation, scopes
        if key not in self._tokens:
            client = self.service.credentials(organisation, set(scopes)).client_id
            self._tokens[key] = self._issue(client, organisation, scopes)
        return self._tokens[key]

    def bad_tokens(self, kind: Kind) -> dict[str, str]:
        """Tokens of a client of this kind with every scope, none of which lets anybody in."""
        organisation, scopes, now = self.service.organisation(kind), MAY_HOLD[kind], self.service.clock()
        client = self.service.credentials(organisation, set(scopes)).client_id
        revoked = self.service.credentials(organisation, set(scopes)).client_id
        suspended = self.service.organisation(kind)
        member = self.service.credentials(suspended, set(scopes)).client_id
        with self.service.database.writing() as session:
            identity.revoke_client(session, revoked, now)
            identity.suspend_organisation(session, suspended, True, now)
        key, words = self.service.keyring.token, {str(scope) for scope in scopes}
        elsewhere = Issuer("https://elsewhere.example", key)
        forged = Issuer(self.service.address, jose.generate())
        true = self._issue(client, organisation, scopes)
        return {
            "nonsense": "nonsense",
            "of another service": elsewhere.issue(client, organisation, words, now),
            "of another key": forged.issue(client, organisation, words, now),
            "with a signature of another token": f"{true.rsplit('.', 1)[0]}.{'A' * 86}",
            "expired": self._issue(client, organisation, scopes, -timedelta(hours=1)),
            "not begun": self._issue(client, organisation, scopes, timedelta(hours=1)),
            "of a revoked client": self._issue(revoked, organisation, scopes),
            "of a suspended organisation": self._issue(member, suspended, scopes),
            "of no client": self._issue("nobody", organisation, scopes),
        }

    def call(self, row: Route, token: str | None, names: dict[str, str] | None = None) -> httpx.Response:
        """Ask, and take back what was written."""
        path = row.path
        for name, value in (names or self.names).items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, path
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with mock.patch.object(self.service.database, "writing", self._writing_nothing):
            path += _PARAMETERS.get(row.name, "")
            return self._http.request(row.method, path, headers=headers, json=BODIES.get(row.name))

    @contextmanager
    def _writing_nothing(self) -> Iterator[Session]:
        with Database.writing(self.service.database) as session:
            yield session
            session.flush()
            session.rollback()
            session.expunge_all()

    def _issue(
        self, client: str, organisation: str, scopes: frozenset[Scope], ahead: timedelta = timedelta()
    ) -> str:
        issuer = Issuer(self.service.address, self.service.keyring.token)
        return issuer.issue(client, organisation, {str(one) for one in scopes}, self.service.clock() + ahead)

    def _connect(self, kind: Kind) -> Connection:
        return self.service.connect(kind, self.own[kind], transport=self.inside)

    def _ask(self, kind: Kind, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._connections[kind].request(method, path, json=body)
        found: dict[str, Any] = answer.json()
        return found

    def _fill(self) -> None:
        entry = self._ask(Kind.HOTLINE, "POST", "/v1/entries", new_entry("https://x.example.test/"))
        with self.service.connect(Kind.REVIEW_BODY, transport=self.inside) as reviewer:
            approve(reviewer, entry)
        self.service.publish()
        appeal = self._http.post("/v1/appeals", json=BODIES["POST /v1/appeals"]).json()
        until = instant(self.service.clock() + timedelta(days=1))
        hold = {"reason": "investigation", "until": until}
        self._ask(Kind.LAW_ENFORCEMENT, "POST", f"/v1/entries/{entry['id']}/legal-hold", hold)
        self._ask(Kind.LAW_ENFORCEMENT, "POST", f"/v1/takedowns/{entry['id']}/hold", hold)
        one, other = self.service.organisation(Kind.HOTLINE), self.service.organisation(Kind.REVIEW_BODY)
        contact = self._ask(Kind.OPERATOR, "POST", "/v1/contacts", CONTACT)
        webhook = self._ask(Kind.ISP, "POST", "/v1/webhooks", {"url": "https://isp.example/"})
        exports = {
            kind: self._ask(kind, "POST", "/v1/audit/exports", {})["id"]
            for kind in (Kind.AUDITOR, Kind.OPERATOR)
        }
        self.exports = exports
        self.names |= {"entry": entry["id"], "appeal": appeal["reference"], "one": one, "other": other}
        self.names |= {"contact": contact["id"], "webhook": webhook["id"], "export": exports[Kind.AUDITOR]}
        self.names |= {"object": str(TLP_AMBER["id"]), "token": "no-link", "file": "timestamp.json"}
        self.names |= {"level": "entries", "index:path": _first(self.service, "tile/entries")}
        target = next((self.service.settings.public / "targets").rglob("*.list.jsonl"))
        self.names["path:path"] = str(target.relative_to(self.service.settings.public / "targets"))
        self._ask(Kind.OPERATOR, "PUT", f"/v1/conflicts/{one}/{other}", {"reason": "funding"})


def _first(service: Service, folder: str) -> str:
    place = service.settings.log / folder
    return str(next(place.rglob("*.p/*")).relative_to(place))


def _unlike(value: str) -> str:
    """A name of the same form."""
    return secrets.token_hex(len(value))[: len(value)]
