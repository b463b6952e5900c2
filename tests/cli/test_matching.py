"""`wardlist isp match`: one URL, or one a line with an answer a line, and never the URL again."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.client.store import Store
from tests.client.installing import install, line

LISTED, OTHER = "https://a.example.test/1", "https://a.example.test/2"


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    install(tmp_path, 3, line(LISTED), line("http://d.example.test/", "domain"))
    install(tmp_path, 7, line(LISTED), name="second")
    return tmp_path


def run(lists: Path, *words: str | Path, typed: str | bytes | None = None, code: int = 0) -> Result:
    done = CliRunner().invoke(
        app, ["isp", "match", "--dir", str(lists), *(str(word) for word in words)], input=typed
    )
    assert done.exit_code == code, done.output
    assert "example.test" not in done.output
    return done


def objects(done: Result) -> list[dict[str, Any]]:
    return [json.loads(one) for one in done.stdout.splitlines()]


def test_one_address(lists: Path) -> None:
    said = run(lists, LISTED, "--list", "second").stdout
    assert said.startswith("listed: second version 7, entry ")
    assert said.endswith(", scope url\n")
    assert len(run(lists, LISTED).stdout.splitlines()) == 2
    assert run(lists, OTHER).stdout == "not listed\n"
    (answer,) = objects(run(lists, "HTTP://A.example.test:80/./1#x", "--json"))
    assert answer["listed"] is True
    assert [(one["list"], one["version"], one["scope"]) for one in answer["matches"]] == [
        ("national-url", 3, "url"),
        ("second", 7, "url"),
    ]
    assert objects(run(lists, OTHER, "--json")) == [{"listed": False, "matches": []}]


def test_a_list_that_was_dropped_covers_nothing_and_is_named(lists: Path) -> None:
    Store(lists).drop("second")
    done = run(lists, LISTED, "--json")
    assert [one["list"] for one in objects(done)[0]["matches"]] == ["national-url"]
    assert "second is not in force" in done.stderr
    assert "not in force" not in run(lists, LISTED, "--list", "national-url").stderr


@pytest.mark.parametrize("way", ["file", "input", "words"])
def test_many_addresses(lists: Path, way: str) -> None:
    asked = [LISTED, OTHER, "not a url", "http://www.d.example.test/x?y", "", "http://é.example/%ff"]
    (lists / "urls").write_text("\r\n".join(asked))
    ways: dict[str, tuple[list[str | Path], bytes | None]] = {
        "file": (["--file", lists / "urls"], None),
        "input": (["-"], (lists / "urls").read_bytes()),
        "words": ([*asked], None),
    }
    words, typed = ways[way]
    said = run(lists, *words, "--list", "national-url", typed=typed).stdout.splitlines()
    assert [one.split(" version")[0] for one in said] == [
        "listed: national-url",
        "not listed",
        "this is not a web address",
        "listed: national-url",
        "this is not a web address",
        "not listed",
    ]
    answers = objects(run(lists, *words, "--json", typed=typed))
    assert [one["listed"] for one in answers] == [True, False, False, True, False, False]
    assert [len(one["matches"]) for one in answers] == [2, 0, 0, 1, 0, 0]
    assert answers[2]["error"] == "this is not a web address"


def test_refusals(lists: Path, tmp_path: Path) -> None:
    assert "name URLs" in run(lists, code=1).output
    assert "name URLs" in run(lists, LISTED, "--file", lists / "urls", code=1).output
    assert "--file" in run(lists, "--file", lists / "none", code=1).output
    assert "not installed here" in run(lists, LISTED, "--list", "other", code=1).output
    assert "no list is installed" in run(tmp_path / "empty", LISTED, code=1).output
    for slip in ("mailto:x@y.example", "not a url", "a%20b"):
        assert "not a web address" in run(lists, slip, code=1).output
    (lists / "lists" / "second" / "current" / "list.jsonl").write_text("{}\n")
    assert "sync again" in run(lists, LISTED, code=1).output
