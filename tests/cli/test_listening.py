"""What listens says where, and on a taken port says so and nothing else."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from app.core import note
from app.platform.listening import Unavailable, listening
from tests.programs.service import Service
from tests.programs.witness import free_port

COMMAND = [sys.executable, "-c", "from app.cli.main import app; app()"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        yield other.getsockname()[1]


@pytest.fixture
def witness(tmp_path: Path) -> list[str]:
    """The words that start a witness."""
    signer = note.Signer.generate("w.example", note.COSIGNATURE)
    log = note.Signer.generate("log.example/log", note.ED25519)
    (tmp_path / "w.key").write_text(signer.to_text())
    words = ["--key", str(tmp_path / "w.key"), "--log", str(log.verifier), "--state", str(tmp_path / "w.db")]
    return ["witness", "serve", *words]


def test_serve_on_a_taken_port_says_one_sentence(tmp_path: Path, taken: int) -> None:
    service = Service(tmp_path / "home")
    service.database.close()
    environment = os.environ | service.environment
    command = [*COMMAND, "serve", "--port", str(taken)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"wardlist: port {taken} is taken; --port chooses another\n"
    assert done.stdout == ""
    assert not (tmp_path / "home" / "address").exists()


def test_a_witness_on_a_taken_port_says_one_sentence(witness: list[str], taken: int) -> None:
    command = [*COMMAND, *witness, "--port", str(taken)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"wardlist: port {taken} is taken; --port chooses another\n"


def test_a_witness_says_where_it_listens_and_does(witness: list[str]) -> None:
    port = free_port()
    command = [*COMMAND, *witness, "--port", str(port)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr
        assert running.stderr.readline() == f"witness w.example listens on http://127.0.0.1:{port}\n"
        answer = httpx.post(f"http://127.0.0.1:{port}/add-checkpoint", content=b"nothing", timeout=30)
        assert answer.status_code == 400
    finally:
        running.terminate()
        running.communicate(timeout=30)


def test_every_address_of_a_host_is_listened_on() -> None:
    sockets = listening("localhost", free_port())
    try:
        hosts = {one.getsockname()[0] for one in sockets}
        assert "127.0.0.1" in hosts
        assert hosts <= {"127.0.0.1", "::1"}
    finally:
        for one in sockets:
            one.close()


@pytest.mark.parametrize(
    ("host", "why"), [("192.0.2.1", "192.0.2.1, port"), ("no.such.host.test", "no.such")]
)
def test_an_address_of_another_machine_is_refused(host: str, why: str) -> None:
    with pytest.raises(Unavailable, match=why):
        listening(host, free_port())
