"""No connection is ever made to a listed host, and none to a private address unless allowed.

What the whole process calls and looks up is seen by an audit hook of the interpreter, below any library.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from app.core.terms import Channel, Kind, NoticeOutcome
from app.entries import touched
from app.platform.outgoing import Outgoing
from app.platform.settings import Settings
from app.takedown.notices.hooks import Hooks
from app.takedown.notices.mail import Mail
from app.takedown.notices.parcels import Parcel
from tests.programs.mailbox import Mailbox, collecting
from tests.programs.receiver import Receiver, receiving
from tests.programs.service import LIST, replay
from tests.takedown.notified import Desk, Way, by_mail, desk

_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_CALLS = ("socket.connect", "socket.sendto", "socket.sendmsg")


@dataclass
class Seen:
    """Names that were looked up, and (address, port) that were called, while the test ran."""

    names: set[str] = field(default_factory=set)
    called: set[tuple[str, int]] = field(default_factory=set)


_now: list[Seen] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for seen in _now:
        if event in _LOOK_UPS:
            name = arguments[0]
            seen.names.add(name.decode() if isinstance(name, bytes) else str(name))
        elif event in _CALLS and isinstance(arguments[1], tuple):
            seen.called.add((str(arguments[1][0]), int(arguments[1][1])))


sys.addaudithook(_hook)


@pytest.fixture
def seen() -> Iterator[Seen]:
    _now.append(Seen())
    yield _now[-1]
    _now.pop()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with collecting() as up:
        yield up


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as up:
        yield up


@pytest.fixture
def told(tmp_path: Path, mailbox: Mailbox) -> Iterator[Desk]:
    with desk(tmp_path / "home", **by_mail(mailbox)) as up:
        yield up


def wide(told: Desk) -> None:
    """An entry for all of evil.test, submitted only."""
    reason = "Every page of this domain carries the material, under changing names."
    told.submitted("https://evil.test/", scope="domain", scope_reason=reason)


def test_in_a_whole_story_only_mail_server_and_receivers_are_called(
    told: Desk, mailbox: Mailbox, receiver: Receiver, seen: Seen
) -> None:
    wide(told)
    told.contact()
    told.contact(receiver.url(), Channel.WEBHOOK)
    told.contact("https://hooks.evil.test/notices", Channel.WEBHOOK)
    isp = told.service.organisation(Kind.ISP)
    told.service.subscribe(isp)
    with told.service.connect(Kind.ISP, isp) as provider:
        for url in (receiver.url("/isp"), "https://a.listed.test/isp", "https://evil.test./isp"):
            provider.request("POST", "/v1/webhooks", json={"url": url})
        entry = told.told()
        told.service.deliverer.round()
        told.service.deliverer.wait()
        told.hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
        told.service.publish()
        told.send()
        told.service.deliverer.round()
        told.service.deliverer.wait()
        assert provider.request("GET", f"/v1/lists/{LIST}").status_code == 200
    assert [one.kind.value for one in told.notices(entry) if one.outcome is NoticeOutcome.SENT] == [
        "notice",
        "notice",
        "retraction",
        "retraction",
    ]
    failed = [one for one in told.notices(entry) if one.outcome is NoticeOutcome.FAILED]
    assert [(one.failure, one.at_risk) for one in failed] == [("refused", False)]
    assert (len(mailbox.arrived), {got.path for got in receiver.got}) == (2, {"/hook", "/isp"})
    own = {told.service.settings.port, mailbox.port, receiver.port}
    assert seen.called
    assert seen.called <= {("127.0.0.1", port) for port in own}
    assert seen.names <= {"127.0.0.1"}
    replay(told.service)


def test_a_listed_host_is_touched_however_it_is_spelled(told: Desk) -> None:
    wide(told)
    told.approved()
    spellings = ("a.listed.test", "A.Listed.TEST", "a.listed.test.", "%61.listed.test")
    for host in (*spellings, "evil.test", "hooks.evil.test", "a.b.evil.test", ""):
        assert not _may_call(told, host), host
    for host in ("listed.test", "b.listed.test", "x.a.listed.test", "notevil.test", "127.0.0.1", "::1"):
        assert _may_call(told, host), host


def test_a_host_is_called_again_once_its_entry_was_withdrawn(told: Desk) -> None:
    entry = told.approved()
    told.hotline.request("POST", f"/v1/entries/{entry}/withdrawal")
    assert _may_call(told, "a.listed.test")


def _may_call(told: Desk, host: str) -> bool:
    return touched.guard(told.service.database, told.service.keyring.fingerprint)(host)


def test_a_mail_server_on_a_listed_host_is_not_even_looked_up(told: Desk, seen: Seen) -> None:
    way = Way()
    told.by(way)
    told.contact()
    told.told()
    settings = Settings(smtp_host="a.listed.test", smtp_security="none", mail_from="n@wardlist.example")
    guard = touched.guard(told.service.database, told.service.keyring.fingerprint)
    mail = Mail(settings, lambda _: b"x\r\n", lambda _: "n@wardlist.example", guard)
    sent = mail(way.out[0], lambda: None)
    assert (sent.outcome, sent.failure) == (None, "refused")
    assert not any("listed.test" in name for name in seen.names)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00::1"])
def test_a_contact_whose_name_leads_to_a_private_address_is_not_called(
    told: Desk, seen: Seen, address: str
) -> None:
    way = Way()
    told.by(way)
    told.contact()
    told.told()
    seen.called.clear()
    strict = Outgoing(resolve=lambda _host, _port: [address])
    hooks = Hooks(told.service.clock, strict, lambda _: "whsec_" + "A" * 44, lambda _: b"{}")
    sent = hooks(_at(way.out[0], "https://hook.example/"), lambda: None)
    assert (sent.outcome, sent.failure, sent.is_refused) == (NoticeOutcome.FAILED, "refused", True)
    assert seen.called == set()


def _at(parcel: Parcel, address: str) -> Parcel:
    return replace(parcel, address=address)


def test_a_service_that_may_not_call_private_addresses_tells_no_contact_there(
    tmp_path: Path, seen: Seen
) -> None:
    with desk(tmp_path / "home") as told:
        told.contact("https://localhost/hook", Channel.WEBHOOK)
        entry = told.told()
        own = ("127.0.0.1", told.service.settings.port)
        assert [(one.outcome, one.failure) for one in told.notices(entry)] == [
            (NoticeOutcome.FAILED, "refused")
        ]
    assert seen.called <= {own}
