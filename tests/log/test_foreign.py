"""The log as verifiers see it that are not ours: Go's note and tlog packages, from Debian's x/mod."""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from app.client.session import Connection
from app.core import merkle
from app.log.tiles import public_log
from tests.programs.service import Service, approve, new_entry

SOURCE = Path(__file__).parent.parent / "programs" / "foreign" / "verify.go"
GOPATH = Path("/usr/share/gocode")


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("go") or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Debian's golang-go and golang-golang-x-mod-dev, which .ci/run installs")
    folder = tmp_path_factory.mktemp("go")
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    made = ["go", "build", "-o", str(folder / "verify"), str(SOURCE)]
    subprocess.run(made, env=environment, check=True, timeout=300)
    return folder / "verify"


def run(verifier: Path, service: Service, vkey: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [str(verifier), service.address, vkey, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_gos_packages_verify_every_leaf_and_the_growth(
    verifier: Path, service: Service, hotline: Connection, reviewer: Connection, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    vkey = str(public_log(service.settings, service.keyring).verifier)
    for name, count in (("a", 3), ("b", 300), ("c", 500)):
        bodies = [new_entry(f"https://{name}{n}.example.test/") for n in range(count)]
        sent = hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
        approve(reviewer, sent["entries"][0])
        service.publish()
        done = run(verifier, service, vkey, *([str(old)] if old.exists() else []))
        assert done.returncode == 0, done.stderr
        checkpoint = httpx.get(f"{service.address}/log/checkpoint").content
        assert done.stdout.strip() == checkpoint.split(b"\n")[1].decode()
        old.write_bytes(checkpoint)
    assert int(done.stdout) > 768


def test_gos_packages_refuse_what_is_tampered_with(
    verifier: Path, service: Service, hotline: Connection
) -> None:
    bodies = [new_entry(f"https://a{n}.example.test/") for n in range(300)]
    hotline.request("POST", "/v1/entries/batch", json={"entries": bodies})
    service.publish()
    signer = public_log(service.settings, service.keyring)
    bundle = service.settings.log / merkle.tile_path("entries", 0)
    honest = bundle.read_bytes()
    bundle.write_bytes(honest[:50] + bytes([honest[50] ^ 1]) + honest[51:])
    assert run(verifier, service, str(signer.verifier)).returncode == 1
    bundle.write_bytes(honest)
    assert run(verifier, service, str(signer.verifier)).returncode == 0
    tile = service.settings.log / merkle.tile_path(0, 0)
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    assert run(verifier, service, str(signer.verifier)).returncode == 1
