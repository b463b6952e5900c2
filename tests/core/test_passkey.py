"""A passkey's signature over a statement: one form, nothing free in it, and no other key, site or act."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core import jose, passkey, signature
from app.core.jose import Invalid
from tests.core.passkeys import ORIGIN, SITE, STATEMENT, public_jwk, signed, signed_words, with_header
from tests.programs.webclient import PRESENT, VERIFIED, Passkey

SIGNER = Passkey(ORIGIN, SITE)
JWK = public_jwk(SIGNER)
TOKEN = signed(SIGNER)
CHALLENGE = jose.encode(passkey.challenge(STATEMENT))
PLAIN = f'{{"type":"webauthn.get","challenge":"{CHALLENGE}","origin":"{ORIGIN}","crossOrigin":false}}'
REMINDER = (
    "do not compare clientDataJSON against a template. See https://goo.gl/yabPex"  # the browsers' own words
)


def test_the_statement_comes_back() -> None:
    assert passkey.verify(TOKEN, JWK) == STATEMENT
    assert signature.kid(TOKEN) == JWK["kid"]
    assert passkey.verify(signed_words(SIGNER, PLAIN.encode()), JWK) == STATEMENT


def test_browsers_reminder_against_templates_is_no_fault() -> None:
    said = signed(SIGNER, other_keys_can_be_added_here=REMINDER)
    assert passkey.verify(said, JWK) == STATEMENT
    with pytest.raises(Invalid):
        passkey.verify(signed(SIGNER, other_keys_can_be_added_here="something else"), JWK)


def test_any_bit_flipped_makes_it_invalid() -> None:
    parts = [jose.decode(part) for part in TOKEN.split(".")]
    for which, part in enumerate(parts):
        for at in range(8 * len(part)):
            flipped = bytearray(part)
            flipped[at // 8] ^= 1 << at % 8
            changed = [*parts[:which], bytes(flipped), *parts[which + 1 :]]
            with pytest.raises(Invalid):
                signature.verify(".".join(map(jose.encode, changed)), JWK)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
@example(0, "\ud800")
@example(0, "\0")
def test_any_character_replaced_makes_it_invalid(position: int, character: str) -> None:
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    if changed != TOKEN:
        with pytest.raises(Invalid):
            signature.verify(changed, JWK)


@pytest.mark.parametrize(
    "words",
    [
        PLAIN.replace(",", ", "),
        PLAIN + "\n",
        PLAIN.replace('"type"', ' "type"'),
        PLAIN[:-1] + f',"origin":"{ORIGIN}"}}',
        PLAIN[:-1] + ',"crossOrigin":false}',
        PLAIN.replace("webauthn.get", "webauthn.create"),
        PLAIN.replace("webauthn.get", "webauthn\\u002eget"),
        PLAIN.replace("false", "true"),
        PLAIN.replace("false", "0"),
        PLAIN.replace("false", "null"),
        PLAIN.replace("false", 'false,"topOrigin":"https://elsewhere.example"'),
        PLAIN[:-1] + ',"note":"a word"}',
        PLAIN.replace(f'"{CHALLENGE}"', f'["{CHALLENGE}"]'),
        PLAIN.replace(CHALLENGE, CHALLENGE + "="),
        PLAIN.replace(CHALLENGE, "é"),
        PLAIN.replace(CHALLENGE, "\\ud800"),
        PLAIN.replace(f'"origin":"{ORIGIN}",', ""),
        PLAIN.replace('"type":"webauthn.get",', ""),
        f"[{PLAIN}]",
        "null",
        "",
        "\ufeff" + PLAIN,
        '{"type":' + "[" * 900 + "]" * 900 + "}",
        '{"type":' + "[" * 5000 + "]" * 5000 + "}",
        '{"type":1e999}',
        '{"type":NaN}',
    ],
    ids=str.__len__,
)
def test_what_the_browser_says_has_one_form(words: str) -> None:
    with pytest.raises(Invalid):
        passkey.verify(signed_words(SIGNER, words.encode()), JWK)


def test_words_that_are_no_text_are_refused() -> None:
    for words in (b"\xff", PLAIN.encode("utf-16"), PLAIN.encode().replace(b"console", b"\xff")):
        with pytest.raises(Invalid):
            passkey.verify(signed_words(SIGNER, words), JWK)


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": "A" * 43},
        {"kid": "\ud800"},
        {"kid": 1},
        {"alg": "none"},
        {"alg": "HS256"},
        {"typ": "JWT"},
        {"typ": "wardlist-passkey "},
        {"crit": ["exp"]},
        {"note": "a word"},
        {"jwk": {}},
        {"client_data": "é"},
        {"authenticator_data": "A"},
        {"authenticator_data": ""},
    ],
    ids=str,
)
def test_the_header_says_no_more_than_it_must(changes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        passkey.verify(with_header(TOKEN, **changes), JWK)


@pytest.mark.parametrize("how", ["padded", "spaced", "extra", "reordered", "indented", "another alphabet"])
def test_the_token_has_one_form(how: str) -> None:
    header, payload, mark = TOKEN.split(".")
    members = json.loads(jose.decode(header))
    again = {
        "reordered": json.dumps(dict(reversed(members.items())), separators=(",", ":")),
        "indented": json.dumps(members, sort_keys=True, indent=1),
    }
    token = {
        "padded": f"{header}.{payload}=.{mark}",
        "spaced": f"{header}.{payload}.{mark}\n",
        "extra": f"{TOKEN}.{mark}",
        "another alphabet": f"{header}.{payload}.+{mark[1:]}",
        **{name: f"{jose.encode(text.encode())}.{payload}.{mark}" for name, text in again.items()},
    }[how]
    with pytest.raises(Invalid):
        passkey.verify(token, JWK)


@pytest.mark.parametrize(
    "origin",
    [
        "http://console.example",
        "https://elsewhere.example",
        "https://console.example.elsewhere.example",
        "https://notconsole.example",
        "https://console.example@elsewhere.example",
        "https://console.example/path",
        "https://console.example:https",
        "https://CONSOLE.example",
        "android:apk-key-hash:abc",
        "null",
        "",
    ],
)
def test_signed_on_another_site_is_refused(origin: str) -> None:
    with pytest.raises(Invalid, match="another site"):
        passkey.verify(signed(Passkey(origin, SITE, private=SIGNER.private)), JWK)


def test_a_name_below_the_site_and_another_port_are_of_it() -> None:
    for origin in ("https://work.console.example", "https://console.example:8443"):
        assert passkey.verify(signed(Passkey(origin, SITE, private=SIGNER.private)), JWK) == STATEMENT
    here = Passkey("http://localhost:8080", "localhost")
    assert passkey.verify(signed(here), public_jwk(here)) == STATEMENT


def test_signed_for_another_relying_party_is_refused() -> None:
    with pytest.raises(Invalid, match="another site"):
        passkey.verify(signed(Passkey(ORIGIN, "example", private=SIGNER.private)), JWK)


@pytest.mark.parametrize(
    "flags", [0, PRESENT, VERIFIED, 0x40 | PRESENT | VERIFIED, 0x80 | PRESENT | VERIFIED]
)
def test_without_its_user_or_with_extensions_it_is_refused(flags: int) -> None:
    with pytest.raises(Invalid):
        passkey.verify(signed(Passkey(ORIGIN, SITE, flags=flags, private=SIGNER.private)), JWK)


@pytest.mark.parametrize("more", [b"\0", b"\xa0", b"some words"])
def test_nothing_stands_behind_the_counter(more: bytes) -> None:
    with pytest.raises(Invalid, match="extensions"):
        passkey.verify(signed(Passkey(ORIGIN, SITE, more=more, private=SIGNER.private)), JWK)


def test_another_keys_or_another_statements_signature_is_refused() -> None:
    other = Passkey(ORIGIN, SITE)
    with pytest.raises(Invalid):
        passkey.verify(signed(other), JWK)
    with pytest.raises(Invalid):
        passkey.verify(with_header(signed(other), kid=JWK["kid"]), JWK)
    header, _, mark = TOKEN.split(".")
    with pytest.raises(Invalid, match="another statement"):
        passkey.verify(f"{header}.{jose.encode(STATEMENT + b' ')}.{mark}", JWK)


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"nonsense", bytes(64)])
def test_no_token_is_made_of_what_is_no_signature(der: bytes) -> None:
    with pytest.raises(Invalid):
        passkey.token(
            STATEMENT, kid=JWK["kid"], authenticator_data=bytes(37), client_data=b"{}", signature=der
        )


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=70))
def test_noise_is_refused_and_nothing_worse(header: bytes, payload: bytes, mark: bytes) -> None:
    for token in (
        ".".join(map(jose.encode, (header, payload, mark))),
        f"{TOKEN.split('.')[0]}.{jose.encode(payload)}.{jose.encode(mark)}",
        payload.decode("latin-1"),
    ):
        with pytest.raises(Invalid):
            passkey.verify(token, JWK)
