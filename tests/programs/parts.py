"""The service as an operator runs it: each part a process of its own, and all that they say in files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.programs.conditions import until
from tests.programs.service import Service
from tests.programs.witness import free_port

COMMAND = [sys.executable, "-c", "from app.cli.main import app; app()"]


class Part:
    """One process, where it says how it is, and the file of what it says."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process, self.address, self.log = process, address, log
        self._http = httpx.Client(base_url=address, timeout=30, headers={"Connection": "close"})

    def get(self, path: str, **headers: str) -> httpx.Response:
        """On a connection of its own, so that any process of several may answer. Raises httpx.HTTPError."""
        return self._http.get(path, headers=headers)

    def metrics(self) -> str:
        """As Prometheus gets them. Raises httpx.HTTPError."""
        return self.get("/metrics").text

    def lines(self) -> list[dict[str, Any]]:
        """What was logged so far, but for a line that is being written. Fails where one is no JSON object."""
        whole = self.log.read_text().rpartition("\n")[0].splitlines()
        assert [line for line in whole if not line.startswith("{")] == []
        return [json.loads(line) for line in whole]

    def is_ready(self) -> bool:
        """Whether it says so."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """As a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextmanager
def part(service: Service, folder: Path, *words: str, **environment: str) -> Iterator[Part]:
    """Run `wardlist WORDS` on the installation, ready when the block begins, and stopped when it ends.

    `serve` listens at the installation's own address, the others say how they are on a port of their own.
    """
    address = service.address
    if words[0] != "serve":
        place = f"127.0.0.1:{free_port()}"
        address, words = f"http://{place}", (*words, "--metrics", place)
    log = folder / f"{words[0]}-{free_port()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, *words], env=os.environ | service.environment | environment, stdout=out, stderr=out
        )
    found = Part(process, address, log)
    try:
        until(found.is_ready)
        yield found
    finally:
        if process.poll() is None:
            found.stop()
