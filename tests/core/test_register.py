"""The register's own rules: how many must sign, what they sign, and what a certificate is worth."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Targets

from app.core import jose, register
from app.core.register import Authority, Body, Invalid, Register

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SINCE = "2026-01-01T00:00:00Z"


def pem() -> tuple[bytes, str, str]:
    private = Ed25519PrivateKey.generate()
    public = CryptoSigner(private).public_key
    encoded = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded, public.keyid, public.keyval["public"]


KEYS = [pem() for _ in range(3)]
AUTHORITY = Authority({keyid: public for _, keyid, public in KEYS}, 2)
OWNER, REVIEWER = jose.generate(), jose.generate()
BODY = Body("body-1", jose.public_part(OWNER), ("national-url",), SINCE, "2027-01-01T00:00:00Z")


def signed(count: int = 2, version: int = 1) -> dict[str, Any]:
    proposal = register.propose([BODY], version, NOW)
    for key, _, _ in KEYS[:count]:
        proposal = register.sign(proposal, key)
    return proposal


def test_two_of_three_are_enough() -> None:
    assert register.read(signed(), AUTHORITY, 0) == Register(1, {"body-1": BODY})
    assert register.read(signed(3), AUTHORITY, 0).version == 1


def test_a_tuf_client_accepts_the_same_signatures() -> None:
    metadata = Metadata[Targets].from_dict(copy.deepcopy(signed()["metadata"]))
    assert set(metadata.signatures) == {keyid for _, keyid, _ in KEYS[:2]}
    assert metadata.signed.targets["register.json"].length > 0


def test_one_signature_twice_counts_once() -> None:
    proposal = register.sign(signed(1), KEYS[0][0])
    proposal["metadata"]["signatures"] *= 2
    with pytest.raises(Invalid, match="2 offline keys must sign the register, 1 did"):
        register.read(proposal, AUTHORITY, 0)


CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda one: one["register"]["bodies"].append(copy.deepcopy(one["register"]["bodies"][0])),
    lambda one: one["register"]["bodies"][0].update(lists=["*"]),
    lambda one: one["register"].update(version=2),
    lambda one: one["metadata"]["signed"].update(version=2),
    lambda one: one["metadata"]["signed"].update(expires="2036-01-01T00:00:00Z"),
    lambda one: one["metadata"]["signatures"].pop(),
    lambda one: one["metadata"]["signatures"][0].update(sig="00" * 64),
    lambda one: one["metadata"].pop("signed"),
    lambda one: one.pop("register"),
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_any_change_is_noticed(change: Callable[[dict[str, Any]], Any]) -> None:
    proposal = copy.deepcopy(signed())
    change(proposal)
    with pytest.raises(Invalid):
        register.read(proposal, AUTHORITY, 0)


def test_versions_follow_each_other() -> None:
    for last in (1, 5):
        with pytest.raises(Invalid, match="comes next"):
            register.read(signed(), AUTHORITY, last)
    assert register.read(signed(version=6), AUTHORITY, 5).version == 6


def test_foreign_keys_do_not_count() -> None:
    proposal = signed(1)
    proposal = register.sign(proposal, pem()[0])
    with pytest.raises(Invalid, match="1 did"):
        register.read(proposal, AUTHORITY, 0)


def certificate(**changes: Any) -> str:
    said = {"organisation": "body-1", "client": "c", "jwk": REVIEWER, "since": SINCE, **changes}
    return register.certify(changes.pop("owner", OWNER), **{key: said[key] for key in said if key != "owner"})


def test_a_certificate_counts_within_the_bodys_lists_and_dates() -> None:
    in_force = Register(1, {"body-1": BODY})
    reviewer = register.certified(certificate(), in_force)
    assert (reviewer.client, reviewer.jwk) == ("c", jose.public_part(REVIEWER))
    assert register.may_sign(in_force, reviewer, "national-url", "2026-06-01T00:00:00Z")
    assert not register.may_sign(in_force, reviewer, "another", "2026-06-01T00:00:00Z")
    assert not register.may_sign(in_force, reviewer, "national-url", "2025-06-01T00:00:00Z")
    assert not register.may_sign(in_force, reviewer, "national-url", "2027-01-01T00:00:00Z")
    assert not register.may_sign(Register(2, {}), reviewer, "national-url", "2026-06-01T00:00:00Z")
    other = Body("body-1", jose.public_part(jose.generate()), ("*",), SINCE)
    assert not register.may_sign(Register(2, {"body-1": other}), reviewer, "x", "2026-06-01T00:00:00Z")


@pytest.mark.parametrize(
    "token",
    [
        certificate(owner=jose.generate()),
        certificate(organisation="body-2"),
        certificate()[:-4] + "AAAA",
        register.revoke(OWNER, organisation="body-1", kid="k", since=SINCE),
        jose.sign(b"{}", OWNER, typ=register.CERTIFICATE),
        "nonsense",
    ],
    ids=["another key", "another body", "bad signature", "a revocation", "empty", "nonsense"],
)
def test_certificates_that_are_none(token: str) -> None:
    with pytest.raises(Invalid):
        register.certified(token, Register(1, {"body-1": BODY}))


def test_a_revocation_names_its_key() -> None:
    token = register.revoke(OWNER, organisation="body-1", kid="k", since=SINCE)
    assert register.revoked(token, Register(1, {"body-1": BODY})) == ("body-1", "k")
    with pytest.raises(Invalid):
        register.revoked(certificate(), Register(1, {"body-1": BODY}))
