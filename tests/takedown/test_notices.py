"""What a notice says: X-ARF for programs, plain words for people, and headers that show nothing."""

import base64
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.legal import Ground, Material
from app.core.terms import ContactKind, EntryScope, NoticeKind
from app.platform.languages import LANGUAGES
from app.platform.settings import Settings
from app.takedown.notices import bounces, wording, xarf
from app.takedown.notices import content as notices
from tests.cli.terminal import Terminal
from tests.programs.service import Service
from tests.takedown.sample import (
    ENTRY,
    FIRST,
    LATER,
    LINK,
    MADE_AT,
    SETTINGS,
    STATEMENT,
    URL,
    fields_of,
    json_of,
    letter,
    parcel,
    text_of,
)

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "xarf_csam.schema.json").read_text())
XARF = jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True)
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
ANSWERING = ["In-Reply-To", "References"]


def test_a_notice_is_an_x_arf_mail() -> None:
    mail = letter(parcel())
    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "feedback-report"
    kinds = [part.get_content_type() for part in mail.iter_parts()]
    assert kinds == ["text/plain", "message/feedback-report", "application/json"]
    assert [part.get_filename() for part in mail.iter_parts()] == [None, None, "xarf.json"]
    assert fields_of(mail) == [
        ("Feedback-Type", "xarf"),
        ("User-Agent", "wardlist/0.1.0"),
        ("Version", "1"),
        ("Incidents", "1"),
        ("Source-IP", "192.0.2.7"),
        ("Reported-Domain", "a.example.test"),
        ("Reported-URI", URL),
    ]


def test_its_report_holds_to_the_schema_and_says_what_was_assessed() -> None:
    report = json_of(letter(parcel(hosting_provider="Example Hosting")))
    XARF.validate(report)
    assert (report["category"], report["type"], report["url"]) == ("content", "csam", URL)
    assert report["source_identifier"] == "192.0.2.7"
    assert report["timestamp"] == report["verified_at"] == "2025-12-31T23:00:00Z"
    assert report["reporter"]["contact"] == "notices@wardlist.example"
    assert base64.b64decode(report["evidence"][0]["payload"]).decode() == STATEMENT
    assert "ground:lanzarote-20-1-b" in report["tags"]


def test_the_schema_finds_what_is_missing_or_misspelt() -> None:
    report = xarf.report(parcel(), SETTINGS)
    for missing in SCHEMA["required"]:
        assert not XARF.is_valid({name: value for name, value in report.items() if name != missing})
    assert not XARF.is_valid({**report, "clasification": "A1"})
    assert not XARF.is_valid({**report, "report_id": FIRST + "0"})


def test_a_report_without_ip_address_or_mail_address_of_the_installation_is_whole() -> None:
    report = xarf.report(parcel(hosting_address=None), Settings(issuer="https://wardlist.example"))
    XARF.validate(report)
    assert report["source_identifier"] == "a.example.test"
    assert report["sender"]["contact"] == "postmaster@wardlist.example"


def test_headers_say_which_notice_it_is_and_nothing_of_the_address() -> None:
    mail = letter(parcel())
    assert list(mail.keys()) == HEADERS
    assert mail["Message-ID"] == f"<{FIRST}@wardlist.example>"
    assert mail["To"] == "abuse@provider.test"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert datetime.strptime(mail["Date"], "%a, %d %b %Y %H:%M:%S %z") == MADE_AT
    assert ENTRY in mail["Subject"]
    assert not any("example.test" in str(value) for value in mail.values())


def test_the_whole_address_stands_where_programs_read_it_and_nowhere_else() -> None:
    mail = letter(parcel())
    text = text_of(mail)
    assert "://a." not in text
    assert "a.example.test" not in text
    assert "hxxps[:]//a[.]example[.]test/1?u=hxxp[:]//b[.]example[.]test/2" in text
    assert [line for line in text.splitlines() if "://" in line] == [
        f"   {LINK}",
        'The list "national-url" at https://wardlist.example. A hotline submitted the',
    ]
    assert json.dumps(json_of(mail)).count(URL) == 1


def test_an_address_too_long_for_a_line_stands_in_the_json_alone() -> None:
    url = "https://a.example.test/" + "x" * 2000
    mail = letter(parcel(url=url))
    assert "Reported-URI" not in dict(fields_of(mail))
    assert json_of(mail)["url"] == url


