"""One look at a list's newest version for all who ask at about the same time.

A look costs a database session; when a version comes out hundreds of waiting requests ask at once. Whoever
asks before a look begins shares it, and one look is under way at a time, so that nobody is answered from
before his question.
"""

import asyncio
from collections.abc import Iterable

from fastapi.concurrency import run_in_threadpool
from sqlmodel import Session

from app.identity import service as identity
from app.identity.access import refuse_ended
from app.identity.service import Caller
from app.lists import service as lists
from app.lists import snapshots
from app.lists.models import Snapshot
from app.platform.database import Database
from app.platform.problems import Problem

Answers = dict[str, Snapshot | Problem]
"""By client: the newest version it may have, or why it may have none."""


def newest(session: Session, name: str, callers: Iterable[Caller]) -> Answers:
    """What each of these callers is answered now; those in the same position share one look."""
    ended, subscribers = identity.inactive_clients(session), lists.subscribers(session, name)
    policy = lists.policy(session, name)
    canaries = set(policy.canaries) if policy else set()
    seen: dict[object, Snapshot | Problem] = {}
    answers: Answers = {}
    for caller in callers:
        own = caller.organisation_id
        position = caller.client_id in ended, caller.kind, own in subscribers, own in canaries
        if position not in seen:
            seen[position] = _look(session, name, caller)
        answers[caller.client_id] = seen[position]
    return answers


def _look(session: Session, name: str, caller: Caller) -> Snapshot | Problem:
    try:
        refuse_ended(session, caller)
        lists.visible(session, caller, name)
        return snapshots.visible(session, caller, name, None)
    except Problem as refusal:
        return refusal


class Looks:
    """Of one process and one event loop."""

    def __init__(self, database: Database) -> None:
        self._database, self._one_at_a_time = database, asyncio.Lock()
        self._next: dict[str, tuple[dict[str, Caller], asyncio.Task[Answers]]] = {}

    async def newest(self, name: str, caller: Caller) -> Snapshot:
        """The newest version the caller may have, as of now or later. Raises a 401 or 404 problem."""
        if name not in self._next:
            asking: dict[str, Caller] = {}
            self._next[name] = asking, asyncio.create_task(self._answer(name, asking))
        callers, answering = self._next[name]
        callers[caller.client_id] = caller
        found = (await asyncio.shield(answering))[caller.client_id]
        if isinstance(found, Problem):
            raise found.with_traceback(None)
        return found

    async def _answer(self, name: str, asking: dict[str, Caller]) -> Answers:
        async with self._one_at_a_time:
            del self._next[name]
            return await run_in_threadpool(self._read, name, list(asking.values()))

    def _read(self, name: str, callers: list[Caller]) -> Answers:
        with self._database.reading() as session:
            return newest(session, name, callers)
