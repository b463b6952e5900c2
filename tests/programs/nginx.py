"""nginx with deploy/nginx.conf: only paths, addresses and the account are this machine's."""

import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
CONFIG = Path(__file__).parents[2] / "deploy" / "nginx.conf"
_VALID_UNTIL = struct.Struct("=Qq")
"""How a cache file of nginx begins: its format's number, and the second up to which it is valid."""


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Nginx:
    """One nginx in `folder`, before a service; `home` is the folder of published files it is given."""

    def __init__(self, folder: Path, home: Path, service_port: int, port: int | None = None) -> None:
        self.folder, self.port = folder, port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.kept = (folder / "run" / "verdicts", folder / "run" / "answers")
        self._process: subprocess.Popen[bytes] | None = None
        self.places = {
            "user www-data wardlist;": f"user {pwd.getpwuid(os.getuid()).pw_name};",
            "/run/wardlist-nginx": str(folder / "run"),
            "/var/log/nginx": str(folder / "logs"),
            "/srv/wardlist": str(home),
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{service_port};",
        }

    def text(self) -> str:
        """The delivered file."""
        return CONFIG.read_text()

    def configuration(self) -> str:
        """The delivered file with this machine's places in it."""
        text = self.text()
        for ours, here in self.places.items():
            assert ours in text, ours
            text = text.replace(ours, here)
        return text

    @contextmanager
    def running(self, prefix: tuple[str, ...] = ()) -> Iterator["Nginx"]:
        """Serve until the block ends. `prefix` is what starts it, e.g. `taskset -c 0`."""
        for name in ("run", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        file = self.folder / "nginx.conf"
        file.write_text(self.configuration())
        command = [*prefix, str(PROGRAM), "-c", str(file), "-g", "daemon off;", "-e", "stderr"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._process = process
        try:
            self._wait_until_up(process)
            yield self
        finally:
            process.terminate()
            process.wait(timeout=20)

    def age(self) -> list[int]:
        """Let all that is kept be over, as if its time had passed; how many seconds each still had."""
        left = []
        for path in (one for folder in self.kept for one in folder.rglob("*") if one.is_file()):
            with path.open("r+b") as file:
                form, until = _VALID_UNTIL.unpack(file.read(_VALID_UNTIL.size))
                left.append(until - int(time.time()))
                file.seek(0)
                file.write(_VALID_UNTIL.pack(form, 1))
        return left

    def written(self, marker: str) -> str:
        """All logs, once the marker, which a request before put there, is in them. Raises TimeoutError."""
        assert self._process
        # Opening its logs anew, nginx writes what it still holds.
        self._process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = "".join(path.read_text() for path in (self.folder / "logs").iterdir())
            if marker in found:
                return found
            time.sleep(0.02)
        raise TimeoutError("nginx did not write its log")

    def _wait_until_up(self, process: "subprocess.Popen[bytes]") -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if process.poll() is not None:
                assert process.stderr
                raise RuntimeError(process.stderr.read().decode())
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise TimeoutError("nginx did not come up")
