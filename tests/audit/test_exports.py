"""Exports over HTTP and the command line, and every way to tamper with one: the leaf is named each time."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyrage
import pytest
import rfc8785
import zstandard
from typer.testing import CliRunner

from app.cli.main import app
from app.client import export
from app.client.session import Connection
from app.core import jose, merkle, note
from app.core.merkle import Frontier
from app.core.note import Checkpoint, Signer
from app.core.terms import Kind
from tests.programs.service import LIST, Service, approve, new_entry, running, signed_review

Members = dict[str, bytes]


@dataclass
class World:
    """A service with a history, an auditor, and an export of it as members."""

    service: Service
    auditor: Connection
    reviewer: Connection
    members: Members
    leaves: list[dict[str, Any]]
    identity: str

    def index(self, kind: str, nth: int = 0) -> int:
        return [n for n, leaf in enumerate(self.leaves) if leaf["type"] == kind][nth]

    @property
    def log(self) -> Signer:
        return Signer(self.service.settings.log_origin, note.ED25519, self.service.keyring.log)


def make_export(service: Service, auditor: Connection, **asked: Any) -> bytes:
    made = auditor.request("POST", "/v1/audit/exports", json=asked).json()
    service.publish()
    waiting = auditor.request("GET", f"/v1/audit/exports/{made['id']}")
    assert (waiting.status_code, waiting.json()["state"]) == (202, "waiting")
    service.exporter.round()
    answer = auditor.request("GET", f"/v1/audit/exports/{made['id']}")
    assert answer.headers["content-type"] == "application/zstd"
    return answer.content


def unpack(packed: bytes) -> Members:
    with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        whole = io.BytesIO(stream.read())
    with tarfile.open(fileobj=whole) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def pack(members: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return zstandard.ZstdCompressor().compress(buffer.getvalue())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(tmp_path_factory.mktemp("audit") / "home")) as service:
        service.add_list(quorum={"url": 2})
        hotline, second = service.connect(Kind.HOTLINE), service.connect(Kind.HOTLINE)
        one, two = service.connect(Kind.REVIEW_BODY), service.connect(Kind.REVIEW_BODY)
        organisation = service.organisation(Kind.AUDITOR)
        auditor = service.connect(Kind.AUDITOR, organisation)
        with service.connect(Kind.OPERATOR) as operator, service.connect(Kind.LAW_ENFORCEMENT) as police:
            history(service, hotline, second, one, two, operator, police)
        identity = pyrage.x25519.Identity.generate()
        allow(organisation, str(identity.to_public()), service)
        members = unpack(make_export(service, auditor, reveal=True))
        leaves = [json.loads(leaf) for leaf in all_leaves(members)]
        yield World(service, auditor, one, members, leaves, str(identity))


def allow(organisation: str, recipient: str, service: Service) -> None:
    allowed = ["audit", "allow", "--org", organisation, "--recipient", recipient]
    assert CliRunner().invoke(app, allowed, env=service.environment).exit_code == 0


def history(
    service: Service,
    hotline: Connection,
    second: Connection,
    one: Connection,
    two: Connection,
    operator: Connection,
    police: Connection,
) -> None:
    """Three versions: two entries, one fewer, one more; a rejection, an erasure and a hold."""
    names = ("a", "b", "rejected", "erased", "held", "late")
    entries = {}
    for name in names:
        body = new_entry(f"https://{name}.example.test/")
        entries[name] = hotline.request("POST", "/v1/entries", json=body).json()
    second.request("POST", "/v1/entries", json=new_entry("https://a.example.test/"))
    for name in ("a", "b", "erased"):
        approve(one, entries[name])
        approve(two, entries[name])
    for reviewer in (one, two):
        body = signed_review(entries["rejected"], reviewer.credentials.private_jwk, decision="reject")
        reviewer.request("POST", f"/v1/entries/{entries['rejected']['id']}/reviews", json=body)
    service.publish()
    hotline.request("POST", f"/v1/entries/{entries['b']['id']}/withdrawal")
    operator.request("POST", f"/v1/entries/{entries['erased']['id']}/erasure", json={"reason": "court_order"})
    until = (service.clock() + timedelta(days=3)).isoformat()
    hold = {"reason": "investigation", "until": until}
    police.request("POST", f"/v1/entries/{entries['held']['id']}/legal-hold", json=hold)
    service.publish()
    approve(one, entries["late"])
    approve(two, entries["late"])
    service.publish()
    service.publish()


def all_leaves(members: Members) -> list[bytes]:
    bundles = [content for name, content in members.items() if name.startswith("tile/entries/")]
    return [leaf for bundle in bundles for leaf in merkle.unbundle(bundle)]


def verify(world: World, members: Members, folder: Path, *options: str) -> dict[str, Any]:
    """`wardlist audit verify --json` on these members."""
    file = folder / "export.tar.zst"
    file.write_bytes(pack(members))
    alone = run_verify(file, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "SMALL", 0)
        patch.setattr(export, "BATCH", 2)
        assert run_verify(file, options) == alone, "every core together finds what one process finds"
    return alone


def run_verify(file: Path, options: tuple[str, ...]) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["audit", "verify", str(file), "--json", *options])
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code == 0) == found["verified"], done.output
    return found


def test_an_honest_export_verifies(world: World, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(world.identity)
    found = verify(world, world.members, tmp_path, "--openings", str(tmp_path / "key"))
    assert (found["size"], found["manifests"], found["versions"]) == (len(world.leaves), 3, {LIST: 3})
    assert found["entries"] == 6
    # Version 1 held an entry that was erased since: its content can no longer be opened.
    assert (found["openings"], found["contents"]) == (3, 2)
    key = str(world.log.verifier)
    assert verify(world, world.members, tmp_path, "--log-vkey", key)["verified"] is True
    assert b"example.test" not in b"".join(world.members.values())


def test_another_logs_key_is_noticed(world: World, tmp_path: Path) -> None:
    other = Signer.generate(world.log.name, note.ED25519).verifier
    assert "this log" in verify(world, world.members, tmp_path, "--log-vkey", str(other))["expected"]
    witness = Signer.generate("w.example", note.COSIGNATURE).verifier
    found = verify(world, world.members, tmp_path, "--witness-vkey", str(witness))
    assert "1 witnesses" in found["expected"]


def first_bundle(members: Members) -> str:
    return next(name for name in members if name.startswith("tile/entries/"))


def first_tile(members: Members) -> str:
    return next(name for name in members if name.startswith("tile/0/"))


def edit_bundle(change: Callable[[list[bytes]], object]) -> Callable[[World, Members], None]:
    def apply(_: World, members: Members) -> None:
        leaves = merkle.unbundle(members[first_bundle(members)])
        change(leaves)
        members[first_bundle(members)] = merkle.bundle(leaves)

    return apply


def flip(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def set_leaf(at: int, change: Callable[[bytes], bytes]) -> Callable[[World, Members], None]:
    return edit_bundle(lambda leaves: leaves.__setitem__(at, change(leaves[at])))


def other_log(world: World, members: Members) -> None:
    root = Frontier().extend(merkle.leaf_hash(leaf) for leaf in all_leaves(members)).root()
    stranger = Signer.generate("another.example/log", note.ED25519)
    members["checkpoint"] = note.sign(Checkpoint(stranger.name, len(world.leaves), root).text(), stranger)


def edit_member(ending: str, change: Callable[[bytes], bytes]) -> Callable[[World, Members], None]:
    def apply(_: World, members: Members) -> None:
        name = next(name for name in members if name.endswith(ending))
        members[name] = change(members[name])

    return apply


def drop_member(ending: str) -> Callable[[World, Members], None]:
    return lambda _, members: members.pop(next(name for name in members if name.endswith(ending)))  # type: ignore[return-value]


def earlier_checkpoint(world: World, members: Members) -> None:
    size = len(world.leaves) - 3
    root = Frontier().extend(merkle.leaf_hash(leaf) for leaf in all_leaves(members)[:size]).root()
    members["checkpoint"] = note.sign(Checkpoint(world.log.name, size, root).text(), world.log)


def wrong_root(world: World, members: Members) -> None:
    size = len(world.leaves)
    members["checkpoint"] = note.sign(Checkpoint(world.log.name, size, bytes(32)).text(), world.log)


VERSION_ONE = f"manifests/{LIST}/1"
IN_TRANSIT: dict[str, tuple[Callable[[World, Members], object], Callable[[World], int]]] = {
    "a flipped bit in a leaf": (set_leaf(7, lambda leaf: flip(leaf, 9)), lambda _: 7),
    "a dropped leaf": (edit_bundle(lambda leaves: leaves.pop(5)), lambda _: 5),
    "a repeated leaf": (edit_bundle(lambda leaves: leaves.insert(5, leaves[5])), lambda _: 6),
    "two leaves in another order": (
        edit_bundle(lambda leaves: leaves.__setitem__(slice(3, 5), [leaves[4], leaves[3]])),
        lambda _: 3,
    ),
    "a cut bundle": (
        lambda world, members: members.update({first_bundle(members): members[first_bundle(members)][:-1]}),
        lambda _: 0,
    ),
    "a missing bundle": (lambda world, members: members.pop(first_bundle(members)), lambda _: 0),
    "a cut tile": (
        lambda world, members: members.update({first_tile(members): members[first_tile(members)][:-32]}),
        lambda world: len(world.leaves) - 1,
    ),
    "a flipped bit in a tile": (
        lambda world, members: members.update({first_tile(members): flip(members[first_tile(members)], 64)}),
        lambda _: 2,
    ),
    "another log's checkpoint": (other_log, lambda _: 0),
    "an earlier checkpoint": (earlier_checkpoint, lambda _: 0),
    "a checkpoint with another root": (wrong_root, lambda world: len(world.leaves) - 1),
    "an unsigned checkpoint": (
        edit_member("checkpoint", lambda body: body.split(b"\n\n")[0] + b"\n\n"),
        lambda _: 0,
    ),
    "an altered manifest": (
        edit_member(f"{VERSION_ONE}.json", lambda body: body.replace(b'"expires_at":"2', b'"expires_at":"3')),
        lambda world: world.index("list.published"),
    ),
    "a manifest of another version": (
        lambda world, members: members.update({f"{VERSION_ONE}.json": members[f"manifests/{LIST}/2.json"]}),
        lambda world: world.index("list.published"),
    ),
    "a forged signature on a manifest": (
        edit_member(f"{VERSION_ONE}.jws", lambda body: body[:-6] + b"AAAAAA"),
        lambda world: world.index("list.published"),
    ),
    "a missing manifest": (
        drop_member(f"{VERSION_ONE}.json"),
        lambda world: world.index("list.published"),
    ),
    "a member too many": (
        lambda _, members: members.update({"more": b""}),
        lambda world: len(world.leaves) - 1,
    ),
}


@pytest.mark.parametrize("kind", IN_TRANSIT)
def test_tampering_on_the_way(world: World, kind: str, tmp_path: Path) -> None:
    change, leaf = IN_TRANSIT[kind]
    members = dict(world.members)
    change(world, members)
    found = verify(world, members, tmp_path)
    assert (found["verified"], found["leaf"]) == (False, leaf(world)), found


def rebuild(world: World, leaves: list[bytes]) -> Members:
    """What a server with all its online keys would hand out for these leaves."""
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    root = Frontier().extend(hashes).root()
    members = {name: world.members[name] for name in ("export.json", "keys.json")}
    members["checkpoint"] = note.sign(Checkpoint(world.log.name, len(leaves), root).text(), world.log)
    members["openings.age"] = world.members["openings.age"]
    for level, index, width in merkle.tiles_between(0, len(leaves)):
        assert level == 0
        some = slice(index * 256, index * 256 + width)
        members[merkle.tile_path("entries", index, width)] = merkle.bundle(leaves[some])
        members[merkle.tile_path(0, index, width)] = b"".join(hashes[some])
    return members | {name: world.members[name] for name in world.members if name.startswith("manifests/")}


Leaves = list[dict[str, Any]]


def resign(world: World, leaf: dict[str, Any], key: dict[str, str], **changes: Any) -> dict[str, Any]:
    """The leaf with its decision changed and signed anew with a key."""
    public = jose.public_part(world.reviewer.credentials.private_jwk)
    claims = json.loads(jose.verify(leaf["signature"], public)) | changes
    return {**leaf, "signature": jose.sign(rfc8785.dumps(claims), key)}


def first_vote(world: World, leaves: Leaves) -> int:
    kid = jose.public_part(world.reviewer.credentials.private_jwk)["kid"]
    return next(
        n
        for n, leaf in enumerate(leaves)
        if leaf["type"] == "entry.reviewed" and jose.header(leaf["signature"])["kid"] == kid
    )


def forged_decision(world: World, leaves: Leaves) -> int:
    at = first_vote(world, leaves)
    leaves[at] = resign(world, leaves[at], jose.generate())
    return at


def unmet_criteria(world: World, leaves: Leaves) -> int:
    at = first_vote(world, leaves)
    claims = json.loads(
        jose.verify(leaves[at]["signature"], jose.public_part(world.reviewer.credentials.private_jwk))
    )
    criteria = dict.fromkeys(claims["criteria"], False)
    leaves[at] = resign(world, leaves[at], world.reviewer.credentials.private_jwk, criteria=criteria)
    return at


def stale_decision(world: World, leaves: Leaves) -> int:
    at = first_vote(world, leaves)
    leaves[at] = resign(world, leaves[at], world.reviewer.credentials.private_jwk, iat=1)
    return at


def own_organisation(world: World, leaves: Leaves) -> int:
    """The submitter's own organisation is made out to have decided."""
    at = first_vote(world, leaves)
    submitted = next(leaf for leaf in leaves if leaf["type"] == "entry.submitted")
    leaves[at] = {**leaves[at], "organisation": submitted["organisation"], "client": submitted["client"]}
    return at


