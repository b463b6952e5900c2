"""Pages that are the same for everybody, rendered once in a while: of each the newest, so old at most.

In memory only, and so many at most; past that the one unused for longest goes. Source: RFC 9111.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from app.web.pages import HEADERS

OLDEST = timedelta(seconds=60)
LASTS = f"public, max-age={OLDEST.seconds}"
MOST = 64


@dataclass(frozen=True)
class _Rendered:
    body: bytes
    etag: str
    at: datetime


class RecentPages:
    """For all threads of one process."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, _Rendered] = OrderedDict()
        self._lock = threading.Lock()

    def answer(
        self,
        request: Request,
        name: Hashable,
        now: datetime,
        render: Callable[[], HTMLResponse],
        oldest: timedelta = OLDEST,
    ) -> Response:
        """The page of that name, rendered anew when it is too old; 304 for who has it already."""
        found = self._find(name, now, oldest)
        if found is None:
            body = bytes(render().body)
            found = _Rendered(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', now)
            self._keep(name, found)
        may_be_found = {name: value for name, value in HEADERS.items() if name != "X-Robots-Tag"}
        headers = {**may_be_found, "Cache-Control": LASTS, "ETag": found.etag}
        if found.etag in request.headers.get("if-none-match", "")[:1000]:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(found.body, headers=headers)

    def _find(self, name: Hashable, now: datetime, oldest: timedelta) -> _Rendered | None:
        with self._lock:
            found = self._pages.get(name)
            if found is None or not timedelta() <= now - found.at < oldest:
                return None
            self._pages.move_to_end(name)
            return found

    def _keep(self, name: Hashable, rendered: _Rendered) -> None:
        with self._lock:
            self._pages[name] = rendered
            self._pages.move_to_end(name)
            while len(self._pages) > MOST:
                self._pages.popitem(last=False)
