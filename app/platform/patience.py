"""uvicorn's protocol with an end to its patience: for a request's headers, its body, and a reader of answers.

uvicorn alone waits without end for the first byte, for the rest of a request, and for whoever does not read
what he asked for; so a few slow clients could hold every connection. Nothing here costs a request that comes
whole: a timer is set only where something is outstanding. Source: RFC 9110 section 15.5.9 (408).
"""

import asyncio
import ipaddress
import resource
import sys
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.platform.settings import Settings
from app.platform.strangers import network

BYTES_A_SECOND = 16 * 1024
"""A body that is longer than its seconds allow has one more for each so many bytes."""
_OTHER_FILES = 256
_LATE = b"The request did not come in time."
_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_LATE), _LATE)
)


class Patience:
    """Of one server: how long it waits, in seconds, and how many connections it holds.

    Reverse proxies that are trusted have the connections of many, and are not counted for their address.
    """

    def __init__(self, settings: Settings) -> None:
        self.head_seconds, self.body_seconds = settings.head_seconds, settings.body_seconds
        self.reading_seconds = settings.reading_seconds
        self._most = min(settings.connections, _openable())
        self._most_of_one = settings.connections_per_address
        self._proxies = [ipaddress.ip_network(part) for part in settings.trusted_proxies.split(",") if part]
        self._held: dict[bytes, int] = {}
        self._number = 0

    def admit(self, place: bytes) -> bool:
        """Whether one more connection from this network may stay; it is counted then."""
        held = self._held.get(place, 0)
        if self._number >= self._most or (place and held >= self._most_of_one):
            return False
        self._held[place], self._number = held + 1, self._number + 1
        return True

    def release(self, place: bytes) -> None:
        """A connection that was admitted is gone."""
        self._number -= 1
        self._held[place] -= 1
        if not self._held[place]:
            del self._held[place]

    def place(self, address: str) -> bytes:
        """The network that a connection counts for; none (b"") for a trusted reverse proxy."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return b""
        return b"" if any(found in one for one in self._proxies) else network(address)


def _openable() -> int:
    """Connections that the system lets this process have, besides the files that it needs."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else max(1, most - _OTHER_FILES)


class Patient(HttpToolsProtocol):
    """One connection. `is_in_head`: a request began and its headers are not all there."""

    def __init__(self, patience: Patience, *given: Any) -> None:
        super().__init__(*given)
        self.patience = patience
        self._is_admitted, self._place = False, b""
        self.is_in_head, self._is_in_body, self._is_new, self._came = False, False, False, 0
        self._waiting: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected; one too many is let go without a word."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._place = self.patience.place(self.client[0]) if self.client else b""
        self._is_admitted = self.patience.admit(self._place)
        if not self._is_admitted:
            self.transport.abort()
            return
        self._wait(self.patience.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._is_admitted:
            self._is_admitted = False
            self.patience.release(self._place)
        self._stop_waiting()
        self._stop_reading()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The parser met the first byte of a request."""
        self.is_in_head, self._is_in_body = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The parser met the end of a request's headers."""
        self.is_in_head, self._is_in_body, self._is_new = False, True, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The parser met the last byte of a request."""
        self._is_in_body = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes came. What is outstanding after them has its time from now, or from when it began."""
        self._is_new = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_body:
            self._came = len(data) if self._is_new else self._came + len(data)
            if self._is_new:
                self._wait(self.patience.body_seconds)
        elif self.is_in_head:
            if self._waiting is None:
                self._wait(self.patience.head_seconds)
        elif self._waiting is not None:
            self._stop_waiting()

    def pause_writing(self) -> None:
        """More is to be read than the connection holds."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """Some of it was read."""
        self._stop_reading()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """The application has said all; where the connection ends with that, somebody must still read it."""
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._expect_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for that long. What was answered and is not read by now is not waited for."""
        if self.transport.get_write_buffer_size():
            self._give_up()
        else:
            super().timeout_keep_alive_handler()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(seconds, self._is_late)

    def _is_late(self) -> None:
        self._waiting = None
        if self.transport.is_closing():
            return
        if self._is_in_body:
            if self.flow.read_paused:
                self._wait(self.patience.body_seconds)
                return
            earned, self._came = self._came / BYTES_A_SECOND, 0
            if earned >= 1:
                self._wait(earned)
                return
        if self._is_unanswered():
            self.transport.write(_TIMEOUT)
        self.transport.close()
        self._expect_reading()

    def _is_unanswered(self) -> bool:
        """Whether the next answer on this connection is that of the request that is late."""
        if self.is_in_head:
            return self.cycle is None or self.cycle.response_complete
        return self._is_in_body and not self.cycle.response_started

    def _expect_reading(self) -> None:
        self._stop_reading()
        self._reading = self.loop.call_later(self.patience.reading_seconds, self._give_up)

    def _give_up(self) -> None:
        self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
