"""Files on the hot addresses: parts, encodings made beforehand, large ones in pieces."""

import gzip
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
import zstandard

from app.client.session import Connection
from app.core.terms import Confidentiality, Kind
from app.identity import service as identity
from app.lists.targets import TargetFolder
from tests.distribution.test_snapshots import SNAPSHOTS
from tests.lists.test_staging import organisation_of
from tests.programs.service import LIST, Service, approve, new_entry, running

SEALED = "sealed-list"
ARTEFACT, DELTA = f"{SNAPSHOTS}/1/jsonl", f"/v1/lists/{LIST}/deltas/1"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Twenty entries on a plain list, and as many on a sealed one."""
    with running(Service(tmp_path_factory.mktemp("files") / "home")) as up:
        up.add_list()
        up.add_list(SEALED, confidentiality=Confidentiality.SEALED)
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            for name in (LIST, SEALED):
                bodies = [new_entry(f"https://h{number}.example.test/", list=name) for number in range(20)]
                made = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
                for entry in made["entries"]:
                    approve(reviewer, entry)
        up.publish()
        yield up


@pytest.fixture(scope="module")
def isp(listed: Service) -> Iterator[Connection]:
    organisation = organisation_of(listed)
    with listed.database.writing() as session:
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        identity.add_recipient(session, organisation, recipient, listed.clock())
    listed.subscribe(organisation, SEALED)
    with listed.connect(Kind.ISP, organisation) as client:
        yield client


def targets(service: Service) -> Path:
    return service.settings.public / "targets"


def raw(client: Connection, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers, and the body as it went over the wire."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"Authorization": f"Bearer {client.token()}", "Accept-Encoding": "identity", **named}
    with client._http.stream("GET", path, headers=named) as answer:
        return answer.status_code, dict(answer.headers), b"".join(answer.iter_raw())


def unpacked(data: bytes) -> bytes:
    """Undo zstd; the frame says nothing of the length."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.parametrize("path", [ARTEFACT, DELTA, f"{SNAPSHOTS}/1/csv"])
def test_each_encoding_is_the_same_file_under_a_validator_of_its_own(isp: Connection, path: str) -> None:
    _, plain, body = raw(isp, path)
    assert "content-encoding" not in plain
    undone = {"gzip": gzip.decompress, "zstd": unpacked}
    validators = {plain["etag"]}
    for name, undo in undone.items():
        status, headers, encoded = raw(isp, path, Accept_Encoding=name)
        assert (status, headers["content-encoding"]) == (200, name)
        assert undo(encoded) == body
        assert len(encoded) < len(body)
        assert "Accept-Encoding" in headers["vary"]
        assert raw(isp, path, Accept_Encoding=name, If_None_Match=headers["etag"])[0] == 304
        assert raw(isp, path, Accept_Encoding=name, If_None_Match=plain["etag"])[0] == 200
        validators.add(headers["etag"])
    assert len(validators) == 3


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("zstd;q=0, *", "gzip"),
        ("br, identity", None),
        ("gzip;q=0", None),
        ("gzip;q=much", None),
    ],
)
def test_the_caller_s_weights_decide(isp: Connection, accept: str, encoding: str | None) -> None:
    assert raw(isp, ARTEFACT, Accept_Encoding=accept)[1].get("content-encoding") == encoding


def test_what_the_repository_hands_out_is_never_encoded(listed: Service, isp: Connection) -> None:
    file = next((targets(listed) / "lists" / LIST / "1").glob("*.list.jsonl"))
    path = f"/tuf/targets/lists/{LIST}/1/{file.name}"
    status, headers, body = raw(isp, path, Accept_Encoding="gzip, zstd")
    assert (status, body, headers.get("content-encoding")) == (200, file.read_bytes(), None)
    for suffix in (".gz", ".zst"):
        assert file.with_name(file.name + suffix).is_file()
        assert raw(isp, path + suffix)[0] == 404