def corroborated_by_the_reviewer(world: World, leaves: Leaves) -> int:
    at = next(n for n, leaf in enumerate(leaves) if leaf["type"] == "entry.corroborated")
    vote = leaves[first_vote(world, leaves)]
    leaves[at] = {**leaves[at], "organisation": vote["organisation"], "client": vote["client"]}
    return at


def dropped(kind: str, noticed_at: str, nth: int = 0) -> Callable[[World, Leaves], int]:
    """Without the nth leaf of a kind; noticed at the next leaf of another about the same entry or list."""

    def change(_: World, leaves: Leaves) -> int:
        at = [n for n, leaf in enumerate(leaves) if leaf["type"] == kind][nth]
        gone = leaves.pop(at)
        return next(
            n
            for n, leaf in enumerate(leaves)
            if n >= at and leaf["type"] == noticed_at and leaf.get("entry") in (gone.get("entry"), None)
        )

    return change


def without_approval(world: World, leaves: Leaves) -> int:
    """A listing with nothing of how its entry came to be approved, or of its takedown."""
    gone = next(leaf["entry"] for leaf in leaves if leaf["type"] == "entry.approved")
    kept = [leaf for leaf in leaves if leaf["type"] != "takedown.excused" or leaf["entry"] != gone]
    leaves[:] = kept
    return dropped("entry.approved", "entry.listed")(world, leaves)


