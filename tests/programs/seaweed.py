"""A real S3 server of the tests' own: SeaweedFS, on 127.0.0.1 alone, its data in a temporary folder."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from obstore.store import S3Store

PROGRAM = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
BUCKET, REGION = "published", "us-east-1"
KEY_ID, SECRET = "test-key", "test-secret"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION}
_IDENTITIES = {
    "identities": [
        {
            "name": "wardlist",
            "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        },
        {"name": "anonymous", "actions": ["Read"]},
    ]
}
_WAIT_SECONDS = 60
_NAMES = ("master.port", "volume.port", "filer.port", "s3.port")


class Seaweed:
    """One server and its bucket. Only the key may write; whoever reaches it, this machine alone, may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = _free_ports(2 * len(_NAMES))
        self._ports = dict(zip([*_NAMES, *(f"{name}.grpc" for name in _NAMES)], ports, strict=True))
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"

    def client(self, prefix: str | None = None) -> S3Store:
        """A store with the key."""
        return S3Store(
            BUCKET,
            prefix=prefix,
            endpoint=self.endpoint,
            region=REGION,
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )

    @contextmanager
    def running(self) -> Iterator["Seaweed"]:
        """Serve until the block ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "s3.json").write_text(json.dumps(_IDENTITIES))
        self._start()
        try:
            yield self
        finally:
            self._stop()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Away until the block ends; what it holds is there again afterwards."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        options = (
            *("-s3", f"-s3.config={self.folder / 's3.json'}", "-s3.iam=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
            *(f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-master.telemetry=false", "-master.electionTimeout=1s"),
            *("-volume.max=4", "-master.volumeSizeLimitMB=64"),
            *(f"-{name}={port}" for name, port in self._ports.items()),
        )
        command = [str(PROGRAM), "server", *options]
        with (self.folder / "log").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, cwd=self.folder)
        self._wait_until_up(self._process)

    def _stop(self) -> None:
        """On SIGTERM it would wait for others of its kind."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _wait_until_up(self, process: "subprocess.Popen[bytes]") -> None:
        """It is up when it keeps what it is given."""
        end = time.monotonic() + _WAIT_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            try:
                self._make_bucket()
                self.client().put("probe", b"probe")
                self.client().delete("probe")
                return
            except Exception:
                time.sleep(0.1)
        raise TimeoutError((self.folder / "log").read_text()[-2000:])

    def _make_bucket(self) -> None:
        """A bucket is a folder of the filer, which listens here only."""
        filer = f"http://127.0.0.1:{self._ports['filer.port']}"
        answer = httpx.post(f"{filer}/buckets/{BUCKET}/", timeout=5)
        if answer.status_code != httpx.codes.CONFLICT:
            answer.raise_for_status()


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
