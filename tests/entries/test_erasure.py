"""Erasure destroys what an entry hides, on the disk and in every copy; the log verifies as before."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.client.follow import FollowedLog, LogError
from app.client.session import Connection, Failed
from app.core import commitment, sealing
from app.core.terms import Kind
from app.identity import service as identity
from app.log.tiles import public_log
from app.platform.epochs import Epochs
from tests.programs.postgres import postgres
from tests.programs.service import LIST, Service, approve, leaves, new_entry, running

URL = "https://erase-me.example.test/a/b?c=d"
REASON = f"Compared {URL} with the criteria."


@pytest.fixture
def operator(service: Service) -> Iterator[Connection]:
    with service.connect(Kind.OPERATOR) as connection:
        yield connection


@pytest.fixture
def police(service: Service) -> Iterator[Connection]:
    with service.connect(Kind.LAW_ENFORCEMENT) as connection:
        yield connection


def submit(hotline: Connection, url: str = URL) -> dict[str, Any]:
    body = new_entry(url, statement=f"Assessed on site: {url} was seen.", hotline_reference=url)
    found: dict[str, Any] = hotline.request("POST", "/v1/entries", json=body).json()
    return found


def erase(operator: Connection, entry: dict[str, Any], reason: str = "victim_request") -> dict[str, Any]:
    address = f"/v1/entries/{entry['id']}/erasure"
    found: dict[str, Any] = operator.request("POST", address, json={"reason": reason}).json()
    return found


def status(hotline: Connection, entry: dict[str, Any]) -> str:
    return str(hotline.request("GET", f"/v1/entries/{entry['id']}").json()["status"])


def verify(service: Service) -> int:
    verifier = public_log(service.settings, service.keyring).verifier

    def fetch(path: str) -> bytes:
        return httpx.get(service.address + path).content

    return FollowedLog(fetch, verifier, None).replay().replay.size


def files(home: Path) -> Iterator[tuple[Path, bytes]]:
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


def tiles(service: Service) -> dict[Path, bytes]:
    return dict(files(service.settings.log / "tile"))


@pytest.mark.sqlite
def test_nothing_of_an_erased_entry_is_left(
    service: Service, hotline: Connection, reviewer: Connection, operator: Connection, tmp_path: Path
) -> None:
    entry = submit(hotline)
    other = submit(hotline, "https://stays.example.test/")
    for one in (entry, other):
        approve(reviewer, one)
    service.publish()
    key = bytes.fromhex(entry["commitment_key"])
    with service.database.reading() as session:
        ciphertext = session.execute(
            text("SELECT ciphertext FROM entry_cipher WHERE entry_id = :id"), {"id": entry["id"]}
        ).scalar_one()
    forms = [
        URL.encode(),
        b"erase-me.example.test",
        b"erase-me",
        URL.encode().hex().encode(),
        URL.encode("utf-16-le"),
        key,
        key.hex().encode(),
        ciphertext,
    ]
    held = {form for _, content in files(service.settings.home) for form in forms if form in content}
    assert {URL.encode(), key.hex().encode(), ciphertext} <= held
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(service.settings.home / "wardlist.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    before = tiles(service)

    assert erase(operator, entry)["status"] == "erased"
    service.publish()
    service.publish()
    service.publisher.daily()
    service.publish()

    for path, content in files(service.settings.home):
        assert [form for form in forms if form in content] == [], path
    _no_key_opens(service, backup.read_bytes(), entry, ciphertext)
    for path, content in files(service.settings.home):
        if path.name.startswith("wardlist.db"):
            _no_key_opens(service, content, entry, ciphertext)
    assert (
        tiles(service).items()
        >= {path: content for path, content in before.items() if ".p" not in str(path)}.items()
    )
    assert verify(service) == len(leaves_of(service))
    shown = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    assert [
        shown[name] for name in ("canonical_url", "commitment_key", "statement", "hotline_reference")
    ] == ([None] * 4)
    listed = hotline.request("GET", f"/v1/entries/{other['id']}").json()
    assert listed["canonical_url"] == "https://stays.example.test/"


def leaves_of(service: Service) -> list[dict[str, Any]]:
    with service.database.reading() as session:
        return leaves(session)


def _no_key_opens(service: Service, raw: bytes, entry: dict[str, Any], ciphertext: bytes) -> None:
    """Every 60 bytes of a file as a wrapped key, under every epoch key there is; every 32 as a key itself."""
    folder = service.settings.keys / "epochs"
    keys = [bytes.fromhex(path.read_text()) for path in folder.glob("*.hex")]
    assert keys
    numbers = range(1, 4)
    for at in range(len(raw) - 60):
        stated = commitment.commitment(
            raw[at : at + 32], entry=entry["id"], scope="url", url=entry["canonical_url"]
        )
        assert stated != entry["commitment"]
    places = [at for at in range(len(raw)) if raw.startswith(entry["id"].encode(), at)]
    near = {near for at in places for near in range(max(0, at - 200), min(len(raw) - 60, at + 200))}
    for key in keys:
        for at in near:
            for number in numbers:
                with pytest.raises(sealing.Unreadable):
                    sealing.unwrap(key, raw[at : at + 60], entry=entry["id"], epoch=number)
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(key, "texts", entry["id"], ciphertext)


@pytest.mark.sqlite
def test_the_search_finds_a_key_that_is_there(service: Service, hotline: Connection) -> None:
    """The check above can fail: while the epoch lasts, its key opens what a copy of the database holds."""
    entry = submit(hotline)
    with service.database.reading() as session:
        wrapped, epoch = session.execute(text("SELECT wrapped, epoch FROM entry_key")).one()
    service.database.truncate()
    raw = (service.settings.home / "wardlist.db").read_bytes()
    assert wrapped in raw
    epochs = Epochs(service.settings.keys / "epochs")
    opened = sealing.unwrap(epochs.key(epoch), wrapped, entry=entry["id"], epoch=epoch)
    assert opened.hex() == entry["commitment_key"]


def test_the_key_lives_until_the_leaf_is_public(
    service: Service, hotline: Connection, operator: Connection
) -> None:
    entry = submit(hotline)
    service.publish()
    erase(operator, entry)
    with service.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM entry_key")).scalar_one() == 1
    with pytest.raises(Failed):
        erase(operator, entry)
    service.publish()
    with service.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM entry_key")).scalar_one() == 0
    kinds = [leaf["type"] for leaf in leaves_of(service) if leaf.get("entry") == entry["id"]]
    assert kinds == ["entry.submitted", "entry.withdrawn", "entry.erased"]


def test_an_erased_address_can_be_submitted_again(
    service: Service, hotline: Connection, operator: Connection
) -> None:
    first = submit(hotline)
    erase(operator, first)
    assert submit(hotline)["id"] != first["id"]


def test_old_files_go_and_their_version_stays_on_record(
    service: Service,
    hotline: Connection,
    reviewer: Connection,
    provider: Connection,
    operator: Connection,
) -> None:
    entry = submit(hotline)
    approve(reviewer, entry)
    service.publish()
    erase(operator, entry)
    service.publish()
    service.publish()
    base = f"/v1/lists/{LIST}/snapshots"
    assert provider.request("GET", f"{base}/1").json()["entry_count"] == 1
    assert provider.send("GET", f"{base}/1/jsonl").status_code == 410
    assert provider.send("GET", f"/v1/lists/{LIST}/deltas/1").status_code == 410
    assert provider.request("GET", f"{base}/2/jsonl").content == b""


def test_after_retention_the_daily_task_erases(
    service: Service, hotline: Connection, police: Connection
) -> None:
    gone, held, young = (submit(hotline, f"https://{name}.example.test/") for name in ("a", "b", "c"))
    hold(service, police, held, days=30)
    for one, days in ((gone, 181), (held, 181), (young, 179)):
        hotline.request("POST", f"/v1/entries/{one['id']}/withdrawal")
        age(service, "entry SET settled_at", one, days)
    service.publisher.daily()
    assert [status(hotline, one) for one in (gone, held, young)] == ["erased", "withdrawn", "withdrawn"]
    age(service, "legal_hold SET until", held, 1)
    service.publisher.daily()
    assert [status(hotline, one) for one in (held, young)] == ["erased", "withdrawn"]
    with service.database.reading() as session:
        assert session.execute(text("SELECT entry_id FROM entry_key")).scalars().all() == [young["id"]]


def test_what_nobody_decides_is_withdrawn_after_the_retention_time(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    waiting, young, decided = (submit(hotline, f"https://{name}.example.test/") for name in ("a", "b", "c"))
    approve(reviewer, decided)
    for one, days in ((waiting, 181), (young, 179), (decided, 181)):
        age(service, "entry SET submitted_at", one, days)
    service.publisher.daily()
    assert [status(hotline, one) for one in (waiting, young, decided)] == [
        *("withdrawn", "submitted", "approved")
    ]
    assert leaves_of(service)[-1].keys() == {"at", "entry", "list", "type"}
    assert submit(hotline, "https://a.example.test/")["id"] != waiting["id"]
    service.publish()
    assert verify(service) == len(leaves_of(service))
    age(service, "entry SET settled_at", waiting, 181)
    service.publisher.daily()
    assert status(hotline, waiting) == "erased"


def test_what_is_reopened_waits_from_the_recheck_date_on_that_it_had(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    entry = submit(hotline, "https://a.example.test/")
    approve(reviewer, entry)
    age(service, "entry SET submitted_at", entry, 300)
    with service.database.writing() as session:
        identity.revoke_client(session, reviewer.credentials.client_id, service.clock())
    service.publish()
    service.publisher.daily()
    assert status(hotline, entry) == "submitted"
    age(service, "entry SET recheck_by", entry, 181)
    service.publisher.daily()
    assert status(hotline, entry) == "withdrawn"


def age(service: Service, what: str, entry: dict[str, Any], days: float) -> None:
    """Set a moment of an entry to so many days ago."""
    moment = (service.clock() - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")
    key = "id" if what.startswith("entry") else "entry_id"
    with service.database.writing() as session:
        session.execute(text(f"UPDATE {what} = :at WHERE {key} = :id"), {"at": moment, "id": entry["id"]})


def hold(service: Service, police: Connection, entry: dict[str, Any], days: float) -> httpx.Response:
    until = (service.clock() + timedelta(days=days)).isoformat()
    body = {"reason": "investigation", "until": until}
    return police.send("POST", f"/v1/entries/{entry['id']}/legal-hold", json=body)


def test_a_hold_delays_an_erasure_until_lifted(
    service: Service, hotline: Connection, operator: Connection, police: Connection
) -> None:
    entry = submit(hotline)
    assert hold(service, police, entry, 10).status_code == 201
    refused = operator.send("POST", f"/v1/entries/{entry['id']}/erasure", json={"reason": "court_order"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:wardlist:problem:legal-hold")
    assert status(hotline, entry) == "submitted"
    assert hold(service, police, entry, 90).status_code == 201
    with service.connect(Kind.LAW_ENFORCEMENT) as others:
        assert others.send("DELETE", f"/v1/entries/{entry['id']}/legal-hold").status_code == 404
    lifted = police.request("DELETE", f"/v1/entries/{entry['id']}/legal-hold").json()
    assert lifted["lifted"] is True
    assert police.send("DELETE", f"/v1/entries/{entry['id']}/legal-hold").status_code == 404
    assert erase(operator, entry)["status"] == "erased"
    assert hold(service, police, entry, 10).status_code == 409
    kinds = [leaf["type"] for leaf in leaves_of(service) if leaf["type"].startswith("hold.")]
    assert kinds == ["hold.placed", "hold.placed", "hold.lifted"]
    service.publish()
    assert verify(service) > 0


@pytest.mark.parametrize("days", [0, -1, 90.1, 4000])
def test_holds_are_dated(service: Service, hotline: Connection, police: Connection, days: float) -> None:
    before = service.state()
    entry = submit(hotline)
    before = service.state()
    answer = hold(service, police, entry, days)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "until")
    assert service.state() == before


@pytest.mark.parametrize("reason", ["", "because", None, 1])
def test_an_erasure_has_a_coded_reason(
    service: Service, hotline: Connection, operator: Connection, reason: object
) -> None:
    entry = submit(hotline)
    before = service.state()
    answer = operator.send("POST", f"/v1/entries/{entry['id']}/erasure", json={"reason": reason})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reason")
    early = operator.send("POST", f"/v1/entries/{entry['id']}/erasure", json={"reason": "retention"})
    assert early.status_code == 409
    assert (
        operator.send("POST", "/v1/entries/nothing/erasure", json={"reason": "retention"}).status_code == 404
    )
    assert service.state() == before


def test_a_server_that_erases_under_hold_is_found_out(
    service: Service, hotline: Connection, operator: Connection, police: Connection
) -> None:
    entry = submit(hotline)
    hold(service, police, entry, 10)
    with service.database.writing() as session:
        session.execute(text("DELETE FROM legal_hold"))
    erase(operator, entry)
    service.publish()
    with pytest.raises(LogError, match=entry["id"]):
        verify(service)


def test_a_killed_publisher_leaves_no_half_written_file(
    service: Service, hotline: Connection, reviewer: Connection
) -> None:
    approve(reviewer, submit(hotline))
    service.publish()
    left = service.settings.public / "targets" / "lists" / LIST / "1" / ".writing-x"
    left.write_text(URL)
    service.publisher._is_tidy = False
    service.publish()
    assert not left.exists()


def test_epochs_end(service: Service, hotline: Connection) -> None:
    entry = submit(hotline)
    folder = service.settings.keys / "epochs"
    copy = shutil.copytree(folder, folder.with_name("copied"))
    service.publisher.daily()
    service.publisher.daily()
    assert [path.name for path in folder.iterdir()] == ["3.hex"]
    assert (copy / "1.hex").exists()
    assert hotline.request("GET", f"/v1/entries/{entry['id']}").json()["canonical_url"] == URL
    with pytest.raises(FileNotFoundError):
        Epochs(folder).key(1)


@pytest.mark.postgresql
def test_nothing_that_opens_an_erased_entry_is_left_on_postgresql(tmp_path: Path) -> None:
    """Dead rows and WAL keep ciphertext and wrapped key; the epoch's key, which opens them, is gone."""
    with postgres() as (address, data), running(Service(tmp_path / "home", database_url=address)) as service:
        service.add_list()
        with (
            service.connect(Kind.HOTLINE) as hotline,
            service.connect(Kind.REVIEW_BODY) as reviewer,
            service.connect(Kind.OPERATOR) as operator,
        ):
            entry = submit(hotline)
            approve(reviewer, entry)
            service.publish()
            with service.database.reading() as session:
                wrapped, ciphertext = session.execute(
                    text("SELECT wrapped, ciphertext FROM entry_key JOIN entry_cipher USING (entry_id)")
                ).one()
            erase(operator, entry)
            service.publish()
            service.publish()
            service.publisher.daily()
            service.publish()
        assert verify(service) > 0
        key = bytes.fromhex(entry["commitment_key"])
        clear = [URL.encode(), b"erase-me", key, key.hex().encode()]
        raw = b"".join(content for _, content in files(data))
        assert wrapped in raw
        assert ciphertext in raw
        for path, content in [*files(data), *files(service.settings.home)]:
            assert [form for form in clear if form in content] == [], path
        _no_epoch_key_opens(service, raw, entry, wrapped, ciphertext)


def _no_epoch_key_opens(
    service: Service, raw: bytes, entry: dict[str, Any], wrapped: bytes, ciphertext: bytes
) -> None:
    """Neither the keys of epochs there are, nor any 32 bytes near what was kept, nor hex of that length."""
    folder = service.settings.keys / "epochs"
    keys = {bytes.fromhex(path.read_text()) for path in folder.glob("*.hex")}
    for _, content in files(service.settings.home):
        keys |= {bytes.fromhex(found.decode()) for found in re.findall(rb"\b[0-9a-f]{64}\b", content)}
    for kept in (wrapped, ciphertext, entry["id"].encode()):
        at = raw.find(kept)
        keys |= {raw[near : near + 32] for near in range(max(0, at - 400), at + 400)}
    for key in keys:
        for epoch in range(1, 4):
            with pytest.raises(sealing.Unreadable):
                sealing.unwrap(key, wrapped, entry=entry["id"], epoch=epoch)
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(key, "texts", entry["id"], ciphertext)