def changed(kind: str, nth: int = 0, **members: Any) -> Callable[[World, Leaves], int]:
    def change(_: World, leaves: Leaves) -> int:
        at = [n for n, leaf in enumerate(leaves) if leaf["type"] == kind][nth]
        leaves[at] = {**leaves[at], **members}
        return at

    return change


def voted_twice(world: World, leaves: Leaves) -> int:
    at = first_vote(world, leaves)
    leaves.insert(at + 1, leaves[at])
    return at + 1


def another_entrys_signature(world: World, leaves: Leaves) -> int:
    votes = [n for n, leaf in enumerate(leaves) if leaf["type"] == "entry.reviewed"]
    first, third = votes[0], votes[2]
    assert leaves[first]["organisation"] == leaves[third]["organisation"]
    leaves[first] = {**leaves[first], "signature": leaves[third]["signature"]}
    return first


def erased_under_hold(_: World, leaves: Leaves) -> int:
    hold = next(n for n, leaf in enumerate(leaves) if leaf["type"] == "hold.placed")
    common = {"at": leaves[hold]["at"], "entry": leaves[hold]["entry"], "list": LIST}
    leaves.insert(hold + 1, {**common, "type": "entry.withdrawn"})
    leaves.insert(hold + 2, {**common, "type": "entry.erased", "reason": "court_order"})
    return hold + 2


