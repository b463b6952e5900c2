"""The public log as a stranger reads it, and a server that is brought to forget or to fork it."""

import base64
import json
import random
import shutil
from itertools import pairwise

import httpx
import pytest
from sqlalchemy import text

from app.client.session import Connection
from app.core import merkle, note
from app.log.tiles import public_log
from app.log.witnesses import Forked
from tests.programs import databases
from tests.programs.service import Service, approve, new_entry


def get(service: Service, path: str) -> httpx.Response:
    return httpx.get(f"{service.address}{path}")


def head(service: Service) -> note.Checkpoint:
    signed = get(service, "/log/checkpoint").content
    verifier = public_log(service.settings, service.keyring).verifier
    return note.Checkpoint.parse(note.read(signed, [verifier])[0])


def fill(service: Service, hotline: Connection, count: int, name: str) -> list[str]:
    bodies = [new_entry(f"https://{name}{n}.example.test/") for n in range(count)]
    views = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()["entries"]
    return [view["id"] for view in views]


def all_leaves(service: Service, size: int) -> list[bytes]:
    found: list[bytes] = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        found += merkle.unbundle(get(service, f"/log/{merkle.tile_path('entries', index, width)}").content)
    return found


def test_a_stranger_recomputes_every_head(service: Service, hotline: Connection) -> None:
    heads = [head_after(service, hotline, count) for count in (1, 3, 250, 300, 700)]
    size = heads[-1].size
    leaves = all_leaves(service, size)
    assert len(leaves) == size
    for one in heads:
        frontier = merkle.Frontier().extend(merkle.leaf_hash(leaf) for leaf in leaves[: one.size])
        assert frontier.root() == one.root
    tiles = merkle.tiles_between(0, size)
    for level, index, width in tiles:
        answer = get(service, f"/log/{merkle.tile_path(level, index, width)}")
        assert (len(answer.content), answer.headers["content-type"]) == (
            32 * width,
            "application/octet-stream",
        )
        assert "immutable" in answer.headers["cache-control"]
    checkpoint = get(service, "/log/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "no-cache"
    assert "example.test" not in b"".join(leaves).decode()


def head_after(service: Service, hotline: Connection, count: int) -> note.Checkpoint:
    fill(service, hotline, count, f"n{count}-")
    service.publish()
    return head(service)


def test_proofs_of_an_entry(service: Service, hotline: Connection, reviewer: Connection) -> None:
    ids = fill(service, hotline, 300, "p")
    approve(reviewer, hotline.request("GET", f"/v1/entries/{ids[7]}").json())
    assert get(service, f"/v1/log/entries/{ids[7]}/proof").status_code == 404
    service.publish()
    service.publish()
    found = get(service, f"/v1/log/entries/{ids[7]}/proof").json()
    one = head(service)
    kinds = []
    for leaf in found["leaves"]:
        body = base64.b64decode(leaf["leaf"])
        kinds.append(json.loads(body)["type"])
        proof = [base64.b64decode(node) for node in leaf["proof"]]
        merkle.verify_inclusion(merkle.leaf_hash(body), leaf["index"], one.size, proof, one.root)
    life = ["entry.submitted", "entry.reviewed", "entry.approved", "takedown.excused", "entry.listed"]
    assert kinds == life
    assert get(service, "/v1/log/entries/nothing/proof").status_code == 404


@pytest.mark.parametrize("path", ["/v1/log/entries/{}/proof", "/transparency"])
def test_for_who_reads_the_log_no_way_out_is_made(
    service: Service, hotline: Connection, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A client of httpx costs 20 ms or more: it reads every authority of the machine."""
    entry = fill(service, hotline, 1, "o")[0]
    service.publish()
    made: list[object] = []
    monkeypatch.setattr(httpx.Client, "__init__", lambda *_, **__: made.append(1))
    assert hotline.send("GET", path.format(entry)).status_code == 200
    assert made == []


@pytest.mark.parametrize(
    "path",
    [
        "0/0",
        "0/1000",
        "-1/000",
        "64/000",
        "entries/x",
        "0/000.p/256",
        "0/000.p/0",
        "0/..%2f..%2fcheckpoint",
        "entries/999",
    ],
)
def test_no_such_tile(service: Service, path: str) -> None:
    service.publish()
    assert get(service, f"/log/tile/{path}").status_code in (404, 422)


def test_a_full_tile_is_written_once(service: Service, hotline: Connection) -> None:
    fill(service, hotline, 600, "a")
    service.publish()
    full = {path: path.read_bytes() for path in (service.settings.log / "tile").rglob("0*") if path.is_file()}
    assert any(len(data) == 8192 for data in full.values())
    fill(service, hotline, 600, "b")
    service.publish()
    assert all(path.read_bytes() == data for path, data in full.items())


def test_partial_tiles_go_when_the_full_one_is_public_and_are_answered_still(
    service: Service, hotline: Connection
) -> None:
    seen: dict[str, bytes] = {}
    service.publish()
    while head(service).size < 2 * merkle.TILE:
        fill(service, hotline, 100, f"p{len(seen)}")
        service.publish()
        tiles = service.settings.log / "tile"
        seen |= {str(path.relative_to(tiles)): path.read_bytes() for path in tiles.rglob("*.p/*")}
        assert not [path for path in tiles.rglob("*.p") if path.with_suffix("").is_file()]
    assert any(path.startswith("entries/000.p/") for path in seen)
    assert any(path.startswith("0/000.p/") for path in seen)
    for path, data in seen.items():
        assert get(service, f"/log/tile/{path}").content == data


def test_a_lost_log_folder_is_written_again_with_the_same_bytes(
    service: Service, hotline: Connection
) -> None:
    fill(service, hotline, 300, "a")
    service.publish()
    before = get(service, "/log/checkpoint").content
    shutil.rmtree(service.settings.log)
    service.publish()
    assert get(service, "/log/checkpoint").content == before
    assert merkle.tree_root(head(service).size, public_log(service.settings, service.keyring).nodes())


def test_a_restored_backup_signs_nothing(service: Service, hotline: Connection) -> None:
    fill(service, hotline, 5, "a")
    service.publish()
    put_back = databases.kept(service.database)
    fill(service, hotline, 5, "b")
    service.publish()
    signed = get(service, "/log/checkpoint").content
    put_back()
    with pytest.raises(Forked, match="restored backup"):
        service.publish()
    fill(service, hotline, 20, "c")
    with pytest.raises(Forked):
        service.publish()
    assert get(service, "/log/checkpoint").content == signed


def test_a_rewritten_leaf_is_never_signed(service: Service, hotline: Connection) -> None:
    fill(service, hotline, 5, "a")
    service.publish()
    signed = get(service, "/log/checkpoint").content
    with service.database.writing() as session:
        databases.expose_leaves(session)
        session.execute(text("UPDATE leaf SET body = :body WHERE id = 2"), {"body": b"{}"})
    fill(service, hotline, 5, "b")
    with pytest.raises(Forked):
        service.publish()
    assert get(service, "/log/checkpoint").content == signed


def test_every_checkpoint_seen_is_consistent_with_the_one_before(
    service: Service, hotline: Connection
) -> None:
    seen: list[note.Checkpoint] = []
    chance = random.Random(1)
    for number in range(12):
        fill(service, hotline, chance.randint(1, 90), f"r{number}-")
        service.publish()
        seen.append(head(service))
    read = public_log(service.settings, service.keyring).nodes()
    for old, new in pairwise(seen):
        proof = merkle.consistency_proof(old.size, new.size, read)
        merkle.verify_consistency(old.size, old.root, new.size, new.root, proof)
