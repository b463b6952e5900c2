"""A little installation with two months behind it: somebody of every kind, and rows in nearly every table."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from app.audit import service as audit
from app.core import age
from app.core.terms import Confidentiality, Kind
from app.identity import service as identity
from app.lists import protection
from app.platform.clock import instant
from tests.audit.report.months import begun
from tests.programs.service import LIST, Service, approve, new_entry
from tests.takedown.told import Post, contact
from tests.web.seeded import HELD, Seeded

SEALED = "sealed-url"


@contextmanager
def lived_in(home: Path, address: str) -> Iterator[Service]:
    """Running, on the database with that SQLAlchemy address."""
    with begun(home, database_url=address, webhook_allow_private=True) as service:
        contact(service, host_suffix="example.test")
        world = Seeded(service)
        _seal(world)
        _hold_and_recheck(world)
        _let_out(world)
        service.publish()
        Post(service).deliver()
        yield service
        world.close()


def _seal(world: Seeded) -> None:
    """A sealed list with a version: recipients, files and a match key of its own; who may open an export."""
    service, provider = world.service, world.organisations[Kind.ISP]
    _, recipient = age.generate()
    with service.database.writing() as session:
        identity.add_recipient(session, provider, recipient, service.clock())
        audit.allow_reveal(session, world.organisations[Kind.AUDITOR], recipient, service.clock())
        protection.replace(session, LIST, ["popular.example"], service.clock())
    service.add_list(SEALED, confidentiality=Confidentiality.SEALED, formats=["jsonl", "hashes"])
    service.subscribe(provider, SEALED)
    service.let_read(world.organisations[Kind.LAW_ENFORCEMENT])
    sent = new_entry("https://sealed.example.test/", list=SEALED)
    headers = {"Idempotency-Key": "once"}
    hotline, reviewer = world.calls[Kind.HOTLINE], world.calls[Kind.REVIEW_BODY]
    approve(reviewer, hotline.request("POST", "/v1/entries", json=sent, headers=headers).json())
    with service.connect(Kind.HOTLINE) as another:
        another.request("POST", "/v1/entries", json=sent)
    world.calls[Kind.ISP].request("POST", "/v1/webhooks", json={"url": "http://127.0.0.1:9/"})


def _hold_and_recheck(world: Seeded) -> None:
    now, entry = world.service.clock(), world.names["listed"]
    police, hotline = world.calls[Kind.LAW_ENFORCEMENT], world.calls[Kind.HOTLINE]
    held = {"reason": "investigation", "until": instant(now + timedelta(days=10))}
    police.request("POST", f"/v1/entries/{entry}/legal-hold", json=held)
    looked = {"outcome": "still_available", "checked_at": instant(now)}
    hotline.request("POST", f"/v1/entries/{entry}/rechecks", json=looked)


def _let_out(world: Seeded) -> None:
    """One word of two on a held version."""
    world.calls[Kind.OPERATOR].request("POST", f"/v1/lists/{HELD}/brake/release")
