"""Squid on a free port, before an origin server in this process: nothing leaves the machine."""

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.programs.witness import free_port

ORIGIN = b"This page is from the origin."
_TEMPLATES = Path("/usr/share/squid/errors/templates")
_WARDLIST = [sys.executable, "-c", "from app.cli.main import app; app()"]


@dataclass(frozen=True)
class Proxy:
    """`address` takes requests; `folder` holds access.log and cache.log, and takes files that Squid reads."""

    host: str
    port: int
    folder: Path

    @property
    def address(self) -> str:
        """As a client is given it."""
        return f"http://{self.host}:{self.port}"

    def ask(self, target: str | bytes, method: str = "GET") -> tuple[int, bytes]:
        """Status and body for a request target exactly as written."""
        raw = target.encode() if isinstance(target, str) else target
        with socket.create_connection((self.host, self.port), timeout=20) as connection:
            line = method.encode() + b" " + raw + b" HTTP/1.1\r\nHost: origin.example\r\n"
            connection.sendall(line + b"Connection: close\r\n\r\n")
            with connection.makefile("rb") as answer:
                head, _, body = answer.read().partition(b"\r\n\r\n")
        return int(head.split()[1]), body


@contextmanager
def folder_for_squid() -> Iterator[Path]:
    """A folder that Squid's user can read and write."""
    with tempfile.TemporaryDirectory(prefix="squid-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@contextmanager
def squid(lines: Sequence[str], folder: Path, pages: Sequence[Path] = ()) -> Iterator[Proxy]:
    """Squid with these lines of squid.conf before the rule that lets everything pass, until the block ends.

    `folder` is one of `folder_for_squid`; `pages` are error pages besides Squid's own.
    """
    program = shutil.which("squid", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("squid is not installed")
    errors = folder / "errors"
    shutil.copytree(_TEMPLATES, errors)
    for page in pages:
        shutil.copy(page, errors / page.name)
    with _origin() as origin:
        port = free_port()
        conf = folder / "squid.conf"
        conf.write_text("\n".join((*_basics(folder, port, origin), *lines, *_last(folder))))
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(
                [program, "-N", "-n", f"w{port}", "-f", str(conf)], stdout=out, stderr=out
            )
        try:
            _wait_for(process, port, folder / "out")
            yield Proxy("127.0.0.1", port, folder)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


@contextmanager
def helper(folder: Path, *words: str) -> Iterator[Path]:
    """A program for Squid's configuration that is `wardlist` with these words.

    Squid started by root gives root up, and its user cannot read where this Python is. Then each helper is
    started here, and what Squid starts hands lines to and fro.
    """
    program = folder / "wardlist"
    if os.geteuid():
        program.write_text(f"#!/bin/sh\nexec {' '.join(map(_quoted, (*_WARDLIST, *words)))}\n")
        program.chmod(0o755)
        yield program
        return
    with _Helpers([*_WARDLIST, *words]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        relay = f"exec 3<>/dev/tcp/127.0.0.1/{server.server_address[1]}; cat <&3 & cat >&3; kill $!"
        program.write_text(f"#!/bin/bash\n{relay}\n")
        program.chmod(0o755)
        try:
            yield program
        finally:
            server.shutdown()
            server.end()


class _Helpers(socketserver.ThreadingTCPServer):
    """Starts the helper for each connection, with the connection as its input and output."""

    daemon_threads = True

    def __init__(self, command: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Started)
        self.command = command
        self.started: list[subprocess.Popen[bytes]] = []

    def end(self) -> None:
        """A helper ends when Squid closes its input; one that does not fails the test."""
        try:
            for process in self.started:
                process.wait(timeout=20)
        finally:
            for process in self.started:
                process.kill()


class _Started(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Helpers)
        with subprocess.Popen(self.server.command, stdin=self.request, stdout=self.request) as process:
            self.server.started.append(process)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(ORIGIN)))
        self.end_headers()
        self.wfile.write(ORIGIN)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def _origin() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _basics(folder: Path, port: int, origin: int) -> tuple[str, ...]:
    return (
        f"http_port 127.0.0.1:{port}",
        f"pid_filename {folder}/squid.pid",
        f"cache_log {folder}/cache.log",
        f"coredump_dir {folder}",
        f"error_directory {folder}/errors",
        "pinger_enable off",
        "cache deny all",
        "shutdown_lifetime 0 seconds",
        "visible_hostname proxy.example",
        f"cache_peer 127.0.0.1 parent {origin} 0 no-query originserver default no-digest",
        "never_direct allow all",
    )


def _last(folder: Path) -> tuple[str, ...]:
    return (f"access_log stdio:{folder}/access.log", "http_access allow all", "")


def _wait_for(process: subprocess.Popen[bytes], port: int, out: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, (
            out.read_text(errors="replace") + (out.parent / "cache.log").read_text()
        )
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("squid did not come up")


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
