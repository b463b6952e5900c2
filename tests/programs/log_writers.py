"""Four writers and a sequencer on one installation's log, until killed.

They tell the number of each leaf once its transaction is committed.
"""

import os
import threading
from multiprocessing.connection import Connection

from app.log import service as log
from app.log.tiles import public_log
from app.platform.clock import system_clock
from app.platform.database import Database
from app.platform.keyring import Keyring
from app.platform.settings import Settings

WRITERS = 4


def write(database: Database, writer: int, start: int, told: int) -> None:
    """Append leaves, one or a few a transaction, and say so once they are committed."""
    number = start
    while True:
        some = [f"{writer}-{number + offset}" for offset in range(1 + number % 5)]
        with database.writing() as session:
            for one in some:
                log.append(session, "test.leaf", system_clock(), number=one)
        number += len(some)
        os.write(told, "".join(f"{one}\n" for one in some).encode())


def main(settings: Settings, start: int, told: Connection) -> None:
    """Run until killed; lines go to `told` as plain bytes."""
    database = Database(settings.database)
    published = public_log(settings, Keyring.load(settings.keys))
    for writer in range(WRITERS):
        threading.Thread(target=write, args=(database, writer, start, told.fileno()), daemon=True).start()
    while True:
        with database.writing() as session:
            log.sequence(session)
        with database.reading() as session:
            published.publish(session, system_clock())
