"""Made-up entries that name a leak's source: in a provider's own file, and nowhere else."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.core import commitment
from app.core.policy import Policy
from app.core.terms import EntryScope, Kind
from app.lists.canary_entries import CanaryEntries, is_touched
from app.lists.formats import FORMATS
from app.lists.formats.sheet import Sheet
from tests.lists.sealed import MADE_UP, SealedList
from tests.programs.service import new_entry

NAMES = [MADE_UP, "other.example"]
MADE = CanaryEntries(bytes(32), NAMES)
EVERY_SCOPE = Policy(scopes=list(EntryScope))
ISPS = ["0" * 32, "1" * 32]


def opened(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_they_are_others_for_each_provider_and_list_and_the_same_each_time() -> None:
    pairs = [(name, isp) for name in ("one", "two") for isp in ISPS]
    every = {pair: MADE.lines(*pair, EVERY_SCOPE) for pair in pairs}
    for field in ("url", "entry", "commitment_key"):
        assert len({one[field] for lines in every.values() for one in opened(lines)}) == 8
    assert every == {pair: CanaryEntries(bytes(32), NAMES).lines(*pair, EVERY_SCOPE) for pair in pairs}
    assert every != {pair: CanaryEntries(b"x" * 32, NAMES).lines(*pair, EVERY_SCOPE) for pair in pairs}
    assert "0000" not in repr(MADE)


@pytest.mark.parametrize(
    ("scopes", "made"),
    [
        (list(EntryScope), ["url", "host"]),
        (["path"], ["path"]),
        (["domain"], ["domain"]),
        (["path", "domain"], ["path", "domain"]),
    ],
)
def test_they_are_of_scopes_the_list_takes_and_written_as_entries_are(
    scopes: list[EntryScope], made: list[str]
) -> None:
    lines = MADE.lines("one", ISPS[0], Policy(scopes=scopes))
    assert [one["scope"] for one in opened(lines)] == made
    for line, one in zip(lines, opened(lines), strict=True):
        key = bytes.fromhex(one.pop("commitment_key"))
        assert line == commitment.list_line(key, **one)
        assert is_touched(NAMES, EntryScope.HOST, str(urlsplit(one["url"]).hostname))


def test_without_a_name_of_the_operator_there_are_none() -> None:
    none = CanaryEntries(bytes(32), [])
    assert none.lines("one", ISPS[0], EVERY_SCOPE) == []
    assert none.names("one", ISPS[0]) == []
    assert none.labels_in("abcdefghijklmnop.canary.operator.example") == set()


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"hashes"}))
def test_a_leaked_file_of_any_format_names_whose_it_was(form: Any) -> None:
    lines = sorted(MADE.lines("one", ISPS[1], EVERY_SCOPE))
    text = b"".join(FORMATS[form].render(Sheet("one", 1, lines))).decode()
    found = MADE.labels_in(text.upper())
    assert found
    assert found <= set(MADE.names("one", ISPS[1]))
    assert not found & {*MADE.names("one", ISPS[0]), *MADE.names("two", ISPS[1])}
    assert MADE.labels_in(text.replace(".example", ".test")) == set()


def test_a_subscriber_alone_is_told_of_its_own_and_no_figure_counts_them(
    world: SealedList, name: str
) -> None:
    one, other = world.holder(name), world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    told = {isp.organisation: world.newest_part(isp, name) for isp in (one, other)}
    made = {isp: part["canary_entries"] for isp, part in told.items()}
    assert [len(entries) for entries in made.values()] == [2, 2]
    assert made[one.organisation] != made[other.organisation]
    assert len(world.own_parts(one, name)) == 1
    manifest = world.manifest(1, name)
    assert manifest.entry_count == 1
    lines = world.lines(one, 1, name) or []
    assert commitment.content_sha256(lines) == manifest.content_sha256
    secret = {value for entries in made.values() for entry in entries for value in canary_words(entry)}
    home = world.service.settings.home
    places = [world.service.settings.log, world.service.settings.public, *home.glob("wardlist.db*")]
    for path in (path for place in places for path in (place, *place.rglob("*")) if path.is_file()):
        body = path.read_bytes()
        assert not [word for word in secret if word.encode() in body], path.name
    assert MADE_UP not in "".join(world.service.state())


def canary_words(entry: dict[str, str]) -> set[str]:
    """What of a canary entry is found nowhere else."""
    return {str(urlsplit(entry["url"]).hostname).split(".")[0], entry["entry"], entry["commitment_key"]}


@pytest.mark.parametrize(
    ("host", "scope", "is_refused"),
    [
        (f"abc.{MADE_UP}", "url", True),
        (MADE_UP, "url", True),
        (f"a.b.{MADE_UP}", "host", True),
        ("operator.example", "domain", True),
        ("operator.example", "host", False),
        (f"not{MADE_UP}", "domain", False),
        (f"{MADE_UP}.example.test", "url", False),
    ],
)
def test_nothing_is_listed_on_or_over_the_operator_s_names(
    world: SealedList, name: str, host: str, scope: str, is_refused: bool
) -> None:
    body = new_entry(f"https://{host}/page/1", scope=scope, list=name)
    answer = world.hotline.send("POST", "/v1/entries", json=body)
    assert answer.status_code == (422 if is_refused else 201)
    if is_refused:
        assert answer.json()["type"].endswith(":operator-name")
        assert host not in answer.text


def test_in_a_batch_the_refusal_names_the_entry(world: SealedList, name: str) -> None:
    urls = ("https://a.example.test/", f"https://x.{MADE_UP}/")
    bodies = [new_entry(url, list=name) for url in urls]
    answer = world.hotline.send("POST", "/v1/entries/batch", json={"entries": bodies})
    assert answer.status_code == 422
    assert [one["index"] for one in answer.json()["errors"]] == [1]


def test_who_is_no_subscriber_is_told_of_nothing(world: SealedList, name: str) -> None:
    reader, outsider = world.holder(name), world.holder()
    world.list_some(1, name)
    world.publish(name)
    path = f"/v1/lists/{name}/keys"
    statuses = []
    for isp in (reader, outsider):
        client = world.service.connect(Kind.ISP, isp.organisation, world.inside)
        statuses.append(client.send("GET", path).status_code)
    assert statuses == [200, 404]
    assert world.hotline.send("GET", path).status_code == 403
    world.take_off(reader, name)
    client = world.service.connect(Kind.ISP, reader.organisation, world.inside)
    assert client.send("GET", path).status_code == 404
