"""Commands of an internet provider that ask what is installed: match, and Squid's helper."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.output import AsJson, fail, show
from app.client.matcher import Match, Matcher, NoAddress
from app.client.squid import Newest, speak
from app.client.store import Damaged, Store

Folder = Annotated[Path, typer.Option("--dir", help="Where lists are installed.")]
InList = Annotated[str | None, typer.Option("--list", help="By default every installed list.")]


def match(
    folder: Folder,
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="URL...", help="- reads one a line from standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="One URL a line, one answer a line.")] = None,
    in_list: InList = None,
    as_json: AsJson = False,
) -> None:
    """Whether the installed lists cover URLs. Nobody is asked, no URL is repeated; exit code 0 either way."""
    if bool(addresses) == bool(file):
        fail("name URLs, - for standard input, or a --file", as_json)
    matcher = _matcher(folder, in_list, as_json)
    if file:
        _answer_file(matcher, file, as_json)
    elif addresses == ["-"]:
        _answer_each(matcher, sys.stdin.buffer, as_json)
    elif addresses and len(addresses) > 1:
        _answer_each(matcher, addresses, as_json)
    elif addresses:
        try:
            found = matcher.matches(addresses[0], is_typed=True)
        except NoAddress as wrong:
            fail(str(wrong), as_json)
        show(_as_object(found), as_json, "\n".join(map(_sentence, found)) or "not listed")


def squid_helper(
    folder: Folder,
    in_list: InList = None,
    is_without_channels: Annotated[
        bool, typer.Option("--no-concurrency", help="Squid's concurrency is 0: no channel numbers.")
    ] = False,
) -> None:
    """Answer Squid's external ACL questions from the installed lists. Nothing is logged."""
    newest = Newest(Store(folder), in_list, lambda fault: print(f"wardlist: {fault}", file=sys.stderr))
    newest.look()
    # Squid closes both pipes when it ends.
    with newest.following(), suppress(BrokenPipeError, KeyboardInterrupt):
        speak(partial(os.read, sys.stdin.fileno()), _write, newest, not is_without_channels)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _matcher(folder: Path, in_list: str | None, as_json: bool) -> Matcher:
    store = Store(folder)
    if not store.names():
        fail("no list is installed here; run `wardlist isp sync` first", as_json)
    if in_list and in_list not in store.names():
        fail("this list is not installed here", as_json)
    for name in [in_list] if in_list else store.names():
        if store.is_dropped(name):
            print(f"wardlist: {name} is not in force, the service was silent for too long", file=sys.stderr)
    try:
        return Matcher.of(store, in_list)
    except Damaged as wrong:
        fail(str(wrong), as_json)


def _answer_file(matcher: Matcher, file: Path, as_json: bool) -> None:
    try:
        with file.open("rb") as lines:
            _answer_each(matcher, lines, as_json)
    except OSError as failure:
        fail(f"--file: {failure.strerror}", as_json)


def _answer_each(matcher: Matcher, addresses: Iterable[bytes] | Iterable[str], as_json: bool) -> None:
    """A line for each, in order."""
    written: Callable[[list[Match]], str] = _as_line if as_json else _as_words
    nothing, write = written([]), sys.stdout.write
    matches = partial(matcher.matches, is_typed=True)
    for address in addresses:
        try:
            found = matches(address.rstrip("\r\n") if isinstance(address, str) else address.rstrip(b"\r\n"))
        except NoAddress as wrong:
            write(json.dumps({**_as_object([]), "error": str(wrong)}) + "\n" if as_json else f"{wrong}\n")
            continue
        write(written(found) if found else nothing)


def _as_words(found: list[Match]) -> str:
    return ("; ".join(map(_sentence, found)) or "not listed") + "\n"


def _as_line(found: list[Match]) -> str:
    return json.dumps(_as_object(found)) + "\n"


def _as_object(found: list[Match]) -> dict[str, Any]:
    return {"listed": bool(found), "matches": [one._asdict() for one in found]}


def _sentence(one: Match) -> str:
    return f"listed: {one.list} version {one.version}, entry {one.entry}, scope {one.scope}"