def listed_after_erasure(_: World, leaves: Leaves) -> int:
    erased = next(n for n, leaf in enumerate(leaves) if leaf["type"] == "entry.erased")
    listed = next(
        leaf for leaf in leaves if leaf["type"] == "entry.listed" and leaf["entry"] == leaves[erased]["entry"]
    )
    leaves.insert(erased + 1, listed)
    return erased + 1


def register_with_one_signature(_: World, leaves: Leaves) -> int:
    at = next(n for n, leaf in enumerate(leaves) if leaf["type"] == "register.published")
    metadata = leaves[at]["metadata"]
    leaves[at] = {**leaves[at], "metadata": {**metadata, "signatures": metadata["signatures"][:1]}}
    return at


def second_authority(_: World, leaves: Leaves) -> int:
    leaves.insert(9, leaves[0])
    return 9


def certificate_of_nobody(world: World, leaves: Leaves) -> int:
    at = next(n for n, leaf in enumerate(leaves) if leaf["type"] == "reviewer.certified")
    payload = jose.claims(rfc8785.dumps({"client": leaves[at]["client"]}))
    leaves[at] = {**leaves[at], "certificate": jose.sign(rfc8785.dumps(payload), jose.generate())}
    return at


BY_THE_SERVER: dict[str, Callable[[World, Leaves], int]] = {
    "a forged decision": forged_decision,
    "an approval with unmet criteria": unmet_criteria,
    "a decision signed long before": stale_decision,
    "a reviewer of the submitter's own organisation": own_organisation,
    "a reviewer that corroborated": corroborated_by_the_reviewer,
    "a quorum of one": dropped("entry.reviewed", "entry.approved"),
    "one organisation voting twice": voted_twice,
    "another entry's signature": another_entrys_signature,
    "a rejection made an approval": changed("entry.rejected", type="entry.approved"),
    "a listed entry without approval": without_approval,
    "an excuse for an entry without approval": dropped("entry.approved", "takedown.excused"),
    "a listed entry nobody submitted": dropped("entry.submitted", "entry.corroborated"),
    "a missing delist": dropped("entry.delisted", "list.published"),
    "a listing left out": dropped("entry.listed", "list.published"),
    "a listing of another commitment": changed("entry.listed", commitment="0" * 64),
    "a version left out": dropped("list.published", "list.published"),
    "a version with other commitments": changed("list.published", commitments_sha256="0" * 64),
    "a version of another size": changed("list.published", entry_count=7),
    "an erasure under hold": erased_under_hold,
    "a listing after erasure": listed_after_erasure,
    "a leaf of no known type": changed("list.created", type="list.invented"),
    "a register that one key signed": register_with_one_signature,
    "other register keys halfway": second_authority,
    "a certificate that no body signed": certificate_of_nobody,
}


