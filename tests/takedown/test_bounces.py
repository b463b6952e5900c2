"""Mail that comes back: it is believed by its address, and the next contact is told."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.core.terms import NoticeKind
from app.platform.problems import Problem
from app.takedown.notices import bounces
from app.takedown.notices.bounces import Effect
from tests.programs.mailbox import Mailbox, collecting
from tests.programs.service import replay
from tests.takedown import told
from tests.takedown.notified import DESK, Desk, by_mail, desk

SECOND = "second@partner.example"
FAILED = "Final-Recipient: rfc822; desk@partner.example\nAction: failed\nStatus: 5.1.1\n"
DELAYED = FAILED.replace("failed", "delayed").replace("5.1.1", "4.4.1")


def returned(to: str, recipients: str = FAILED, header: str = "To") -> bytes:
    """A delivery status notification, as a mail server writes it."""
    lines = f"""\
From: MAILER-DAEMON@relay.test
{header}: {to}
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.test

{recipients}
--b
Content-Type: message/rfc822

Message-ID: <x@wardlist.example>

--b--
"""
    return lines.replace("\n", "\r\n").encode()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with collecting() as up:
        yield up


@pytest.fixture
def office(tmp_path: Path, mailbox: Mailbox) -> Iterator[Desk]:
    """Two partners, the second to be told after the first."""
    with desk(tmp_path / "home", **by_mail(mailbox)) as up:
        up.contact()
        up.contact(SECOND, name="Second", rank=1)
        yield up
        assert replay(up.service)


def fed(office: Desk, raw: bytes, *words: str, code: int = 0) -> Result:
    """What `wardlist mail bounce` says to a mail on its standard input."""
    bounce = ["mail", "bounce", *words]
    done = CliRunner().invoke(app, bounce, input=raw, env=office.service.environment)
    assert done.exit_code == code, done.output
    # The command has the machine's time, and the desk's stands still.
    office.service.clock.ahead += timedelta(minutes=1)
    return done


def test_a_bounce_goes_on_to_the_next_contact(office: Desk, mailbox: Mailbox) -> None:
    entry = office.told()
    (first,) = mailbox.arrived
    assert re.fullmatch(r"bounce\+[0-9a-f]{32}\.[0-9a-f]{16}@wardlist\.example", first.sender)
    assert "on record as returned" in fed(office, returned(first.sender)).stdout
    (notice,) = office.notices(entry)
    assert (notice.outcome, notice.failure) == ("bounced", "5.1.1")
    office.service.publish()
    office.send()
    assert [one.recipients for one in mailbox.arrived] == [[DESK], [SECOND]]
    assert office.outcomes(entry) == [("notice", "bounced"), ("notice", "sent")]


def test_the_same_bounce_again_changes_nothing(office: Desk, mailbox: Mailbox) -> None:
    office.told()
    raw = returned(mailbox.arrived[0].sender)
    fed(office, raw)
    office.service.publish()
    office.send()
    before = office.service.state()
    assert '"effect": "nothing"' in fed(office, raw, "--json").stdout
    assert office.service.state() == before


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered", "expanded"])
def test_what_is_no_failure_changes_nothing(action: str, office: Desk, mailbox: Mailbox) -> None:
    office.told()
    before = office.service.state()
    raw = returned(mailbox.arrived[0].sender, DELAYED.replace("delayed", action))
    assert "nothing changed" in fed(office, raw).stdout
    assert office.service.state() == before


def test_of_the_returned_mail_the_status_code_alone_is_kept(office: Desk, mailbox: Mailbox) -> None:
    entry = office.told()
    status = "Status: 4.4.7 (desk@partner.example is unreachable)"
    extra = "Diagnostic-Code: smtp; 550 desk@partner.example unknown\n"
    recipients = f"{DELAYED}\n{FAILED.replace('Status: 5.1.1', status)}{extra}"
    said = fed(office, returned(mailbox.arrived[0].sender, recipients))
    assert office.notices(entry)[0].failure == "4.4.7"
    assert "partner.example" not in said.output


@pytest.mark.parametrize(
    "status", ["", "Status: 9.1.1\n", "Status: 5.1.1.1\n", "Status: desk@partner.example\n"]
)
def test_a_failure_without_a_status_code_is_undefined(status: str, office: Desk, mailbox: Mailbox) -> None:
    entry = office.told()
    fed(office, returned(mailbox.arrived[0].sender, FAILED.replace("Status: 5.1.1\n", status)))
    assert office.notices(entry)[0].failure == "5.0.0"


@pytest.mark.parametrize(
    "forge",
    [
        lambda to: to.replace("bounce+", "bounce-"),
        lambda to: re.sub(r"\.[0-9a-f]{16}@", ".0123456789abcdef@", to),
        lambda to: re.sub(r"\.[0-9a-f]{16}@", "@", to),
        lambda to: re.sub(r"\+[0-9a-f]{32}", "+" + "0" * 32, to),
        lambda to: bounces.sender(b"another key", to[7:39], to),
        lambda to: "notices@wardlist.example",
    ],
)
def test_a_bounce_that_nobody_could_send_but_a_forger_is_refused(
    forge: Callable[[str], str], office: Desk, mailbox: Mailbox
) -> None:
    office.told()
    before = office.service.state()
    to = mailbox.arrived[0].sender
    done = fed(office, returned(forge(to)), code=1)
    assert "not sent back to an address of this installation" in " ".join(done.stderr.split())
    inside = returned("notices@wardlist.example").replace(b"It could", f"To: {to}\r\nIt could".encode())
    fed(office, inside, code=1)
    assert office.service.state() == before


@pytest.mark.parametrize("header", ["Delivered-To", "X-Original-To", "to"])
def test_the_address_is_found_where_mail_servers_write_it(
    header: str, office: Desk, mailbox: Mailbox
) -> None:
    office.told()
    to = f"<{mailbox.arrived[0].sender.upper()}>"
    assert "returned" in fed(office, returned(to, header=header)).stdout


def test_the_address_may_be_given_beside_the_mail(office: Desk, mailbox: Mailbox) -> None:
    office.told()
    raw = returned("undisclosed-recipients:;")
    fed(office, raw, code=1)
    assert "returned" in fed(office, raw, "--recipient", mailbox.arrived[0].sender).stdout


def test_an_automatic_reply_is_no_bounce(office: Desk, mailbox: Mailbox) -> None:
    office.told()
    to = mailbox.arrived[0].sender
    reply = f"To: {to}\r\nSubject: Out of office\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n".encode()
    carried = b"Content-Type: multipart/mixed; boundary=x\r\nTo: " + to.encode() + b"\r\n\r\n--x\r\n"
    carried += b"Content-Type: message/rfc822\r\n\r\n" + returned(to) + b"\r\n--x--\r\n"
    for raw in (reply, carried):
        done = fed(office, raw, code=1)
        assert "no delivery status notification" in " ".join(done.stderr.split())


def test_a_bounce_that_comes_before_the_answer_of_the_server_counts(office: Desk, mailbox: Mailbox) -> None:
    effects: list[Effect] = []

    def bounce_at_once(command: str) -> None:
        if command == "DATA" and not effects:
            service, raw = office.service, returned(mailbox.arrived[-1].sender)
            said = bounces.read(raw, service.keyring.notice)
            with service.database.writing() as session:
                effects.append(bounces.record(session, said, service.clock()))

    mailbox.before = bounce_at_once
    entry = office.told()
    assert effects == [Effect.BOUNCED]
    office.service.publish()
    office.send()
    assert office.outcomes(entry) == [("notice", "bounced"), ("notice", "sent")]
    assert [one.recipients for one in mailbox.arrived] == [[DESK], [SECOND]]


def test_whoever_answered_has_the_notice_whatever_comes_back(office: Desk, mailbox: Mailbox) -> None:
    entry = office.told()
    text = mailbox.arrived[0].message.get_body(("plain",))
    assert text is not None
    found = re.search(r"/takedown/(\S+)", text.get_content())
    assert found
    assert told.answer(office.service, found[1], "acknowledged").is_success
    assert "nothing changed" in fed(office, returned(mailbox.arrived[0].sender)).stdout
    assert office.outcomes(entry) == [("notice", "sent")]


def test_a_retraction_that_comes_back_tells_nobody_else(office: Desk, mailbox: Mailbox) -> None:
    entry = office.told()
    office.hotline.request("POST", f"/v1/entries/{entry}/withdrawal", json={})
    office.service.publish()
    office.send()
    fed(office, returned(mailbox.arrived[1].sender))
    office.service.publish()
    office.send()
    assert office.outcomes(entry) == [("notice", "sent"), (NoticeKind.RETRACTION.value, "bounced")]


def test_a_mail_too_large_or_of_a_notice_no_longer_kept_is_refused(office: Desk) -> None:
    assert "larger" in fed(office, b"x" * (bounces.LONGEST_BYTES + 1), code=1).stderr
    to = bounces.sender(office.service.keyring.notice, "0" * 32, "notices@wardlist.example")
    assert "nothing here" in " ".join(fed(office, returned(to), code=1).stderr.split())


def test_a_mail_of_parts_within_parts_is_not_unpacked(office: Desk, mailbox: Mailbox) -> None:
    office.told()
    parts = (f"Content-Type: multipart/report; boundary=b{at}\r\n\r\n--b{at}\r\n" for at in range(100_000))
    deep = f"To: {mailbox.arrived[0].sender}\r\n{''.join(parts)}".encode()
    assert len(deep) < bounces.LONGEST_BYTES
    assert "no delivery status notification" in " ".join(fed(office, deep, code=1).stderr.split())


KEY = b"key"
WHOLE = returned(bounces.sender(KEY, "a" * 32, "notices@wardlist.example"))


@given(
    cuts=st.lists(st.tuples(st.integers(0, len(WHOLE)), st.binary(max_size=4)), max_size=12),
    recipient=st.one_of(st.none(), st.text(max_size=80)),
)
def test_no_damage_to_a_mail_does_more_than_have_it_refused(
    cuts: list[tuple[int, bytes]], recipient: str | None
) -> None:
    raw = WHOLE
    for at, other in cuts:
        raw = raw[:at] + other + raw[at + len(other) :]
    with suppress(Problem):
        assert bounces.read(raw, KEY, recipient).notice_id == "a" * 32


@given(raw=st.binary(max_size=300))
def test_no_other_bytes_are_believed(raw: bytes) -> None:
    with pytest.raises(Problem):
        bounces.read(raw, KEY)