def test_the_text_says_what_is_asked_by_when_why_and_by_whom() -> None:
    text = " ".join(text_of(letter(parcel(scope="host", scope_reason="Every page has it."))).split())
    for said in (
        "by 3 January 2026, 03:04 UTC",
        "evidence for the police",
        "not to forward",
        "16 January 2026, 03:04 UTC",
        LINK,
        "Article 20(1)(b)",
        "Article 9(1)(b)",
        "every address of this host",
        "> Every page has it.",
        "> Assessed on site by two analysts.",
        "independent",
        f"Reference: {ENTRY}",
    ):
        assert said in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", NoticeKind)
def test_each_kind_is_written_in_each_language(kind: NoticeKind, language: str) -> None:
    text = wording.text(parcel(kind, language=language), SETTINGS)
    assert ENTRY in text.subject
    assert ENTRY in text.body
    assert "{" not in text.subject + text.body
    assert "\n\n\n" not in text.body
    english = wording.text(parcel(kind), SETTINGS)
    assert (text == english) == (language == "en")
    assert (LINK in text.body) == (kind in (NoticeKind.NOTICE, NoticeKind.REMINDER))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_ground_material_scope_and_contact_has_its_words(language: str) -> None:
    first = text_of(letter(parcel(language=language)))
    changes: tuple[dict[str, Any], ...] = (
        *({"legal_ground": one.value} for one in list(Ground) if one is not Ground.OFFERING),
        *({"material": one.value} for one in list(Material) if one is not Material.CONDUCT_REAL),
        *({"scope": one.value} for one in list(EntryScope) if one is not EntryScope.URL),
        {"contact_kind": ContactKind.PARTNER_HOTLINE},
        {"contact_kind": ContactKind.NETWORK},
        {"removal_due_at": None},
        {"measures": ("takedown",)},
        {"jurisdiction": None},
        {"hosting_address": None},
    )
    for change in changes:
        assert text_of(letter(parcel(language=language, **change))) != first


@pytest.mark.parametrize(("asked", "spoken"), [("de-AT", "de"), ("FR", "fr"), ("nl", "en"), ("", "en")])
def test_who_speaks_another_language_is_written_to_in_english(asked: str, spoken: str) -> None:
    mail = letter(parcel(language=asked))
    assert text_of(mail) == text_of(letter(parcel(language=spoken)))
    assert next(mail.iter_parts())["Content-Language"] == spoken


def test_a_reminder_says_so_and_is_the_same_report_again() -> None:
    mail, first = letter(parcel(NoticeKind.REMINDER)), letter(parcel())
    assert list(mail.keys()) == [*HEADERS[:5], *ANSWERING, *HEADERS[5:]]
    assert mail["Message-ID"] == f"<{LATER}@wardlist.example>"
    assert mail["In-Reply-To"] == mail["References"] == first["Message-ID"]
    assert "Reminder" in mail["Subject"]
    assert "reminder of our earlier notice" in text_of(mail)
    assert json_of(mail)["report_id"] == json_of(first)["report_id"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_retraction_holds_nothing_of_the_address(language: str) -> None:
    made = parcel(NoticeKind.RETRACTION, language=language)
    mail = letter(made)
    assert mail.get_content_type() == "multipart/mixed"
    assert mail["In-Reply-To"] == f"<{FIRST}@wardlist.example>"
    document = json_of(mail)
    assert document["type"] == "takedown.retraction"
    assert document["data"]["xarf"] is document["data"]["answer_at"] is None
    assert "hxxp" not in text_of(mail)
    assert "example.test" not in text_of(mail) + json.dumps(document) + str(mail.items())


def test_law_enforcement_is_asked_and_told_until_when_nobody_else_is() -> None:
    mail = letter(parcel(NoticeKind.DECONFLICTION, contact_kind=ContactKind.LAW_ENFORCEMENT))
    assert mail.get_content_type() == "multipart/mixed"
    text = " ".join(text_of(mail).split())
    assert "whether its removal would disturb an inquiry" in text
    assert "Nobody is told before 4 January 2026, 03:04 UTC." in text
    assert "This is not a request to remove anything." in text
    document = json_of(mail)
    assert (document["type"], document["data"]["answer_at"]) == ("takedown.deconfliction", None)
    XARF.validate(document["data"]["xarf"])


def test_a_webhook_is_sent_the_report_and_where_to_answer() -> None:
    document = json.loads(notices.body(parcel(), SETTINGS))
    assert (document["type"], document["timestamp"]) == ("takedown.notice", "2026-01-02T03:04:05Z")
    data = document["data"]
    assert (data["notice"], data["report"], data["entry"]) == (FIRST, FIRST, ENTRY)
    assert (data["answer_at"], data["answer_until"]) == (LINK, "2026-01-16T03:04:05Z")
    assert data["removal_due_at"] == "2026-01-03T03:04:05Z"
    XARF.validate(data["xarf"])


@pytest.mark.parametrize("kind", NoticeKind)
def test_two_tries_say_the_same(kind: NoticeKind) -> None:
    first, second = parcel(kind), replace(parcel(kind), attempt=7)
    assert notices.letter(first, SETTINGS) == notices.letter(second, SETTINGS)
    assert notices.body(first, SETTINGS) == notices.body(second, SETTINGS)


NO_MAIL_ADDRESS = ["", "a", "a@", "@b.test", "a b@c.test", "é@b.test", "<a@b.test>", "a@b.test, c@d.test"]


@pytest.mark.parametrize("address", [*NO_MAIL_ADDRESS, "a@b.test\r\nBcc: c@d.test", "a@b.test\nX: y"])
def test_what_is_no_mail_address_gets_no_mail_and_shows_in_no_failure(address: str) -> None:
    with pytest.raises(notices.Unwritable) as refused:
        notices.letter(parcel(address=address), SETTINGS)
    assert str(refused.value) == "not a mail address"
    with pytest.raises(notices.Unwritable, match="WARDLIST_MAIL_FROM"):
        notices.letter(parcel(), Settings(issuer="https://wardlist.example"))


HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from('\r\n\x00\x0b\u2028\u202e:<>@."=-')), max_size=400
)