@pytest.mark.parametrize("kind", BY_THE_SERVER)
def test_tampering_by_whoever_holds_every_key_of_the_server(world: World, kind: str, tmp_path: Path) -> None:
    leaves = [dict(leaf) for leaf in world.leaves]
    at = BY_THE_SERVER[kind](world, leaves)
    found = verify(world, rebuild(world, [rfc8785.dumps(leaf) for leaf in leaves]), tmp_path)
    assert (found["verified"], found["leaf"]) == (False, at), (leaves[at], found)


def test_the_rebuilding_itself_is_not_what_fails(world: World, tmp_path: Path) -> None:
    members = rebuild(world, [rfc8785.dumps(leaf) for leaf in world.leaves])
    assert verify(world, members, tmp_path)["verified"] is True


@pytest.mark.parametrize("body", [b"{ }", b"[]", b"{}", b'{"type":1}', b"\xff", b"", b'{"a":1,"a":1}'])
def test_leaves_that_are_none(world: World, body: bytes, tmp_path: Path) -> None:
    leaves = [rfc8785.dumps(leaf) for leaf in world.leaves]
    leaves[11] = body
    assert verify(world, rebuild(world, leaves), tmp_path)["leaf"] == 11


@pytest.mark.parametrize("how", ["another address", "another key", "left out", "no opening"])
def test_tampered_openings(world: World, how: str, tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.from_str(world.identity)
    lines = pyrage.decrypt(world.members["openings.age"], [identity]).splitlines()
    if how == "left out":
        lines = lines[1:]
    else:
        found = json.loads(lines[0])
        changes = {
            "another address": {"url": "https://other.example.test/"},
            "another key": {"commitment_key": "00" * 32},
            "no opening": {"url": None},
        }
        lines[0] = rfc8785.dumps(found | changes[how])
    sealed = pyrage.encrypt(b"".join(line + b"\n" for line in lines), [identity.to_public()])
    (tmp_path / "key").write_text(world.identity)
    members = world.members | {"openings.age": sealed}
    result = verify(world, members, tmp_path, "--openings", str(tmp_path / "key"))
    if how == "left out":
        assert (result["verified"], result["openings"]) == (True, 2)
    else:
        assert (result["verified"], bool(result["entry"])) == (False, True)


def test_files_that_are_no_export(tmp_path: Path) -> None:
    for content in (b"", b"nonsense", zstandard.ZstdCompressor().compress(b"nonsense" * 200)):
        (tmp_path / "file").write_bytes(content)
        done = CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "file")])
        assert done.exit_code == 1
        assert done.exception is None or isinstance(done.exception, SystemExit)
    assert CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "none")]).exit_code == 1


