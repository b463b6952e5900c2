"""Messages between peers and their cards: what is taken, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785

from app.core import age, card, exchange, jose
from app.core.card import Card
from app.core.exchange import Message, Refused
from tests.programs.neighbour import REFERRED

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
OURS, THEIRS = jose.generate(), jose.generate()
IDENTITY, RECIPIENT = age.generate()
ID, OTHER = "a" * 32, "b" * 32


def claims(type: str = "referral", **changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "id": ID,
        "type": type,
        "from": THEIRS["kid"],
        "to": OURS["kid"],
        "at": "2026-03-04T05:06:07Z",
        "referral": ID,
    }
    if type == "referral":
        whole["entry"] = REFERRED
    return whole | changes


def token(content: Any, key: dict[str, str] = THEIRS, typ: str | None = exchange.TYP) -> str:
    payload = content if isinstance(content, bytes) else rfc8785.dumps(content)
    return jose.sign(payload, key, typ)


def read(signed: str, now: datetime = NOW) -> Message:
    exchange.signer(signed)
    return exchange.read(signed, jose.public_part(THEIRS), OURS["kid"], now)


@pytest.mark.parametrize(
    "content",
    [
        claims(),
        claims("acknowledgement", referral=OTHER),
        claims("outcome", referral=OTHER, state="removed"),
        claims("outcome", referral=OTHER, state="refused", reason="rejected_in_review"),
        claims("outcome", referral=OTHER, state="unreachable"),
        claims("retraction", referral=OTHER),
    ],
    ids=lambda content: "-".join(str(content.get(name)) for name in ("type", "state")),
)
def test_every_type_comes_out_as_it_went_in(content: dict[str, Any]) -> None:
    sent = Message.model_validate(content)
    sealed = exchange.seal(sent, THEIRS, RECIPIENT)
    inside = exchange.unseal(sealed, IDENTITY)
    assert exchange.signer(inside) == THEIRS["kid"]
    assert read(inside) == sent
    assert sent.to_bytes() == rfc8785.dumps(content)


def test_the_longest_referral_fits() -> None:
    longest = REFERRED | {
        "url": "https://a.example.test/" + "a" * 2025,
        "statement": "\U0001f600" * 2000,
        "scope_reason": "\n" * 1000 + "\U0001f600" * 1000,
        "hosting_provider": "\U0001f600" * 200,
        "hosting_address": "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    }
    sealed = exchange.seal(Message.model_validate(claims(entry=longest)), THEIRS, RECIPIENT)
    assert len(sealed) < exchange.LARGEST
    assert read(exchange.unseal(sealed, IDENTITY)).entry is not None


def test_no_url_and_no_statement_is_in_what_a_failure_would_print() -> None:
    shown = repr(Message.model_validate(claims()))
    assert "example.test" not in shown
    assert REFERRED["statement"] not in shown


@pytest.mark.parametrize(
    "content",
    [
        claims(entry=None),
        claims("acknowledgement", entry=REFERRED),
        claims(referral=OTHER),
        claims("outcome"),
        claims("outcome", state="acknowledged"),
        claims("outcome", state="refused"),
        claims("outcome", state="removed", reason="other"),
        claims("outcome", state="refused", reason="because"),
        claims("acknowledgement", state="removed"),
        claims(id="A" * 32),
        claims(type="greeting"),
        claims(at="2026-03-04T05:06:07.000Z"),
        claims(at="2026-03-04T06:06:07+01:00"),
        claims(at=1772600767),
        claims(hello=1),
        claims(entry=REFERRED | {"list": "theirs"}),
        claims(entry=REFERRED | {"statement": "short"}),
        claims(entry=REFERRED | {"measures": []}),
        claims(entry=REFERRED | {"legal_ground": "of their own"}),
        claims(entry=REFERRED | {"statement": "Twenty characters \x00 and more."}),
        b"[]",
        b"not JSON",
        b'{"id":"\\ud800"}',
        rfc8785.dumps(claims("retraction")).replace(b'{"at"', b'{"at":"","at"'),
        json.dumps(claims("retraction")).encode(),
    ],
    ids=range(25),
)
def test_what_is_not_in_the_one_form_of_a_message_is_refused(content: Any) -> None:
    with pytest.raises(Refused):
        read(token(content))


def test_a_message_for_somebody_else_is_refused() -> None:
    with pytest.raises(Refused):
        read(token(claims(to=jose.generate()["kid"])))


def test_a_message_in_the_name_of_another_is_refused() -> None:
    with pytest.raises(Refused):
        read(token(claims(**{"from": OURS["kid"]})))
    with pytest.raises(Refused):
        read(token(claims(), key={**OURS, "kid": THEIRS["kid"]}))


@pytest.mark.parametrize("typ", [None, "JWT", "wardlist-exchange"])
def test_a_signature_made_for_something_else_is_refused(typ: str | None) -> None:
    with pytest.raises(Refused):
        read(token(claims(), typ=typ))


def test_time_bounds() -> None:
    for early in (timedelta(), exchange.SKEW):
        assert read(token(claims()), NOW - early)
    assert read(token(claims()), NOW + exchange.OLDEST)
    with pytest.raises(Refused):
        read(token(claims()), NOW + exchange.OLDEST + timedelta(seconds=1))
    with pytest.raises(Refused):
        read(token(claims()), NOW - exchange.SKEW - timedelta(seconds=1))


def test_what_is_tampered_with_is_refused() -> None:
    sealed = exchange.seal(Message.model_validate(claims()), THEIRS, RECIPIENT)
    for at in range(0, len(sealed), 97):
        with pytest.raises(Refused):
            exchange.unseal(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], IDENTITY)
    head, payload, signature = token(claims()).split(".")
    for changed in (
        f"{head}.{payload}.{signature[:-4]}AAAA",
        f"{head}.{payload[:-4]}AAAA.{signature}",
        "a.b",
    ):
        with pytest.raises(Refused):
            read(changed)


def test_what_is_too_large_is_not_opened() -> None:
    with pytest.raises(Refused, match="large"):
        exchange.unseal(b"\0" * (exchange.LARGEST + 1), IDENTITY)


def test_a_card_comes_back_whole_and_holds_no_private_half() -> None:
    made = Card.made("Country B", "DE", "https://b.example", OURS, RECIPIENT)
    data = made.to_bytes(OURS)
    assert Card.read(data) == made
    assert OURS["d"] not in data.decode()
    assert len(made.fingerprint.replace(" ", "")) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"address": "https://other.example"},
        {"recipient": age.generate()[1]},
        {"jwk": jose.public_part(THEIRS)},
        {"proof": "a.b.c"},
        {"proof": None},
        {"more": 1},
        {"country": "Germany"},
        {"address": "https://b.example/"},
        {"recipient": "age1"},
    ],
    ids=lambda change: next(iter(change)) + str(next(iter(change.values())) is None),
)
def test_a_card_that_was_changed_on_the_way_is_refused(change: dict[str, Any]) -> None:
    whole = json.loads(Card.made("B", "DE", "https://b.example", OURS, RECIPIENT).to_bytes(OURS))
    with pytest.raises(card.Invalid):
        Card.read(json.dumps(whole | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"x" * (card.LARGEST + 1), b'{"format":' * 9000])
def test_what_is_no_card_is_refused(data: bytes) -> None:
    with pytest.raises(card.Invalid):
        Card.read(data)
