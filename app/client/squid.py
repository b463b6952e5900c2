"""Squid's external ACL helper: a line asks about a URL, a line answers.

Source: Squid's squid.conf.documented, external_acl_type. Values come URL-escaped; with concurrency a channel
number goes before question and answer. An answer names list and version and never the URL, and nothing that
is asked is kept or logged.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes

from app.client.matcher import Match, Matcher, NoAddress, stamp
from app.client.store import Damaged, Store

LONGEST = 256 * 1024
"""Bytes of a line; a longer one is not answered with yes or no."""
_CHUNK = 64 * 1024
_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 5.0
_AUTHORITY = re.compile(rb"[^/?#\\@]+:[0-9]+")


class Newest:
    """The index of what is installed now. What cannot be read leaves the last good index in force."""

    def __init__(
        self,
        store: Store,
        only: str | None,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Of every installed list, or of one. `tell` is told once of what is wrong; `clock` gives seconds."""
        self._store, self._only, self._tell, self._clock = store, only, tell, clock
        self._seen: object = None
        self._again_at: float | None = None
        self._fault = ""
        self.matcher: Matcher | None = None

    def look(self) -> None:
        """Make another index when something else is installed; what could not be read is tried again."""
        try:
            seen = stamp(self._store)
            is_due = self._again_at is not None and self._clock() >= self._again_at
            if seen == self._seen and not is_due:
                return
            self._seen = seen
            fault = "" if self._is_there() else "no list is installed"
            if not fault:
                self.matcher = Matcher.of(self._store, self._only)
        except (Damaged, OSError) as wrong:
            fault = str(wrong) if isinstance(wrong, Damaged) else str(wrong.strerror)
        self._again_at = self._clock() + _RETRY_SECONDS if fault else None
        if fault and fault != self._fault:
            self._tell(f"{fault}; {'the list before stays' if self.matcher else 'everything passes'}")
        self._fault = fault

    @contextmanager
    def following(self) -> Iterator[None]:
        """Look twice a second, in a thread, until the block ends."""
        end = threading.Event()

        def follow() -> None:
            while not end.wait(_LOOK_SECONDS):
                self.look()

        thread = threading.Thread(target=follow, name="installed-lists", daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _is_there(self) -> bool:
        """A store with no list in it is one that is not mounted, rather than one where nothing is blocked."""
        names = self._store.names()
        return self._only in names if self._only else bool(names)


def speak(
    read: Callable[[int], bytes], write: Callable[[bytes], object], newest: Newest, has_channels: bool = True
) -> None:
    """Answer until the questions end. What came together is answered together.

    `read` waits for a byte and gives at most as many as asked for, none at the end; `write` hands all of it
    on. Raises what they raise.
    """
    pending = b""
    while chunk := read(_CHUNK):
        *lines, pending = (pending + chunk).split(b"\n")
        pending = pending[:LONGEST]
        if lines:
            write(b"".join(answer(newest.matcher, line, has_channels) for line in lines))


def answer(matcher: Matcher | None, line: bytes, has_channels: bool = True) -> bytes:
    """The answer to one line, newline included."""
    words = line.split()
    channel = b""
    if has_channels:
        if not words or not words[0].isdigit():
            return b"BH message=no-channel\n"
        channel = words.pop(0) + b" "
    if len(line) >= LONGEST:
        return channel + b"BH message=too-long\n"
    if not words:
        return channel + b"BH message=no-address\n"
    if matcher is None:
        return channel + b"ERR message=no-list-installed\n"
    return channel + _verdict(matcher, unquote_to_bytes(words[0])) + b"\n"


def _verdict(matcher: Matcher, address: bytes) -> bytes:
    try:
        found = _matches(matcher, address)
    except NoAddress:
        return b"ERR"
    # A helper that ends takes the filter with it, so whatever one address does, the next one is answered.
    except Exception:
        return b"BH message=not-understood"
    if not found:
        return b"ERR"
    reference = f"{found[0].list}-{found[0].version}".encode()
    return b"OK message=" + reference + b" tag=" + reference


def _matches(matcher: Matcher, address: bytes) -> list[Match]:
    """CONNECT names a host and a port only, so only entries for whole hosts can be told."""
    if _AUTHORITY.fullmatch(address):
        return matcher.matches_host(address)
    return matcher.matches(address)
