"""Squid's helper: the protocol, and what it holds while lists change."""

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.client.matcher import Matcher
from app.client.squid import LONGEST, Newest, answer, speak
from app.client.store import Store
from tests.client.installing import install, line

ENTRIES = (
    line("http://a.example.test/1"),
    line("http://a.example.test/x%23y?q=%20"),
    line("http://p.example.test/in", "path"),
    line("http://h.example.test/", "host"),
    line("http://d.example.test/", "domain"),
)
OK = b"OK message=national-url-12 tag=national-url-12\n"
ERR = b"ERR\n"


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(("national-url", 12, one) for one in ENTRIES)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (b"0 http://a.example.test/1", b"0 " + OK),
        (b"17 http://a.example.test/2 GET -", b"17 ERR\n"),
        (b"255 HTTP://A.EXAMPLE.TEST:80/./1", b"255 " + OK),
        (b"1 http://a.example.test/x%2523y?q=%2520 -", b"1 " + OK),
        (b"1 http://a.example.test/1%23part -", b"1 " + OK),
        (b"1 http://a.ex%2561mple.test/1", b"1 " + OK),
        (b"1 a.example.test:443 CONNECT", b"1 ERR\n"),
        (b"1 p.example.test:443 CONNECT", b"1 ERR\n"),
        (b"1 h.example.test:443 CONNECT", b"1 " + OK),
        (b"1 H.Example.Test.:8443", b"1 " + OK),
        (b"1 www.h.example.test:443", b"1 ERR\n"),
        (b"1 www.d.example.test:443", b"1 " + OK),
        (b"1 [2001:db8::1]:443", b"1 ERR\n"),
        (b"1 mailto:a@example.test", b"1 ERR\n"),
        (b"1 - -", b"1 ERR\n"),
        (b"1 %ff%00%0a%zz", b"1 ERR\n"),
        (b"2\r", b"2 BH message=no-address\n"),
        (b"", b"BH message=no-channel\n"),
        (b"http://a.example.test/1", b"BH message=no-channel\n"),
        (b"3 http://a.example.test/" + b"a" * LONGEST, b"3 BH message=too-long\n"),
    ],
)
def test_a_line_is_answered(matcher: Matcher, asked: bytes, told: bytes) -> None:
    assert answer(matcher, asked) == told


def test_without_channels(matcher: Matcher) -> None:
    assert answer(matcher, b"http://a.example.test/1 GET", has_channels=False) == OK
    assert answer(matcher, b"http://a.example.test/2", has_channels=False) == ERR
    assert answer(matcher, b"", has_channels=False) == b"BH message=no-address\n"


def test_where_nothing_is_installed_everything_passes(tmp_path: Path) -> None:
    told: list[str] = []
    newest = Newest(Store(tmp_path), None, told.append)
    for _ in range(3):
        newest.look()
    assert answer(newest.matcher, b"0 http://a.example.test/1") == b"0 ERR message=no-list-installed\n"
    assert told == ["no list is installed; everything passes"]


def test_lines_that_come_in_pieces_or_together(matcher: Matcher, tmp_path: Path) -> None:
    install(tmp_path, 12, *ENTRIES)
    newest = Newest(Store(tmp_path), None, print)
    newest.look()
    asked = b"".join(b"%d http://a.example.test/%d -\n" % (at, at % 3) for at in range(9))
    wanted = b"".join(b"%d " % at + (OK if at % 3 == 1 else ERR) for at in range(9))
    for most in (7, 10_000):
        source, answers = io.BytesIO(asked), io.BytesIO()
        speak(lambda _, source=source, most=most: source.read(most), answers.write, newest)  # type: ignore[misc]
        assert answers.getvalue() == wanted
    endless = io.BytesIO(
        b"0 http://a.example.test/" + b"a" * (3 * LONGEST) + b"\n1 http://a.example.test/1\n"
    )
    answers = io.BytesIO()
    speak(endless.read, answers.write, newest)
    assert answers.getvalue() == b"0 BH message=too-long\n1 " + OK


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asks(newest: Newest, address: str) -> bytes:
    newest.look()
    return answer(newest.matcher, address.encode(), has_channels=False)


def test_a_new_version_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    told: list[str] = []
    clock = Clock()
    newest = Newest(Store(tmp_path), None, told.append, clock)
    install(tmp_path, 12, *ENTRIES)
    assert asks(newest, "http://a.example.test/1") == OK
    kept = newest.matcher
    newest.look()
    assert newest.matcher is kept
    install(tmp_path, 13, line("http://b.example.test/1"))
    assert asks(newest, "http://a.example.test/1") == ERR
    assert b"national-url-13" in asks(newest, "http://b.example.test/1")
    assert told == []

    broken = install(tmp_path, 14, line("http://c.example.test/1"))
    whole = (broken / "list.jsonl").read_bytes()
    (broken / "list.jsonl").write_bytes(whole[:-20])
    assert b"national-url-13" in asks(newest, "http://b.example.test/1")
    assert told == ["an installed line is not an entry; sync again; the list before stays"]
    (broken / "list.jsonl").write_bytes(whole)
    assert b"national-url-13" in asks(newest, "http://b.example.test/1")
    clock.now += 60
    assert b"national-url-14" in asks(newest, "http://c.example.test/1")

    (tmp_path / "lists").rename(tmp_path / "gone")
    assert b"national-url-14" in asks(newest, "http://c.example.test/1")
    (tmp_path / "gone").rename(tmp_path / "lists")
    install(tmp_path, 1, line("http://o.example.test/", "domain"), name="other")
    assert b"OK message=other-1 " in asks(newest, "http://x.o.example.test/")
    assert len(told) == 2


def test_one_list_of_several(tmp_path: Path) -> None:
    install(tmp_path, 12, *ENTRIES)
    install(tmp_path, 1, line("http://o.example.test/", "host"), name="other")
    newest = Newest(Store(tmp_path), "other", print)
    assert asks(newest, "http://a.example.test/1") == ERR
    assert b"other-1" in asks(newest, "http://o.example.test/")


def test_the_command_follows_what_is_installed_and_ends_with_its_input(tmp_path: Path) -> None:
    install(tmp_path, 12, *ENTRIES)
    command = [sys.executable, "-c", "from app.cli.main import app; app()", "isp", "squid-helper"]
    with subprocess.Popen(
        [*command, "--dir", str(tmp_path), "--no-concurrency"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout

        def ask(address: bytes) -> bytes:
            assert process.stdin
            assert process.stdout
            process.stdin.write(address + b"\n")
            process.stdin.flush()
            return process.stdout.readline()

        assert ask(b"http://a.example.test/1") == OK
        install(tmp_path, 13, line("http://b.example.test/1"))
        end = time.monotonic() + 20
        while ask(b"http://a.example.test/1") == OK and time.monotonic() < end:
            time.sleep(0.05)
        assert ask(b"http://a.example.test/1") == ERR
        assert b"national-url-13" in ask(b"http://b.example.test/1")
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(timeout=20) == 0
