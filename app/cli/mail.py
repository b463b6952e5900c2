"""The operator's mail: its key, what comes back, and what a notice looks like."""

import sys
from datetime import timedelta
from typing import Annotated

import typer

from app.cli.installation import read_settings, writing
from app.cli.output import AsJson, err, fail, fail_with, show
from app.core.terms import ContactKind, NoticeKind
from app.platform.clock import system_clock
from app.platform.keyring import Keyring, NotInitialised
from app.platform.languages import LANGUAGES
from app.platform.problems import Problem
from app.platform.settings import Settings
from app.takedown.notices import bounces, dkim, wording
from app.takedown.notices import content as notices
from app.takedown.notices.parcels import Parcel

mail = typer.Typer(help="Notices by mail: key, returned mail, sample.", no_args_is_help=True)


@mail.command()
def key(as_json: AsJson = False) -> None:
    """Make the DKIM key, once, and print the TXT record that the domain of WARDLIST_MAIL_FROM publishes."""
    settings = read_settings()
    if not settings.keys.exists():
        fail("run `wardlist init` first", as_json)
    if not settings.mail_from:
        fail("set WARDLIST_MAIL_FROM: the record stands at its domain", as_json)
    name, _, domain = settings.mail_from.rpartition("@")
    if not name or not domain:
        fail("WARDLIST_MAIL_FROM: write a mail address, as notices@wardlist.example", as_json)
    made = dkim.create(settings.keys)
    pem = dkim.load(settings.keys)
    result = {
        "made": made,
        "name": dkim.name(settings.dkim_selector, domain),
        "type": "TXT",
        "value": dkim.record(pem),
    }
    if not as_json:
        err.print(
            f"Publish this record in the DNS of {domain}, then start `wardlist serve` anew.", markup=False
        )
    show(result, as_json, dkim.zone_line(pem, settings.dkim_selector, domain))


@mail.command()
def bounce(
    recipient: Annotated[
        str | None, typer.Option(help="Whom the mail server delivered it to; by default as its headers say.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read one returned mail from standard input; what cannot be delivered goes to the next contact."""
    raw = sys.stdin.buffer.read(bounces.LONGEST_BYTES + 1)
    try:
        returned = bounces.read(raw, Keyring.load(read_settings().keys, ["notice"]).notice, recipient)
    except NotInitialised as missing:
        fail(str(missing), as_json)
    except Problem as refused:
        fail_with(refused, as_json)
    with writing(as_json) as (session, now):
        effect = bounces.record(session, returned, now)
    said = {"bounced": "on record as returned", "nothing": "nothing changed"}
    show({"effect": effect.value}, as_json, said[effect.value])


@mail.command("show")
def sample(
    kind: Annotated[NoticeKind, typer.Option(help="What the notice is for.")] = NoticeKind.NOTICE,
    language: Annotated[str, typer.Option(help=f"One of {', '.join(LANGUAGES)}.")] = "en",
    to: Annotated[ContactKind, typer.Option(help="Who is told.")] = ContactKind.PROVIDER,
    whole: Annotated[bool, typer.Option("--whole", help="The whole mail, before it is signed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a notice on reserved names."""
    if language not in LANGUAGES:
        fail(f"--language: one of {', '.join(LANGUAGES)}", as_json)
    settings = read_settings()
    if settings.mail_from is None:
        settings = settings.model_copy(update={"mail_from": "notices@wardlist.example"})
    parcel = _sample(kind, language, to, settings)
    text = wording.text(parcel, settings)
    letter = notices.letter(parcel, settings).decode()
    result = {"subject": text.subject, "text": text.body, "mail": letter}
    show(result, as_json, letter if whole else f"{text.subject}\n\n{text.body}")


def _sample(kind: NoticeKind, language: str, to: ContactKind, settings: Settings) -> Parcel:
    now = system_clock().replace(microsecond=0)
    is_retraction, is_question = kind is NoticeKind.RETRACTION, kind is NoticeKind.DECONFLICTION
    asks = not is_retraction and not is_question
    first, this = "0" * 32, "1" * 32
    return Parcel(
        id=this if kind in (NoticeKind.REMINDER, NoticeKind.RETRACTION) else first,
        report=first,
        kind=kind,
        attempt=1,
        made_at=now,
        language=language,
        contact_id="2" * 32,
        contact_kind=ContactKind.LAW_ENFORCEMENT if is_question else to,
        contact_name="Example",
        address="abuse@provider.example",
        link=f"{settings.address}/takedown/SAMPLE" if asks else None,
        expires_at=now + timedelta(days=settings.notice_link_days),
        entry_id="3" * 32,
        list="national-url",
        scope="url",
        measures=("takedown", "blocking"),
        legal_ground="lanzarote-20-1-b",
        material="lanzarote-20-2-conduct-real",
        hosting_country="NL",
        jurisdiction="NL",
        assessed_at=now - timedelta(days=1),
        removal_due_at=now + timedelta(days=1) if asks else None,
        url=None if is_retraction else "https://a.example.test/1",
        statement=None if is_retraction else "Assessed on site by two analysts of the hotline.",
        hosting_address=None if is_retraction else "192.0.2.1",
        held_until=now + timedelta(days=2) if is_question else None,
    )
