"""`wardlist submit --file`: what a hotline is told of a file of its own, by the lines of that file."""

import pytest

from app.cli import hotline
from app.core.terms import Kind
from tests.cli.terminal import Terminal
from tests.programs.service import LIST

COMMON = [
    *("--list", LIST, "--ground", "lanzarote-20-1-b", "--material", "lanzarote-20-2-conduct-real"),
    *("--country", "NL", "--statement", "Assessed on site by two analysts."),
]


@pytest.fixture
def submit(terminal: Terminal) -> list[str]:
    """The command of a new hotline, for its file `urls.txt`."""
    file = ["--file", str(terminal.folder / "urls.txt")]
    return ["submit", *terminal.credentials(Kind.HOTLINE), *COMMON, *file]


def write(terminal: Terminal, *lines: str) -> None:
    (terminal.folder / "urls.txt").write_bytes("\r\n".join(lines).encode())


def test_faults_are_named_by_line_and_each_once(terminal: Terminal, submit: list[str]) -> None:
    good = [f"https://h{number}.example.test/" for number in range(3)]
    write(terminal, good[0], "", "ftp://a.example.test/", good[1], "https://192.0.2.1/", "not one", good[2])
    _, said = terminal.run(*submit, code=1)
    assert "line 3, line 6, url: write the address with http" in said
    assert "line 5, url: list the name, not the IP address. 0 of 6 were taken" in said
    assert said.count("http://") == 1
    errors = terminal.json(*submit, code=1)["problem"]["errors"]
    assert [(one["index"], one["place"]) for one in errors] == [(1, "line 3"), (3, "line 5"), (4, "line 6")]


def test_many_faults_are_counted(terminal: Terminal, submit: list[str]) -> None:
    write(terminal, *("ftp://a.example.test/" for _ in range(15)))
    _, said = terminal.run(*submit, code=1)
    assert "line 9, line 10 and 5 more (--json names all), url: " in said
    assert "the first" not in said


def test_a_refusal_that_names_the_first_faults_alone_says_so(terminal: Terminal, submit: list[str]) -> None:
    write(terminal, *("ftp://a.example.test/" for _ in range(150)))
    answer = terminal.json(*submit, code=1)
    assert len(answer["problem"]["errors"]) == 100
    assert "line 10 and 90 more (--json names all), url: " in answer["error"]
    assert "; these are the first 100 faults of this batch. 0 of 150 were taken" in answer["error"]


def test_a_file_without_an_address_is_named(terminal: Terminal, submit: list[str]) -> None:
    write(terminal, "", "")
    assert "urls.txt holds no URL" in terminal.run(*submit, code=1)[1]


def test_a_later_batch_s_faults_are_of_the_same_file(
    terminal: Terminal, submit: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotline, "BATCH", 2)
    write(terminal, *(f"https://h{number}.example.test/" for number in range(3)), "ftp://a.example.test/")
    _, said = terminal.run(*submit, code=1)
    assert "line 4, url: " in said
    assert "2 of 4 were taken before this batch, as batch " in said
    assert said.endswith("; mend it and send again from line 3 on")


def test_what_was_taken_before_a_refusal_can_be_taken_off_by_its_batch(
    terminal: Terminal, submit: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotline, "BATCH", 2)
    write(terminal, *(f"https://h{number}.example.test/" for number in range(5)), "ftp://a.example.test/")
    said = terminal.json(*submit, code=1)["error"]
    batches = said.partition("as batch ")[2].partition(";")[0].split(", batch ")
    assert len(set(batches)) == 2
    operator = terminal.credentials(Kind.OPERATOR)
    for one in batches:
        terminal.json("emergency", "--batch", one, *operator)
    terminal.json("emergency", "--batch", "none", *operator, code=1)


def test_the_mark_that_an_editor_begins_a_file_with_is_no_fault(
    terminal: Terminal, submit: list[str]
) -> None:
    write(terminal, "\ufeffhttps://h1.example.test/", "https://h2.example.test/")
    assert terminal.json(*submit)["submitted"] == 2


def test_a_file_that_cannot_be_read_is_named(terminal: Terminal, submit: list[str]) -> None:
    assert "urls.txt: No such file or directory" in terminal.run(*submit, code=1)[1]
    (terminal.folder / "urls.txt").write_bytes(b"\xff\xfe\x00")
    assert "urls.txt is not UTF-8" in terminal.run(*submit, code=1)[1]


def test_another_hotline_s_batch_is_not_named(terminal: Terminal, submit: list[str]) -> None:
    write(terminal, "https://h1.example.test/", "https://h2.example.test/")
    assert "batch " in terminal.run(*submit)[0]
    submit[1:3] = terminal.credentials(Kind.HOTLINE)
    assert "batch " not in terminal.run(*submit)[0]
