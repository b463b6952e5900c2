"""Receipts: an internet provider's signed word on a version, taken once, and provable from the log alone."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from typer.testing import CliRunner

from app.cli.main import app
from app.client.session import Connection
from app.client.store import Store
from app.client.sync import sync
from app.core import jose
from app.core import receipt as core
from app.core.replay import Deviation, Replay
from app.core.terms import Kind
from app.platform.clock import instant
from tests.programs.service import LIST, Service, approve, leaf_bodies, leaves, new_entry, replay

RECEIPTS = f"/v1/lists/{LIST}/receipts"


@pytest.fixture(autouse=True)
def listed(service: Service, hotline: Connection, reviewer: Connection) -> None:
    """One entry on version 1."""
    approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
    service.publish()


def receipt(service: Service, client: Connection, **changes: Any) -> dict[str, Any]:
    """A receipt's body for version 1; `signed` changes the statement only, `sent` the body only."""
    manifest = client.request("GET", f"/v1/lists/{LIST}/snapshots/1").json()
    body: dict[str, Any] = {
        "applied_at": instant(service.clock()),
        "content_sha256": manifest["content_sha256"],
        "outcome": "applied",
        "version": 1,
    } | {name: value for name, value in changes.items() if name not in ("signed", "sent", "key")}
    stated = {**body, "in_list": LIST} | changes.get("signed", {})
    signature = jose.sign(core.statement(**stated), changes.get("key", client.credentials.private_jwk))
    whole: dict[str, Any] = {**body, "signature": signature} | changes.get("sent", {})
    return whole


def test_a_receipt_is_taken_in_and_stands_in_the_log(service: Service, provider: Connection) -> None:
    body = receipt(service, provider)
    answer = provider.send("POST", RECEIPTS, json=body)
    assert answer.status_code == 201
    view = answer.json()
    assert (view["list"], view["version"], view["outcome"]) == (LIST, 1, "applied")
    with service.database.reading() as session:
        leaf = leaves(session)[-1]
    assert leaf["type"] == "receipt"
    assert leaf.keys() == {
        "at",
        "client",
        "content_sha256",
        "list",
        "organisation",
        "outcome",
        "signature",
        "type",
        "version",
    }
    assert (leaf["client"], leaf["signature"]) == (provider.credentials.client_id, body["signature"])
    assert replay(service).size > 5


def test_the_same_receipt_again_changes_nothing(service: Service, provider: Connection) -> None:
    body = receipt(service, provider)
    first = provider.send("POST", RECEIPTS, json=body)
    before = service.state()
    again = provider.send("POST", RECEIPTS, json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert service.state() == before


def test_an_outcome_said_again_later_is_no_news(service: Service, provider: Connection) -> None:
    first = provider.send("POST", RECEIPTS, json=receipt(service, provider))
    before = service.state()
    for _ in range(3):
        service.clock.ahead += timedelta(seconds=10)
        again = provider.send("POST", RECEIPTS, json=receipt(service, provider))
        assert (again.status_code, again.json()) == (200, first.json())
    assert service.state() == before


def test_another_client_of_the_organisation_saying_the_same_is_no_news(service: Service) -> None:
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    with service.connect(Kind.ISP, organisation) as one, service.connect(Kind.ISP, organisation) as two:
        assert one.send("POST", RECEIPTS, json=receipt(service, one)).status_code == 201
        assert two.send("POST", RECEIPTS, json=receipt(service, two)).status_code == 200
        held = receipt(service, two, outcome="held")
        assert two.send("POST", RECEIPTS, json=held).status_code == 201
        assert one.send("POST", RECEIPTS, json=receipt(service, one, outcome="held")).status_code == 200


def test_an_old_receipt_sent_again_does_not_undo_a_later_one(service: Service, provider: Connection) -> None:
    old = receipt(service, provider)
    assert provider.send("POST", RECEIPTS, json=old).status_code == 201
    assert provider.send("POST", RECEIPTS, json=receipt(service, provider, outcome="held")).status_code == 201
    before = service.state()
    assert provider.send("POST", RECEIPTS, json=old).status_code == 200
    assert service.state() == before


def test_a_word_that_would_get_lost_is_refused(service: Service, provider: Connection) -> None:
    """A provider's program that dates every receipt by when it installed the version hears of it."""
    at = instant(service.clock())
    for outcome in ("applied", "failed"):
        body = receipt(service, provider, outcome=outcome, applied_at=at)
        assert provider.send("POST", RECEIPTS, json=body).status_code == 201
    again = provider.send("POST", RECEIPTS, json=receipt(service, provider, applied_at=at))
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "applied_at")
    service.clock.ahead += timedelta(seconds=1)
    later = receipt(service, provider, applied_at=instant(service.clock()))
    assert provider.send("POST", RECEIPTS, json=later).status_code == 201
    with service.database.reading() as session:
        found = [leaf["outcome"] for leaf in leaves(session) if leaf["type"] == "receipt"]
    assert found == ["applied", "failed", "applied"]


def test_a_signature_is_checked_before_a_repeat_is_answered(service: Service, provider: Connection) -> None:
    provider.request("POST", RECEIPTS, json=receipt(service, provider))
    forged = receipt(service, provider, key=jose.generate())
    assert provider.send("POST", RECEIPTS, json=forged).status_code == 422


@pytest.mark.parametrize(("minutes", "status"), [(4, 201), (6, 422)])
def test_nothing_is_applied_before_it_was_made(
    service: Service, provider: Connection, minutes: int, status: int
) -> None:
    made = provider.request("GET", f"/v1/lists/{LIST}/snapshots/1").json()["published_at"]
    early = instant(datetime.fromisoformat(made) - timedelta(minutes=minutes))
    answer = provider.send("POST", RECEIPTS, json=receipt(service, provider, applied_at=early))
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["errors"][0]["field"] == "applied_at"


