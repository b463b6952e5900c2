"""A service that tells by mail and webhook, with the people around it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from app.client.session import Connection
from app.core.terms import Channel, ContactKind, Kind, NoticeOutcome
from app.entries.models import Entry
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent
from app.takedown.models import Notice
from app.takedown.notices import parcels
from app.takedown.notices.courier import Courier
from app.takedown.notices.parcels import Parcel, Sent
from tests.programs.mailbox import Mailbox
from tests.programs.service import LIST, Service, approve, new_entry, running

Found = TypeVar("Found")
FROM = "notices@wardlist.example"
DESK = "desk@partner.example"
URL = "https://a.listed.test/secret-page"


def by_mail(mailbox: Mailbox, **settings: Any) -> dict[str, Any]:
    """Settings of an installation that hands its mail to this server, and may call this machine."""
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_security": "none", "mail_from": FROM}
    return {**smtp, "webhook_allow_private": True, **settings}


SENT = Sent(NoticeOutcome.SENT)


class Way:
    """A channel that keeps what it was given, and does something before or after the moment of risk."""

    def __init__(
        self,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
        sent: Sent = SENT,
    ) -> None:
        self.before, self.after, self.sent = before, after, sent
        self.parcels, self.out = list[Parcel](), list[Parcel]()

    def __call__(self, parcel: Parcel, at_risk: Callable[[], None]) -> Sent:
        self.parcels.append(parcel)
        self.before()
        at_risk()
        self.out.append(parcel)
        self.after()
        return self.sent


class Desk:
    """A service, a hotline and a reviewer of it. Its time stands still unless a test moves it."""

    def __init__(self, service: Service, hotline: Connection, reviewer: Connection) -> None:
        self.service, self.hotline, self.reviewer = service, hotline, reviewer
        self.courier = service.courier

    def contact(self, address: str = DESK, channel: Channel = Channel.MAIL, **content: Any) -> str:
        """The id of a new contact: a partner hotline of NL, unless told otherwise."""
        given = {"kind": ContactKind.PARTNER_HOTLINE, "name": "Partner", "country": "NL", **content}
        whole = ContactContent(channel=channel, address=address, **given)
        with self.service.database.writing() as session:
            return contacts.add(session, whole, self.service.clock(), allow_private=True).id

    def submitted(self, url: str = URL, **changes: Any) -> dict[str, Any]:
        """A new entry, as its hotline sees it."""
        view: dict[str, Any] = self.hotline.request(
            "POST", "/v1/entries", json=new_entry(url, **changes)
        ).json()
        return view

    def approved(self, url: str = URL, **changes: Any) -> str:
        """The id of a new entry that was signed off."""
        view = self.submitted(url, **changes)
        return str(approve(self.reviewer, view)["entry"])

    def told(self, url: str = URL, **changes: Any) -> str:
        """The same, with its first notice on its way."""
        entry = self.approved(url, **changes)
        self.service.publish()
        self.send()
        return entry

    def send(self) -> None:
        """Send what is due, and wait for what came of it."""
        self.courier.round()
        self.courier.wait()

    def by(self, way: Way) -> None:
        """From here on mail goes that way."""
        self.courier = self.another({Channel.MAIL: way})

    def another(self, ways_out: Mapping[Channel, parcels.Channel]) -> Courier:
        """What another process of the service would send with; its delays are what they are said to be."""
        up = self.service
        return Courier(up.database, up.keyring, up.settings, up.clock, ways_out, factor=lambda: 1.0)

    def entry(self, entry_id: str) -> Entry:
        """As it stands in the database."""
        return self._look(lambda session: session.exec(select(Entry).where(Entry.id == entry_id)).one())

    def notices(self, entry_id: str) -> list[Notice]:
        """About an entry, oldest first."""
        asked = (
            select(Notice).where(Notice.entry_id == entry_id).order_by(col(Notice.made_at), col(Notice.turn))
        )
        return self._look(lambda session: list(session.exec(asked)))

    def outcomes(self, entry_id: str) -> list[tuple[str, str | None]]:
        """(kind, outcome) of each of them; no outcome where it is still to be sent."""
        return [
            (one.kind.value, one.outcome.value if one.outcome else None) for one in self.notices(entry_id)
        ]

    def _look(self, at: Callable[[Session], Found]) -> Found:
        with self.service.database.reading() as session:
            return at(session)


@contextmanager
def desk(home: Path, law_enforcement_hours: int = 0, **settings: Any) -> Iterator[Desk]:
    """Until the block ends; the list has no jurisdiction, so that every country is abroad."""
    with running(Service(home, **settings)) as up:
        up.add_list(LIST, reminders=0, law_enforcement_hours=law_enforcement_hours)
        up.clock.still_at = up.clock()
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            yield Desk(up, hotline, reviewer)
