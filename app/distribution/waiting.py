"""Waiting for a list's next version (RFC 7240, `Prefer: wait`), holding neither a thread nor a session."""

import asyncio
from collections.abc import Callable

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from app.lists import snapshots
from app.platform.context import Platform

_SLICE_SECONDS = 1.0
"""How long a caller that hung up can go unnoticed."""


async def for_news(
    context: Platform, request: Request, name: str, look: Callable[[], Response], seconds: int
) -> Response:
    """The first answer that is not 304, or the 304 at the end of the time.

    `look` is asked at the start, whenever the list has news, and once more at the end, so that whoever may no
    longer read hears so. It raises what a request without waiting would.
    """
    clock = asyncio.get_running_loop().time
    ends = clock() + seconds

    def standing() -> object:
        with context.database.reading() as session:
            return snapshots.standing(session, name)

    with context.announcer.listening(name, standing) as listener:
        answer = await run_in_threadpool(look)
        while answer.status_code == 304 and (left := ends - clock()) > 0:
            if await listener.heard(min(left, _SLICE_SECONDS)):
                answer = await run_in_threadpool(look)
            elif await request.is_disconnected():
                return answer
            if context.announcer.is_closed:
                break
    return await run_in_threadpool(look) if answer.status_code == 304 else answer