def test_another_outcome_is_another_receipt(service: Service, provider: Connection) -> None:
    for outcome in ("held", "failed", "applied"):
        body = receipt(service, provider, outcome=outcome)
        assert provider.send("POST", RECEIPTS, json=body).status_code == 201
    with service.database.reading() as session:
        found = [leaf["outcome"] for leaf in leaves(session) if leaf["type"] == "receipt"]
    assert found == ["held", "failed", "applied"]


def test_a_failure_at_a_provider_that_is_no_canary_stops_nothing(
    service: Service, provider: Connection
) -> None:
    provider.request("POST", RECEIPTS, json=receipt(service, provider, outcome="failed"))
    service.publish()
    assert provider.request("GET", f"/v1/lists/{LIST}/snapshots/latest").json()["entry_count"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"version": 2}, 404, "not-found"),
        ({"content_sha256": "0" * 64}, 422, "digest-mismatch"),
        ({"signed": {"outcome": "held"}}, 422, "signature-invalid"),
        ({"signed": {"version": 2}}, 422, "signature-invalid"),
        ({"signed": {"in_list": "another-list"}}, 422, "signature-invalid"),
        ({"signed": {"content_sha256": "0" * 64}}, 422, "signature-invalid"),
        ({"signed": {"applied_at": "2026-01-02T03:04:05Z"}}, 422, "signature-invalid"),
        ({"sent": {"signature": "a.b.c"}}, 422, "signature-invalid"),
        ({"key": jose.generate()}, 422, "signature-invalid"),
        ({"outcome": "ignored"}, 422, "invalid-input"),
        ({"applied_at": "2026-01-02T03:04:05+01:00"}, 422, "invalid-input"),
        ({"applied_at": "2026-02-31T03:04:05Z"}, 422, "invalid-input"),
        ({"applied_at": "2999-01-01T00:00:00Z"}, 422, "invalid-input"),
        ({"sent": {"note": "x"}}, 422, "invalid-input"),
    ],
)
def test_a_receipt_that_does_not_hold_is_refused(
    service: Service, provider: Connection, changes: dict[str, Any], status: int, code: str
) -> None:
    body = receipt(service, provider, **changes)
    before = service.state()
    answer = provider.send("POST", RECEIPTS, json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:wardlist:problem:{code}")
    assert service.state() == before


def test_another_client_s_signature_is_refused(service: Service, provider: Connection) -> None:
    organisation = service.organisation(Kind.ISP)
    service.subscribe(organisation)
    with service.connect(Kind.ISP, organisation) as other:
        body = receipt(service, other)
        assert provider.send("POST", RECEIPTS, json=body).json()["errors"][0]["field"] == "signature"
        assert other.send("POST", RECEIPTS, json=body).status_code == 201


def test_who_does_not_subscribe_sends_none(service: Service, provider: Connection) -> None:
    body = receipt(service, provider)
    with service.connect(Kind.ISP) as stranger, service.connect(Kind.HOTLINE) as hotline:
        assert stranger.send("POST", RECEIPTS, json=body).status_code == 404
        assert hotline.send("POST", RECEIPTS, json=body).status_code == 403


Tamper = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda leaf: leaf | {"version": 2}, "a known version"),
        (lambda leaf: leaf | {"content_sha256": "0" * 64}, "a known version and its content_sha256"),
        (lambda leaf: leaf | {"outcome": "held"}, "a signature over this list"),
        (lambda leaf: leaf | {"outcome": "ignored"}, "a known outcome"),
        (lambda leaf: leaf | {"organisation": "0" * 32}, "a client of a isp"),
        (lambda leaf: leaf | {"signature": "a.b.c"}, "a valid signature"),
        (lambda leaf: leaf | {"signature": _forged(leaf)}, "a signature by a key of the client"),
        (lambda leaf: leaf | {"signature": _broken(leaf["signature"])}, "a valid signature"),
    ],
)
def test_a_forged_receipt_in_the_log_is_found(
    service: Service, provider: Connection, tamper: Tamper, expected: str
) -> None:
    provider.request("POST", RECEIPTS, json=receipt(service, provider))
    *honest, last = leaf_bodies(service)
    replayed = Replay()
    for body in honest:
        replayed.feed(body)
    with pytest.raises(Deviation) as found:
        replayed.feed(rfc8785.dumps(tamper(json.loads(last))))
    assert expected in found.value.expected


def _forged(leaf: dict[str, Any]) -> str:
    return jose.sign(jose.unverified(leaf["signature"]), jose.generate())


def _broken(token: str) -> str:
    head, payload, signature = token.split(".")
    return ".".join((head, payload, ("B" if signature[0] == "A" else "A") + signature[1:]))


def test_the_command_sends_one_for_the_installed_version(
    service: Service, provider: Connection, tmp_path: Path
) -> None:
    credentials = tmp_path / "isp.json"
    credentials.write_text(json.dumps(vars(provider.credentials)))
    words = [
        "isp",
        "receipt",
        "--credentials",
        str(credentials),
        "--list",
        LIST,
        "--dir",
        str(tmp_path / "d"),
    ]
    early = CliRunner().invoke(app, [*words, "--outcome", "applied"])
    assert (early.exit_code, "not installed" in early.output) == (1, True)
    sync(provider, LIST, Store(tmp_path / "d"), service.root)
    done = CliRunner().invoke(app, [*words, "--outcome", "applied", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["version"] == 1
    with service.database.reading() as session:
        assert [leaf["version"] for leaf in leaves(session) if leaf["type"] == "receipt"] == [1]
