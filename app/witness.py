"""A small independent witness: it cosigns a log's checkpoint only if that extends the last one it saw.

It holds one SQLite file and one key, and commits what it saw before it signs. Sources: C2SP tlog-witness,
tlog-cosignature.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.core import merkle, note, witness
from app.core.note import Checkpoint, Signer, Verifier

_LARGEST = 64 * 1024


class Refused(Exception):
    """An answer other than a cosignature: status, body, media type."""

    def __init__(self, status: int, body: str, media_type: str = "text/plain") -> None:
        super().__init__(body)
        self.status, self.body, self.media_type = status, body, media_type


class Witness:
    """Decides on checkpoints. `clock` gives seconds since 1970."""

    def __init__(
        self, path: Path, signer: Signer, logs: list[Verifier], clock: Callable[[], float] = time.time
    ) -> None:
        self._path, self._signer, self._clock = path, signer, clock
        self._logs = {log.name: [one for one in logs if one.name == log.name] for log in logs}
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER, root BLOB)"
            )

    def add(self, body: bytes) -> str:
        """The cosignature line. Raises Refused."""
        try:
            old, proof, signed = witness.parse(body)
            origin = signed.decode().split("\n", 1)[0]
        except (witness.Malformed, UnicodeDecodeError) as fault:
            raise Refused(400, str(fault)) from None
        keys = self._logs.get(origin)
        if keys is None:
            raise Refused(404, "this witness does not know the log")
        try:
            text, _ = note.read(signed, keys)
        except note.Malformed as fault:
            raise Refused(403, str(fault)) from None
        try:
            checkpoint = Checkpoint.parse(text)
        except note.Malformed as fault:
            raise Refused(400, str(fault)) from None
        if old > checkpoint.size:
            raise Refused(400, "the old size is larger than the checkpoint's")
        with self._lock:
            self._advance(checkpoint, old, proof)
        return self._signer.line(text, int(self._clock()))

    def _advance(self, checkpoint: Checkpoint, old: int, proof: list[bytes]) -> None:
        """Commit the checkpoint as the newest seen. Raises Refused."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            seen_size, seen_root = self._seen(connection, checkpoint.origin)
            if old != seen_size or (checkpoint.size == seen_size and checkpoint.root != seen_root):
                raise Refused(409, f"{seen_size}\n", witness.SIZE_TYPE)
            try:
                if checkpoint.size == seen_size or seen_size == 0:
                    if proof:
                        raise merkle.ProofError("nothing is to be proven here")
                else:
                    merkle.verify_consistency(seen_size, seen_root, checkpoint.size, checkpoint.root, proof)
            except merkle.ProofError as fault:
                raise Refused(422, str(fault)) from None
            connection.execute(
                "INSERT INTO seen VALUES (?, ?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root",
                (checkpoint.origin, checkpoint.size, checkpoint.root),
            )
            connection.execute("COMMIT")

    def _seen(self, connection: sqlite3.Connection, origin: str) -> tuple[int, bytes]:
        row = connection.execute("SELECT size, root FROM seen WHERE origin = ?", (origin,)).fetchone()
        return (row[0], row[1]) if row else (0, merkle.EMPTY_ROOT)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection


def create_witness(decides: Witness) -> Starlette:
    """The witness as an ASGI application."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                return PlainTextResponse("the request is too large\n", 413)
        try:
            return PlainTextResponse(await run_in_threadpool(decides.add, body))
        except Refused as refused:
            return Response(refused.body, refused.status, media_type=refused.media_type)

    return Starlette(routes=[Route(witness.ADD_CHECKPOINT, add_checkpoint, methods=["POST"])])
