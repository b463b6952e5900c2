"""`wardlist list trace`: a file that leaked names the provider it was made for, whatever its format."""

import gzip
import json
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard
from typer.testing import CliRunner

from app.cli.main import app
from app.core import age
from app.core.terms import Format
from app.lists import tracing
from app.lists.formats import FORMATS
from app.lists.formats.sheet import Sheet
from tests.client.installing import line
from tests.lists.sealed import MADE_UP, Holder, SealedList
from tests.programs.service import LIST

NOTHING = "this file holds no canary entry of this installation"


class Leak(NamedTuple):
    """A sealed list with three providers; the first one's file leaks, the last one left long ago."""

    world: SealedList
    first: Holder
    second: Holder
    gone: Holder

    def file_of(self, holder: Holder, form: Format, listed: int = 50) -> bytes:
        """What a provider's own program writes: the listed lines, and those for it alone."""
        others = [line(f"http://h{at}.example.test/p{at}") for at in range(listed)]
        others += [line(f"http://d{at}.example.test/", "domain") for at in range(listed)]
        told = self.told(holder)
        own = [line_of(one) for one in told["canary_entries"]]
        assert own
        key = bytes.fromhex(told["match_keys"][0]["key"])
        sheet = Sheet(LIST, 7, sorted(others + own), key)
        return b"".join(FORMATS[form].render(sheet))

    def told(self, holder: Holder) -> dict[str, Any]:
        """What the subscribers' file says to a provider."""
        return self.world.newest_part(holder)

    def trace(self, file: Path, code: int = 0) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["list", "trace", str(file), "--json"])
        assert done.exit_code == code, done.output
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
        return answer


def line_of(entry: dict[str, str]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leak]:
    with (
        closing(SealedList(tmp_path_factory.mktemp("tracing"))) as world,
        pytest.MonkeyPatch.context() as patch,
    ):
        world.add_list()
        patch.delenv("WARDLIST_DATABASE_URL", raising=False)
        for name, value in {**world.service.environment, "WARDLIST_CANARY_SUFFIXES": MADE_UP}.items():
            patch.setenv(name, value)
        one = Leak(world, *(world.holder(LIST) for _ in range(3)))
        world.list_some(2)
        world.publish()
        yield one


def sources(holder: Holder) -> list[tuple[str, str]]:
    return [(LIST, holder.organisation)]


def found(answer: dict[str, Any]) -> list[tuple[str, str]]:
    assert all(one["name"].startswith("isp ") for one in answer["found"])
    return [(one["list"], one["organisation"]) for one in answer["found"]]


@pytest.mark.parametrize("form", list(FORMATS))
def test_a_file_of_any_format_names_its_provider(leak: Leak, form: Format, tmp_path: Path) -> None:
    file = tmp_path / "leaked"
    for holder in (leak.first, leak.second):
        file.write_bytes(leak.file_of(holder, form))
        assert found(leak.trace(file)) == sources(holder)


def test_a_text_of_addresses_however_it_was_changed(leak: Leak, tmp_path: Path) -> None:
    urls = "\r\n".join(one["url"].upper() for one in leak.told(leak.second)["canary_entries"])
    file = tmp_path / "leaked"
    file.write_bytes(b"\xff\xfe" + urls.replace(".", "\\.").encode())
    assert found(leak.trace(file)) == sources(leak.second)


def test_compressed_and_mixed_files(leak: Leak, tmp_path: Path) -> None:
    both = leak.file_of(leak.first, Format.CSV) + leak.file_of(leak.second, Format.JSONL)
    file = tmp_path / "leaked"
    for packed in (gzip.compress(both), zstandard.compress(both)):
        file.write_bytes(packed)
        assert found(leak.trace(file)) == sorted(sources(leak.first) + sources(leak.second))
    for damaged in (gzip.compress(both)[:-20], b"\x28\xb5\x2f\xfd" + b"damage" * 9):
        file.write_bytes(damaged)
        assert "damaged" in leak.trace(file, code=1)["error"]


def test_a_name_across_two_reads_is_found(leak: Leak, tmp_path: Path) -> None:
    host = leak.told(leak.first)["canary_entries"][0]["url"].split("/")[2].encode()
    file = tmp_path / "leaked"
    for before in range(1, len(host), 7):
        file.write_bytes(b"x\n" * ((1 << 19) - 40) + b"\n" * (80 - before) + host + b"\n" * 200)
        assert found(leak.trace(file)) == sources(leak.first)


def test_a_provider_that_was_taken_off_is_still_found(leak: Leak, tmp_path: Path) -> None:
    file = tmp_path / "leaked"
    file.write_bytes(leak.file_of(leak.gone, Format.JSONL))
    (tmp_path / "hashes").write_bytes(leak.file_of(leak.gone, Format.HASHES))
    leak.world.take_off(leak.gone)
    leak.world.publish()
    assert found(leak.trace(file)) == sources(leak.gone)
    # Its key is kept until nobody is given it any longer.
    assert found(leak.trace(tmp_path / "hashes")) == sources(leak.gone)


def test_files_that_say_nothing(leak: Leak, tmp_path: Path) -> None:
    file = tmp_path / "leaked"
    for content in (b"", b"http://a.example.test/1\n", f"abcdefghijklmnop.{MADE_UP}\n".encode()):
        file.write_bytes(content)
        assert leak.trace(file) == {"found": []}
    done = CliRunner().invoke(app, ["list", "trace", str(file)])
    assert done.stdout == f"{NOTHING}\n"

    file.write_bytes(age.seal_bytes(b"x", [age.generate()[1]]))
    assert "sealed" in leak.trace(file, code=1)["error"]
    own = Sheet(LIST, 7, [line("http://a.example.test/1")], os.urandom(32))
    file.write_bytes(b"".join(FORMATS[Format.HASHES].render(own)))
    assert "another installation" in leak.trace(file, code=1)["error"]
    file.write_bytes(leak.file_of(leak.first, Format.HASHES)[:-5])
    assert leak.trace(file, code=1)["error"]
    assert leak.trace(tmp_path / "none", code=1)["error"]


def test_without_names_of_its_own_the_operator_is_told(
    leak: Leak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARDLIST_CANARY_SUFFIXES")
    assert "WARDLIST_CANARY_SUFFIXES" in leak.trace(tmp_path / "any", code=1)["error"]


def test_a_search_keeps_nobody_from_writing_and_nobody_keeps_it_waiting(leak: Leak, tmp_path: Path) -> None:
    file = tmp_path / "leaked"
    file.write_bytes(leak.file_of(leak.first, Format.JSONL))
    with leak.world.service.database.writing():
        assert found(leak.trace(file)) == sources(leak.first)


def test_hashes_that_unpack_without_end_are_refused(
    leak: Leak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "_LARGEST_HASHES", 1 << 22)
    whole = leak.file_of(leak.first, Format.HASHES)
    file = tmp_path / "leaked"
    file.write_bytes(gzip.compress(whole + bytes(64 << 20)))
    tracemalloc.start()
    try:
        assert leak.trace(file, code=1)["error"].endswith("something follows the last number")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 32 << 20


def test_an_empty_part_before_a_compressed_file_hides_nothing(leak: Leak, tmp_path: Path) -> None:
    packed = zstandard.compress(leak.file_of(leak.first, Format.JSONL))
    file = tmp_path / "leaked"
    file.write_bytes(zstandard.compress(b"") + packed)
    assert found(leak.trace(file)) == sources(leak.first)
