"""A list in every format: each version's files are made from what that version holds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client.session import Connection
from app.core import age
from app.core.terms import Confidentiality, Format, Kind
from app.identity import service as identity
from app.lists import service as lists
from app.lists.formats import FORMATS, hashes
from app.lists.formats.hashes import Hashes, WrongKey
from app.lists.formats.sheet import Sheet
from tests.programs.service import Service, approve, new_entry, running

LIST = "every-format"
SNAPSHOTS = f"/v1/lists/{LIST}/snapshots"
PAGE = "http://a.example.test/1"
QUORUM = {"url": 1, "path": 1, "host": 2, "domain": 2}


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[Service]:
    """A service with a list in every format."""
    with running(Service(tmp_path / "home")) as up:
        up.add_list(LIST, formats=list(Format), quorum=QUORUM)
        yield up


def list_one(
    service: Service, hotline: Connection, address: str, scope: str = "url", name: str = LIST
) -> str:
    """An approved entry's id."""
    entry = hotline.request("POST", "/v1/entries", json=new_entry(address, list=name, scope=scope)).json()
    for _ in range(QUORUM[scope]):
        with service.connect(Kind.REVIEW_BODY) as reviewer:
            approve(reviewer, entry)
    return str(entry["id"])


def published(service: Service, provider: Connection) -> dict[Format, bytes]:
    """The newest version's files, each of which is checked to be what the reference form gives."""
    service.publish()
    version = provider.request("GET", f"{SNAPSHOTS}/latest").json()["version"]
    files = {one: provider.request("GET", f"{SNAPSHOTS}/{version}/{one}").content for one in Format}
    key = service.keyring.match_keys(LIST).key(1)
    sheet = Sheet(LIST, version, files[Format.JSONL].splitlines(), key)
    assert files == {one: b"".join(FORMATS[one].render(sheet)) for one in Format}
    return files


def test_every_format_follows_the_entries_from_version_to_version(everything: Service) -> None:
    organisation = everything.organisation(Kind.ISP)
    everything.subscribe(organisation, LIST)
    with everything.connect(Kind.HOTLINE) as hotline, everything.connect(Kind.ISP, organisation) as provider:
        first = list_one(everything, hotline, "http://a.example.test/1")
        list_one(everything, hotline, "http://a.example.test/2", "path")
        host = list_one(everything, hotline, "http://host.example.test/", "host")
        before = published(everything, provider)
        hotline.request("POST", f"/v1/entries/{first}/withdrawal")
        hotline.request("POST", f"/v1/entries/{host}/withdrawal")
        list_one(everything, hotline, "http://domain.example.test/", "domain")
        after = published(everything, provider)
    assert (len(Hashes.read(before[Format.HASHES])), len(Hashes.read(after[Format.HASHES]))) == (3, 2)
    assert b"domain.example.test" in after[Format.RPZ]
    assert b"host.example.test" not in after[Format.RPZ]


def test_a_sealed_lists_hashes_are_open_and_change_with_the_match_key(everything: Service) -> None:
    stays, leaves = (everything.organisation(Kind.ISP) for _ in range(2))
    everything.add_list("closed", formats=list(Format), confidentiality=Confidentiality.SEALED)
    for one in (stays, leaves):
        with everything.database.writing() as session:
            identity.add_recipient(session, one, age.generate()[1], everything.clock())
        everything.subscribe(one, "closed")
    with everything.connect(Kind.HOTLINE) as hotline, everything.connect(Kind.ISP, stays) as provider:
        list_one(everything, hotline, PAGE, name="closed")
        first = newest_hashes(everything, provider)
        with everything.database.writing() as session:
            lists.unsubscribe(session, "closed", leaves, everything.clock())
        second = newest_hashes(everything, provider)
    old, new = (everything.keyring.match_keys("closed").key(number) for number in (1, 2))
    assert first.covers(old, PAGE)
    assert second.covers(new, PAGE)
    assert hashes.value(old, "url", PAGE.removeprefix("http://")) not in second
    with pytest.raises(WrongKey):
        second.covers(old, PAGE)


def newest_hashes(service: Service, provider: Connection) -> Hashes:
    """Of the sealed list; every other file of it is an age file."""
    service.publish()
    found = "/v1/lists/closed/snapshots"
    manifest = provider.request("GET", f"{found}/latest").json()
    open_ones = [one for one, file in manifest["artefacts"].items() if not file["path"].endswith(".age")]
    assert open_ones == [Format.HASHES]
    return Hashes.read(provider.request("GET", f"{found}/{manifest['version']}/hashes").content)