@given(name=HOSTILE, statement=HOSTILE, reason=HOSTILE, kind=st.sampled_from(NoticeKind))
def test_what_others_wrote_stays_where_it_belongs(
    name: str, statement: str, reason: str, kind: NoticeKind
) -> None:
    statement, reason, name = (one.encode(errors="replace").decode() for one in (statement, reason, name))
    plain = letter(parcel(kind, statement="", scope_reason=""))
    mail = letter(parcel(kind, contact_name=name, statement=statement, scope_reason=reason))
    assert mail.items() == plain.items()
    assert len(list(mail.iter_parts())) == len(list(plain.iter_parts()))
    if kind in (NoticeKind.NOTICE, NoticeKind.REMINDER):
        assert fields_of(mail) == fields_of(plain)
    ours = [line for line in text_of(mail).split("\n") if not line.startswith(">")]
    expected = [line for line in text_of(plain).split("\n") if not line.startswith(">")]
    start = next(at for at, line in enumerate(ours) if line.startswith("Dear"))
    assert set(ours[start:]) <= {*expected, "Why it covers so much:"}
    assert not set("\x00\x0b\x0c\x1b\u202e\u2066\u2028") & set(text_of(mail))


@given(line=st.text(max_size=3000))
def test_very_long_lines_are_folded_and_read_whole(line: str) -> None:
    statement = line.encode(errors="replace").decode()
    report = json_of(letter(parcel(statement=f"{statement} " * 5)))
    assert base64.b64decode(report["evidence"][0]["payload"]).decode() == f"{statement} " * 5


def test_a_sample_is_shown_on_reserved_names(service: Service, tmp_path: Path) -> None:
    terminal = Terminal(service, tmp_path)
    said, _ = terminal.run("mail", "show", "--kind", "reminder", "--language", "de")
    assert said.startswith("Erinnerung: ")
    whole = terminal.json("mail", "show", "--whole")
    assert "multipart/report" in whole["mail"]
    assert "xarf.json" in whole["mail"]
    assert "https://a.example.test/1" not in whole["text"]
    for kind in NoticeKind:
        assert terminal.json("mail", "show", "--kind", kind.value)["subject"]
    _, failure = terminal.run("mail", "show", "--language", "nl", code=1)
    assert "en, fr, de" in failure


def test_an_envelope_sender_fits_into_a_mail_address() -> None:
    sender = bounces.sender(b"key", FIRST, "notices@wardlist.example")
    local, _, domain = sender.partition("@")
    assert domain == "wardlist.example"
    assert len(local) <= 64
    assert sender == bounces.sender(b"key", FIRST, "other@wardlist.example")
    assert sender != bounces.sender(b"another key", FIRST, "notices@wardlist.example")
