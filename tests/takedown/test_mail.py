"""Notices by mail: what arrives at a real server, over what, and what is made of its answers."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dkim
import pytest
from sqlalchemy import text

from app.core.lifecycle import Takedown
from app.core.terms import Channel, NoticeOutcome
from app.platform.keyring import NotInitialised
from app.platform.outgoing import Outgoing
from app.platform.settings import Settings
from app.takedown.notices import channels
from app.takedown.notices import dkim as keys
from app.takedown.notices.mail import Mail
from app.takedown.notices.parcels import Overtaken, Parcel, Sent
from tests.programs.certified import Certified
from tests.programs.mailbox import Mailbox, collecting
from tests.programs.service import Service, replay
from tests.takedown.notified import DESK, FROM, URL, Desk, by_mail, desk

CONTENT = b"Subject: x\r\n\r\n.\r\n..\r\n.hidden\r\nend\r\n"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with collecting() as up:
        yield up


@pytest.fixture
def told(tmp_path: Path, mailbox: Mailbox) -> Iterator[Desk]:
    with desk(tmp_path / "home", **by_mail(mailbox)) as up:
        yield up


@pytest.fixture(scope="module")
def parcel(tmp_path_factory: pytest.TempPathFactory) -> Parcel:
    """One as the courier gathers it."""
    kept: list[Parcel] = []

    def keep(found: Parcel, _at_risk: Callable[[], None]) -> Sent:
        kept.append(found)
        raise Overtaken

    with desk(tmp_path_factory.mktemp("parcel") / "home") as up:
        up.contact()
        up.courier = up.another({Channel.MAIL: keep})
        up.told()
    return kept[0]


def sending(mailbox: Mailbox, content: bytes = CONTENT, tls: Any = None, **settings: Any) -> Mail:
    given = Settings(**{**by_mail(mailbox), "smtp_host": "localhost", **settings})
    return Mail(given, lambda _parcel: content, lambda _notice: "back@wardlist.example", tls=tls)


def test_a_notice_arrives_signed_with_its_link_and_is_on_record(told: Desk, mailbox: Mailbox) -> None:
    told.contact()
    entry = told.told()
    (arrived,), (notice,) = mailbox.arrived, told.notices(entry)
    assert arrived.id == f"<{notice.id}@wardlist.example>"
    assert arrived.recipients == [DESK]
    assert re.fullmatch(rf"bounce\+{notice.id}\.[0-9a-f]{{16}}@wardlist\.example", arrived.sender)
    assert arrived.message["From"].addresses[0].addr_spec == FROM
    text = arrived.message.get_body().get_content()  # type: ignore[union-attr]
    assert f"{told.service.address}/takedown/{notice.id}." in text.replace("\n", "")
    record = keys.record(keys.load(told.service.settings.keys)).encode()
    assert dkim.verify(arrived.content, dnsfunc=lambda *_, **__: record)
    assert (notice.outcome, notice.at_risk, notice.failure) == (NoticeOutcome.SENT, True, None)
    assert told.entry(entry).takedown is Takedown.NOTIFIED
    replayed = replay(told.service)
    assert replayed.removals[entry].state is Takedown.NOTIFIED
    told.send()
    assert len(mailbox.arrived) == 1


def test_a_client_calls_itself_by_the_senders_domain(told: Desk, mailbox: Mailbox) -> None:
    told.contact()
    told.told()
    assert set(mailbox.names) == {"wardlist.example"}


def test_no_log_line_has_anything_of_the_entry_the_contact_or_the_server(
    told: Desk, mailbox: Mailbox, capfd: pytest.CaptureFixture[str]
) -> None:
    mailbox.answers["RCPT"] = "550 5.1.1 <desk@partner.example> said secret words"
    told.contact()
    told.contact("other@second.example", rank=1)
    told.told()
    mailbox.answers.clear()
    told.service.publish()
    told.send()
    assert len(mailbox.arrived) == 1
    said = "".join(capfd.readouterr())
    assert "5.1.1" in said
    for word in ("listed.test", "partner.example", "second.example", "secret", "127.0.0.1"):
        assert word not in said


@pytest.mark.parametrize(
    ("command", "answer", "failure"),
    [
        ("RCPT", "550 5.1.1 no such user", "5.1.1"),
        ("RCPT", "553 no", "smtp-553"),
        ("DATA", "554 5.6.0 not this", "5.6.0"),
    ],
)
def test_what_is_refused_for_good_goes_to_the_next_contact_at_once(
    told: Desk, mailbox: Mailbox, command: str, answer: str, failure: str
) -> None:
    mailbox.answers[command] = answer
    told.contact()
    told.contact("next@partner.example", rank=1)
    entry = told.told()
    (notice,) = told.notices(entry)
    assert (notice.outcome, notice.failure, notice.at_risk) == (NoticeOutcome.FAILED, failure, False)
    assert told.entry(entry).takedown is Takedown.NOT_STARTED
    mailbox.answers.clear()
    told.service.publish()
    told.send()
    assert [one.recipients for one in mailbox.arrived] == [["next@partner.example"]]
    assert told.outcomes(entry) == [("notice", "failed"), ("notice", "sent")]
    replay(told.service)


@pytest.mark.parametrize(
    ("command", "answer", "failure"),
    [
        ("MAIL", "451 4.3.0 later", "4.3.0"),
        ("MAIL", "550 5.7.1 not from you", "5.7.1"),
        ("RCPT", "450 greylisted", "smtp-450"),
        ("DATA", "452 4.3.1 full", "4.3.1"),
        ("DATA", "299 what is this", "smtp-299"),
    ],
)
def test_what_is_refused_for_now_comes_again_under_the_same_id(
    told: Desk, mailbox: Mailbox, command: str, answer: str, failure: str
) -> None:
    mailbox.answers[command] = answer
    told.contact()
    entry = told.told()
    (notice,) = told.notices(entry)
    # Only an answer that says nothing leaves open whether the server has it.
    assert (notice.outcome, notice.failure, notice.at_risk) == (None, failure, failure == "smtp-299")
    mailbox.answers.clear()
    told.send()
    assert mailbox.arrived == []
    told.service.clock.ahead += timedelta(seconds=5)
    told.send()
    assert [one.id for one in mailbox.arrived] == [f"<{notice.id}@wardlist.example>"]
    assert told.outcomes(entry) == [("notice", "sent")]


def test_after_a_day_of_trying_a_notice_has_failed(told: Desk, mailbox: Mailbox) -> None:
    mailbox.answers["RCPT"] = "450 4.2.1 not now"
    told.contact()
    entry = told.told()
    for _ in range(40):
        told.service.clock.ahead += timedelta(hours=1)
        told.send()
    (notice,) = told.notices(entry)
    assert (notice.outcome, notice.failure) == (NoticeOutcome.FAILED, "4.2.1")
    told.service.publish()
    assert told.entry(entry).notice_at is not None
    replay(told.service)


def test_no_server_answers_and_nothing_is_lost(told: Desk, mailbox: Mailbox) -> None:
    told.contact()
    with collecting() as gone:
        closed = gone.port
    mail = sending(mailbox, smtp_port=closed)
    usual, told.courier = told.courier, told.another({Channel.MAIL: mail})
    entry = told.told()
    (notice,) = told.notices(entry)
    assert (notice.outcome, notice.failure, notice.at_risk) == (None, "ConnectionRefusedError", False)
    told.courier = usual
    told.service.clock.ahead += timedelta(seconds=5)
    told.send()
    assert len(mailbox.arrived) == 1


def test_a_line_of_dots_arrives_as_it_was(parcel: Parcel, mailbox: Mailbox) -> None:
    assert sending(mailbox)(parcel, lambda: None).outcome is NoticeOutcome.SENT
    assert mailbox.arrived[0].content == CONTENT


def test_the_whole_content_leaves_the_server_without_a_message_until_the_dot(
    parcel: Parcel, mailbox: Mailbox
) -> None:
    def stop() -> None:
        raise Overtaken

    with pytest.raises(Overtaken):
        sending(mailbox, CONTENT * 1000)(parcel, stop)
    mailbox.wait_until_quiet()
    assert mailbox.arrived == []


@pytest.mark.parametrize("content", [b"a\n.\nb\r\n", b"a\r.\r\n", b"a\n"])
def test_a_bare_line_end_that_servers_read_differently_is_not_sent(
    parcel: Parcel, mailbox: Mailbox, content: bytes
) -> None:
    sent = sending(mailbox, content)(parcel, lambda: None)
    assert (sent.outcome, sent.failure) == (NoticeOutcome.FAILED, "bare-line-end")
    assert mailbox.names == []


def test_an_address_that_is_none_is_a_failure_and_not_a_second_command(told: Desk, mailbox: Mailbox) -> None:
    contact = told.contact()
    with told.service.database.writing() as session:
        session.execute(
            text("UPDATE contact SET address = :address WHERE id = :contact"),
            {"address": "a@b.example>\r\nRCPT TO:<c@d.example", "contact": contact},
        )
    entry = told.told()
    assert [one.failure for one in told.notices(entry)] == ["unwritable"]
    assert mailbox.arrived == []


class TestProtected:
    """Over TLS, with a login."""

    @pytest.fixture
    def certified(self, tmp_path: Path) -> Certified:
        return Certified(tmp_path, "localhost")

    @pytest.fixture
    def login(self, tmp_path: Path) -> dict[str, Any]:
        file = tmp_path / "password"
        file.write_text("a word of passage\n")
        return {"smtp_user": "wardlist", "smtp_password_file": file}

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    def test_a_notice_goes_over_tls_after_a_login(
        self, parcel: Parcel, certified: Certified, login: dict[str, Any], security: str
    ) -> None:
        known = ("wardlist", "a word of passage")
        with collecting(certified.server(), known, at_once=security == "tls") as safe:
            mail = sending(safe, tls=certified.client(), smtp_security=security, **login)
            assert mail(parcel, lambda: None).outcome is NoticeOutcome.SENT
        (arrived,) = safe.arrived
        assert (arrived.over_tls, arrived.user) == (security == "starttls", "wardlist")

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_nothing_is_said_to_a_server_whose_certificate_is_not_trusted(
        self, parcel: Parcel, certified: Certified, security: str, host: str
    ) -> None:
        with collecting(certified.server(), at_once=security == "tls") as safe:
            # Its own name is another one, or nobody known signed for it.
            tls = certified.client() if host == "127.0.0.1" else None
            mail = sending(safe, tls=tls, smtp_security=security, smtp_host=host)
            sent = mail(parcel, lambda: None)
        assert (sent.outcome, sent.failure) == (None, "SSLCertVerificationError")
        assert safe.arrived == []

    def test_a_server_without_tls_gets_nothing(self, parcel: Parcel, mailbox: Mailbox) -> None:
        sent = sending(mailbox, smtp_security="starttls")(parcel, lambda: None)
        assert (sent.outcome, sent.failure, mailbox.arrived) == (None, "not-supported", [])

    def test_a_wrong_password_is_tried_again_later_and_said_as_a_code(
        self, parcel: Parcel, certified: Certified, login: dict[str, Any]
    ) -> None:
        with collecting(certified.server(), ("wardlist", "another")) as safe:
            sent = sending(safe, tls=certified.client(), smtp_security="starttls", **login)(
                parcel, lambda: None
            )
        assert (sent.outcome, sent.failure, safe.arrived) == (None, "5.7.8", [])


def test_a_parcel_never_shows_what_the_entry_hides(parcel: Parcel) -> None:
    shown = repr(parcel)
    assert URL not in shown
    for name in ("url", "statement", "address", "link", "hosting_address"):
        value = dataclasses.asdict(parcel)[name]
        assert value is None or value not in shown


@pytest.mark.parametrize("lacks", ["key", "sender"])
def test_a_service_that_lacks_what_its_mail_needs_does_not_start(tmp_path: Path, lacks: str) -> None:
    service = Service(tmp_path / "home")
    sender = {"mail_from": FROM} if lacks == "key" else {}
    settings = service.settings.model_copy(update={"smtp_host": "127.0.0.1", **sender})
    with pytest.raises(NotInitialised, match="mail key" if lacks == "key" else "WARDLIST_MAIL_FROM"):
        channels.of(settings, service.keyring, service.clock, Outgoing(), lambda _: True, sent_by_nobody)
    service.database.close()


def sent_by_nobody(_parcel: Parcel, _at_risk: Callable[[], None]) -> Sent:
    return Sent(None)