def test_sealed_files_have_nothing_beside_them(listed: Service, isp: Connection) -> None:
    files = [path.name for path in (targets(listed) / "lists" / SEALED).rglob("*") if path.is_file()]
    assert any(name.endswith(".jsonl.age") for name in files)
    assert not [name for name in files if name.endswith((".gz", ".zst"))]
    status, headers, _ = raw(isp, f"/v1/lists/{SEALED}/snapshots/1/jsonl", Accept_Encoding="gzip, zstd")
    assert (status, headers.get("content-encoding"), headers["vary"]) == (200, None, "Authorization")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=10-", 10, None), ("bytes=-7", -7, None), ("bytes=5-99999999", 5, None)],
)
def test_a_part_is_that_part(isp: Connection, encoding: str, asked: str, start: int, end: int | None) -> None:
    _, _, body = raw(isp, ARTEFACT, Accept_Encoding=encoding)
    status, headers, part = raw(isp, ARTEFACT, Accept_Encoding=encoding, Range=asked)
    first = start if start >= 0 else len(body) + start
    assert (status, part) == (206, body[start:end])
    assert headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{len(body)}"
    assert headers["content-length"] == str(len(part))


def test_a_part_of_another_file_than_the_caller_began_with_is_the_whole(isp: Connection) -> None:
    _, plain, body = raw(isp, ARTEFACT)
    assert raw(isp, ARTEFACT, Range="bytes=5-", If_Range=plain["etag"])[2] == body[5:]
    for other in ('"another"', f"W/{plain['etag']}", "Wed, 25 Nov 2026 00:00:00 GMT"):
        status, _, whole = raw(isp, ARTEFACT, Range="bytes=5-", If_Range=other)
        assert (status, whole) == (200, body)


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=9-3", "lines=1-2", "bytes=-", "bytes=a-b"])
def test_a_range_that_is_not_served_is_ignored(isp: Connection, asked: str) -> None:
    assert raw(isp, ARTEFACT, Range=asked)[0] == 200


@pytest.mark.parametrize("asked", ["bytes=0-1", "bytes=99999999-"])
@pytest.mark.parametrize("further", [{}, {"Content-Length": "0"}], ids=["hot", "by the framework"])
def test_head_knows_no_parts(isp: Connection, asked: str, further: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {isp.token()}", "Accept-Encoding": "identity", "Range": asked}
    answer = isp._http.head(ARTEFACT, headers=headers | further)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(raw(isp, ARTEFACT)[2]))


def test_head_reads_no_file(isp: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever asks costs a whole file each time, and takes nothing of it."""
    read: list[int] = []

    def noted(_file: int, size: int, _place: int) -> bytes:
        read.append(size)
        return bytes(size)

    monkeypatch.setattr(os, "pread", noted)
    headers = {"Authorization": f"Bearer {isp.token()}", "Content-Length": "0"}
    assert isp._http.head(ARTEFACT, headers=headers).status_code == 200
    assert read == []
    raw(isp, ARTEFACT)
    assert read != []


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_part_beyond_the_end_is_refused(isp: Connection, asked: str) -> None:
    status, headers, body = raw(isp, ARTEFACT, Range=asked)
    length = len(raw(isp, ARTEFACT)[2])
    assert (status, headers["content-range"]) == (416, f"bytes */{length}")
    assert b"urn:wardlist:problem:range-not-satisfiable" in body


def test_a_large_file_comes_in_pieces_and_whole(listed: Service, isp: Connection) -> None:
    content = os.urandom((3 << 20) + 17)
    name = f"{hashlib.sha256(content).hexdigest()}.register.json"
    (targets(listed) / name).write_bytes(content)
    assert raw(isp, f"/tuf/targets/{name}")[2] == content
    assert raw(isp, f"/tuf/targets/{name}", Range="bytes=1048570-2097160")[2] == content[1048570:2097161]
    (targets(listed) / name).unlink()
    assert raw(isp, f"/tuf/targets/{name}")[0] == 404


def test_what_is_beside_a_file_goes_with_it(listed: Service, tmp_path: Path) -> None:
    copied = tmp_path / "targets" / "lists" / LIST / "1"
    copied.mkdir(parents=True)
    for path in (targets(listed) / "lists" / LIST / "1").iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    assert len(list(copied.glob("*.gz"))) == 3
    TargetFolder(tmp_path / "targets").forget(LIST, 1, 2)
    assert [path.name.split(".", 1)[1] for path in copied.iterdir()] == ["manifest.json"]