def test_a_download_goes_on_where_it_broke(world: World, tmp_path: Path) -> None:
    whole = make_export(world.service, world.auditor)
    made = world.auditor.request("POST", "/v1/audit/exports", json={}).json()
    world.service.exporter.round()
    address = f"/v1/audit/exports/{made['id']}"
    whole = world.auditor.request("GET", address).content
    part = world.auditor.request("GET", address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    (tmp_path / ".out.partial").write_bytes(whole[:1000])
    world.auditor.download(address, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == whole


def test_what_cannot_be_asked_for(world: World) -> None:
    def asked(connection: Connection, body: dict[str, Any]) -> httpx.Response:
        return connection.send("POST", "/v1/audit/exports", json=body)

    assert asked(world.auditor, {"list": "nothing"}).json()["errors"][0]["field"] == "list"
    wrong = {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    assert asked(world.auditor, wrong).json()["errors"][0]["field"] == "to"
    with world.service.connect(Kind.AUDITOR) as other:
        refused = asked(other, {"reveal": True})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (403, "reveal")
        mine = asked(other, {}).json()
        assert world.auditor.send("GET", f"/v1/audit/exports/{mine['id']}").status_code == 404
        asked(other, {})
        asked(other, {})
        assert asked(other, {}).status_code == 429
    world.service.exporter.round()


def test_dates_and_list_choose_the_manifests(world: World, tmp_path: Path) -> None:
    later = (world.service.clock() + timedelta(days=1)).isoformat()
    none = unpack(make_export(world.service, world.auditor, **{"from": later}))
    assert not [name for name in none if name.startswith("manifests/")]
    assert verify(world, none, tmp_path)["manifests"] == 0
    mine = unpack(make_export(world.service, world.auditor, list=LIST, to=later))
    assert verify(world, mine, tmp_path)["manifests"] == 3


def test_one_that_fails_keeps_no_other_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    organisation = world.service.organisation(Kind.AUDITOR)
    allow(organisation, str(pyrage.x25519.Identity.generate().to_public()), world.service)

    def broken(*_: object) -> None:
        raise RuntimeError

    with world.service.connect(Kind.AUDITOR, organisation) as auditor:
        failing = asked_for(auditor)
        other = auditor.request("POST", "/v1/audit/exports", json={}).json()
        with monkeypatch.context() as patch:
            patch.setattr("app.entries.listing.openings", broken)
            with pytest.raises(RuntimeError):
                world.service.exporter.round()
        assert auditor.send("GET", failing).status_code == 202
        assert auditor.send("GET", f"/v1/audit/exports/{other['id']}").status_code == 200
        world.service.exporter.round()
        assert auditor.send("GET", failing).status_code == 200


def test_exports_are_kept_for_a_day(world: World) -> None:
    made = world.auditor.request("POST", "/v1/audit/exports", json={}).json()
    world.service.exporter.round()
    world.service.clock.ahead += timedelta(days=1, seconds=1)
    world.service.exporter.round()
    world.service.clock.ahead -= timedelta(days=1, seconds=1)
    assert world.auditor.send("GET", f"/v1/audit/exports/{made['id']}").status_code == 410
    assert not list(world.service.settings.exports.iterdir())


def test_what_cannot_be_made_in_a_day_is_given_up_and_its_asker_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, organisation = world.service, world.service.organisation(Kind.AUDITOR)
    allow(organisation, str(pyrage.x25519.Identity.generate().to_public()), service)

    def broken(*_: object) -> None:
        raise RuntimeError

    with service.connect(Kind.AUDITOR, organisation) as auditor:
        failing = [asked_for(auditor) for _ in range(3)]
        assert auditor.send("POST", "/v1/audit/exports", json={}).status_code == 429
        with monkeypatch.context() as patch:
            patch.setattr("app.entries.listing.openings", broken)
            with pytest.raises(RuntimeError):
                service.exporter.round()
            service.clock.ahead += timedelta(days=1, seconds=1)
            service.exporter.round()
        service.clock.ahead -= timedelta(days=1, seconds=1)
        assert {auditor.send("GET", one).status_code for one in failing} == {410}
        assert auditor.send("POST", "/v1/audit/exports", json={}).status_code == 202
    names = [path.name for path in service.settings.exports.iterdir()]
    assert not [name for name in names if any(one.rpartition("/")[2] in name for one in failing)]


def test_a_right_that_was_taken_back_opens_nothing_more(world: World) -> None:
    """Not what waits to be made, not what was made already; and only the newest key is sealed to."""
    service, organisation = world.service, world.service.organisation(Kind.AUDITOR)
    old, new = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    with service.connect(Kind.AUDITOR, organisation) as auditor:
        allow(organisation, str(old.to_public()), service)
        made = asked_for(auditor)
        service.exporter.round()
        assert "openings.age" in unpack(auditor.request("GET", made).content)
        waiting = asked_for(auditor)
        deny(organisation, service)
        service.exporter.round()
        refused = auditor.send("GET", made)
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (403, "reveal-not-allowed")
        assert "openings.age" not in unpack(auditor.request("GET", waiting).content)
        allow(organisation, str(old.to_public()), service)
        waiting = asked_for(auditor)
        allow(organisation, str(new.to_public()), service)
        refused = auditor.send("GET", made)
        assert (refused.status_code, "new export" in refused.json()["detail"]) == (403, True)
        service.exporter.round()
        sealed = unpack(auditor.request("GET", waiting).content)["openings.age"]
        assert pyrage.decrypt(sealed, [new])
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(sealed, [old])


def asked_for(auditor: Connection) -> str:
    made = auditor.request("POST", "/v1/audit/exports", json={"reveal": True}).json()
    return f"/v1/audit/exports/{made['id']}"


def deny(organisation: str, service: Service) -> None:
    denied = ["audit", "deny", "--org", organisation]
    assert CliRunner().invoke(app, denied, env=service.environment).exit_code == 0
