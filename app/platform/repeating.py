"""uvicorn's protocol with a shortcut: a request whose bytes came before may be answered without parsing it.

Most requests are polls, each the same bytes as the one before. Parsing one, and a task to answer it, cost
more than the answer. The shortcut is taken only where a request begins and nothing is under way: on a
connection between two requests, and for bytes that were exactly one request when they were parsed.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from app.platform.headers import NOSNIFF
from app.platform.http import request_id
from app.platform.patience import Patience, Patient

REPEATABLE = "sha256"
"""Where a request's `state` holds the SHA-256 of its bytes, when they were just that request."""
Repeat = Callable[[bytes], bytes | None]
"""By that digest: status line and headers of an answer without a body, each line ended, or None."""
_END = b"%s: %s\r\n\r\n" % NOSNIFF
_LONGEST = 4096
_LONGEST_HEAD = 1 << 16
"""Bytes of request line and headers, or of fields behind a body. uvicorn has no limit, and keeps them all."""


def repeating(repeat: Repeat, patience: Patience) -> type[asyncio.Protocol]:
    """The protocol that asks `repeat` first."""

    class Repeating(Patient):
        """One connection."""

        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(patience, config, server_state, app_state, _loop)
            self._begun, self._is_between, self._heard_at = 0, True, 0.0
            self._own: object = None
            self._head = b""
            self._head_bytes, self._has_body_come = 0, False

        def on_message_begin(self) -> None:
            """The parser met the first byte of a request."""
            self._begun += 1
            self._is_between, self._head_bytes = False, 0
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            """A field of the head. One behind a body would change what was looked at: it is left out."""
            if self.is_in_head:
                super().on_header(name, value)

        def on_body(self, body: bytes) -> None:
            """A part of a body."""
            self._has_body_come = True
            super().on_body(body)

        def on_message_complete(self) -> None:
            """The parser met the last byte of a request."""
            self._is_between = True
            super().on_message_complete()

        def data_received(self, data: bytes) -> None:
            """Bytes came."""
            if not self._is_idle() or len(data) > _LONGEST:
                self._parse(data)
                return
            digest = hashlib.sha256(data).digest()
            lines = repeat(digest) if self.cycle else None
            if lines is not None and not self.flow.write_paused:
                self._heard_at = self.loop.time()
                self.server_state.total_requests += 1
                own = self.server_state.default_headers
                if own is not self._own:
                    self._own, self._head = own, b"".join(b"%s: %s\r\n" % header for header in own)
                self.transport.write(b"%s%s%s: %s\r\n%s" % (lines, self._head, *request_id(), _END))
                return
            begun, before = self._begun, self.cycle
            self._parse(data)
            is_one = self._begun == begun + 1 and self._is_between and self.cycle is not before
            if is_one and self.cycle.keep_alive and not self.cycle.body:
                self.cycle.scope["state"][REPEATABLE] = digest

        def _parse(self, data: bytes) -> None:
            self._has_body_come = False
            super().data_received(data)
            self._head_bytes = 0 if self._has_body_come else self._head_bytes + len(data)
            if self._is_between or self._head_bytes <= _LONGEST_HEAD or self.transport.is_closing():
                return
            if self.is_in_head:
                self.send_400_response("The request's headers are too long.")
            else:
                # Behind a body, where a request may be at work, whose answer is another one.
                self.transport.abort()

        def timeout_keep_alive_handler(self) -> None:
            """The connection was silent for that long, unless the shortcut was taken since."""
            left = self._heard_at + self.timeout_keep_alive - self.loop.time()
            if left > 0 and not self.transport.is_closing():
                self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
            else:
                super().timeout_keep_alive_handler()

        def _is_idle(self) -> bool:
            is_free = self.cycle is None or self.cycle.response_complete
            return self._is_between and is_free and not self.pipeline and not self.transport.is_closing()

    return Repeating
