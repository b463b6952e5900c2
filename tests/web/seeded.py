"""A service with something on every page, and who looks at it: for tests of all pages, and their screenshots.

It has two closed months behind it (tests/audit/report/months.py) and stands at 1 May 2026. `more` adds to
whatever a page lists, so that a page with much can be set against the same page with little.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from app.core import jose, receipt
from app.core.terms import ConflictReason, Kind
from app.identity import conflicts
from app.platform.clock import instant
from tests.appeals import people as appellants
from tests.audit.report.months import begun, two_months
from tests.programs.browser import certify, invite
from tests.programs.service import LIST, Service, approve, new_entry
from tests.programs.webclient import WebClient

HELD = "held-url"
NAMES = {
    Kind.HOTLINE: "Ada Example",
    Kind.REVIEW_BODY: "Bo Example",
    Kind.ISP: "Cem Example",
    Kind.AUDITOR: "Dana Example",
    Kind.LAW_ENFORCEMENT: "Eli Example",
    Kind.OPERATOR: "Femi Example",
}


class Seeded:
    """`people` are signed in, one of each kind; `names` fill the places in addresses of pages."""

    def __init__(self, service: Service) -> None:
        self.service = service
        two_months(service)
        service.add_list(HELD, brake_changes=1, brake_percent=1, brake_free=0)
        self.organisations = {
            kind: service.organisation(kind, f"Example {kind.value.replace('_', ' ')}") for kind in Kind
        }
        self._calls = ExitStack()
        self.calls = {
            kind: self._calls.enter_context(service.connect(kind, organisation))
            for kind, organisation in self.organisations.items()
        }
        for name in (LIST, HELD):
            service.subscribe(self.organisations[Kind.ISP], name)
        self.people: dict[Kind, WebClient] = {}
        for kind, organisation in self.organisations.items():
            invited = invite(service, kind, organisation, is_lead=True, name=NAMES[kind])
            self.people[kind] = WebClient(service, invited)
            if kind is Kind.REVIEW_BODY:
                certify(service, invited)
        self.names = {
            "list": LIST,
            "held_list": HELD,
            "period": "2026-03",
            "organisation": self.organisations[Kind.REVIEW_BODY],
        }
        self.more(3)

    def more(self, count: int) -> None:
        """So many more of everything; of what takes part, a few."""
        self._entries(count)
        self._people(min(count, 12))
        filed = [
            appellants.file(self.service, f"https://{secrets.token_hex(4)}.example.test/")
            for _ in range(count)
        ]
        auditor = self.calls[Kind.AUDITOR]
        made = [
            auditor.request("POST", "/v1/audit/exports", json={}).json()["id"] for _ in range(min(count, 3))
        ]
        self.service.publish()
        self.service.exporter.round()
        self._receipt()
        self.names |= {"appeal": filed[0]["reference"], "secret": filed[0]["secret"], "export": made[0]}

    def close(self) -> None:
        """Forget every connection."""
        self._calls.close()
        for one in self.people.values():
            one.close()

    def _entries(self, count: int) -> None:
        """On the list, waiting for sign-off, and held by the brake."""
        reviewer = self.calls[Kind.REVIEW_BODY]
        listed, held, waiting = self._submit(count), self._submit(count, list=HELD), self._submit(count)
        for entry in (*listed, *held):
            approve(reviewer, entry)
        self.names |= {"listed": listed[0]["id"], "held": held[0]["id"], "entry": waiting[0]["id"]}

    def _submit(self, count: int, **changes: Any) -> list[dict[str, Any]]:
        some = [new_entry(f"https://{secrets.token_hex(4)}.example.test/", **changes) for _ in range(count)]
        answer = self.calls[Kind.HOTLINE].request("POST", "/v1/entries/batch", json={"entries": some})
        found: list[dict[str, Any]] = answer.json()["entries"]
        return found

    def _people(self, count: int) -> None:
        """Organisations of every kind with one person each, conflicts, and lists."""
        others = [
            self.service.organisation(Kind.HOTLINE, f"Hotline {secrets.token_hex(2)}") for _ in range(count)
        ]
        with self.service.database.writing() as session:
            for one in others:
                body, now = self.organisations[Kind.REVIEW_BODY], self.service.clock()
                conflicts.declare(session, one, body, ConflictReason.FUNDING, now)
        for one in others:
            self.names["person"] = invite(self.service, Kind.HOTLINE, one, name="Gil Example").person
            name = f"list-{secrets.token_hex(3)}"
            self.service.add_list(name)
            self.service.subscribe(self.organisations[Kind.ISP], name)

    def _receipt(self) -> None:
        provider = self.calls[Kind.ISP]
        newest = provider.request("GET", f"/v1/lists/{LIST}/snapshots/latest").json()
        said = {
            "applied_at": instant(self.service.clock()),
            "content_sha256": newest["content_sha256"],
            "outcome": "applied",
            "version": newest["version"],
        }
        signature = jose.sign(receipt.statement(in_list=LIST, **said), provider.credentials.private_jwk)
        provider.request("POST", f"/v1/lists/{LIST}/receipts", json={**said, "signature": signature})
        self.names["reference"] = f"{LIST}-{newest['version']}"


@contextmanager
def seeded(home: Path) -> Iterator[Seeded]:
    """A running service so filled."""
    with begun(home) as service:
        found = Seeded(service)
        yield found
        found.close()
