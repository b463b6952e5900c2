"""deploy/compose: docker-compose reads it; each container is confined and has what it needs, no more."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.platform.keyring import API_ROLES, FILES, PUBLISHER_ROLES, WORKER_ROLES
from app.platform.settings import Settings

TOP = Path(__file__).parents[2] / "deploy"
COMPOSE = shutil.which("docker-compose")
HOME = "/var/lib/wardlist/"
ROLES = {"api": API_ROLES, "publisher": PUBLISHER_ROLES, "worker": WORKER_ROLES}


@dataclass
class Prepared:
    """deploy/ in a folder of its own, after prepare.sh ran there."""

    folder: Path

    @property
    def compose(self) -> Path:
        """The folder of docker-compose.yml."""
        return self.folder / "compose"

    @cached_property
    def services(self) -> dict[str, Any]:
        """What docker-compose makes of its file, profiles included."""
        if COMPOSE is None:
            pytest.skip("docker-compose is not installed")
        command = [COMPOSE, "--profile", "witness", "config"]
        done = subprocess.run(command, cwd=self.compose, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
        return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """As an operator leaves it after the first step."""
    if os.geteuid():
        pytest.skip("prepare.sh gives each file to its container's account, which root alone can")
    folder = tmp_path_factory.mktemp("compose") / "deploy"
    shutil.copytree(TOP, folder, ignore=shutil.ignore_patterns("demo", "state", "secrets", ".env"))
    subprocess.run([folder / "compose" / "prepare.sh", "lists.example"], check=True)
    yield Prepared(folder)


def volumes(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Target to source and whether it can be written."""
    split = (one.split(":") for one in service.get("volumes", []))
    return {target: (source, mode != "ro") for source, target, mode, *_ in ([*one, "rw"] for one in split)}


def test_docker_compose_reads_it(prepared: Prepared) -> None:
    parts = {
        "api",
        "publisher",
        "worker",
        "init",
        "nginx",
        "postgres",
        "store",
        "witness",
        "prometheus",
        "grafana",
    }
    assert parts <= prepared.services.keys()


def test_every_container_is_confined(prepared: Prepared) -> None:
    for name, service in prepared.services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name
        assert not service.get("privileged"), name
        assert "cap_add" not in service, name


def test_what_runs_on_says_how_it_is(prepared: Prepared) -> None:
    """The API's check is its image's."""
    lasting = {name: one for name, one in prepared.services.items() if one["restart"] != "no"}
    assert {name for name, one in lasting.items() if "healthcheck" not in one} == {"api"}
    assert "HEALTHCHECK" in (TOP.parent / "Dockerfile").read_text()


def test_images_are_named_with_a_version(prepared: Prepared) -> None:
    for name, service in prepared.services.items():
        _, _, tag = service["image"].partition(":")
        assert tag not in ("", "latest"), name


@pytest.mark.parametrize("part", sorted(ROLES))
def test_a_part_is_given_the_keys_it_uses_and_no_other(prepared: Prepared, part: str) -> None:
    mounts = volumes(prepared.services[part])
    keys = {target.removeprefix(f"{HOME}keys/") for target in mounts if target.startswith(f"{HOME}keys/")}
    folders = {"public", "epochs"} | ({"leaving", "match", "tuf"} if part == "publisher" else set())
    assert keys == folders | {FILES[role] for role in ROLES[part]}
    written = {target.removeprefix(HOME) for target, (_, is_written) in mounts.items() if is_written}
    assert (
        written
        == {
            "api": set(),
            "worker": {"exports"},
            "publisher": {"tuf", "log", "mark", *(f"keys/{name}" for name in folders)},
        }[part]
    )


def test_the_worker_sees_when_the_last_backup_was(prepared: Prepared) -> None:
    """`wardlist backup` is run by `init`, which has the whole home."""
    assert volumes(prepared.services["worker"])[f"{HOME}backup"] == (
        str(prepared.compose / "state" / "backup"),
        False,
    )
    assert (prepared.compose / "state" / "backup").stat().st_uid == 10001


def test_no_secret_stands_in_the_file_or_is_open_to_others(prepared: Prepared) -> None:
    secrets = [path for path in (prepared.compose / "secrets").rglob("*") if path.is_file()]
    assert len(secrets) == 7
    text = (prepared.compose / "docker-compose.yml").read_text()
    for path in secrets:
        assert path.stat().st_mode & 0o077 == 0, path
        for word in re.findall(r"[0-9a-f]{20,}", path.read_text()):
            assert word not in text, path
    assert "SECRET_ACCESS_KEY" not in text
    assert (prepared.compose / ".gitignore").read_text().split() == ["/.env", "/secrets/", "/state/"]


def test_preparing_again_changes_nothing(prepared: Prepared) -> None:
    def everything() -> dict[Path, tuple[int, int, bytes]]:
        found = (path for path in prepared.compose.rglob("*") if path.is_file())
        return {path: (path.stat().st_mode, path.stat().st_uid, path.read_bytes()) for path in found}

    before = everything()
    subprocess.run([prepared.compose / "prepare.sh", "other.example"], check=True)
    assert everything() == before


def test_what_is_set_are_settings_of_the_service(prepared: Prepared) -> None:
    known = {f"WARDLIST_{name.upper()}" for name in Settings.model_fields}
    for name, service in prepared.services.items():
        set_here = {word for word in service.get("environment", {}) if word.startswith("WARDLIST_")}
        assert set_here <= known, name


def test_state_is_not_reached_from_outside(prepared: Prepared) -> None:
    open_to_all = {name for name, one in prepared.services.items() if one.get("ports")}
    assert open_to_all == {"nginx", "prometheus", "grafana"}
    for name in ("prometheus", "grafana"):
        assert all(str(port).startswith("127.0.0.1:") for port in prepared.services[name]["ports"])
    for name in ("postgres", "store"):
        assert set(prepared.services[name]["networks"]) == {"data"}
    assert "outside" not in prepared.services["api"]["networks"]


def test_nginx_takes_the_configuration_that_its_container_starts_it_with(
    prepared: Prepared, tmp_path: Path
) -> None:
    """nginx.sh with this machine's paths: what it starts is asked whether the file is good."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    for name in ("run", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin" / "nginx").write_text(f'#!/bin/sh\nexec {nginx} -t "$@"\n')
    (tmp_path / "bin" / "nginx").chmod(0o755)
    conf = (prepared.folder / "nginx.conf").read_text()
    for ours, here in (
        ("/etc/ssl/wardlist", f"{prepared.compose}/secrets/tls"),
        ("/run/wardlist-nginx", f"{tmp_path}/run"),
    ):
        conf = conf.replace(ours, here)
    (tmp_path / "nginx.conf").write_text(conf)
    script = (prepared.compose / "nginx.sh").read_text().replace("/run/wardlist-nginx", f"{tmp_path}/run")
    script = script.replace("/etc/wardlist/nginx.conf", str(tmp_path / "nginx.conf")).replace(
        "api:8080", "127.0.0.1:8080"
    )
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script], capture_output=True, text=True, env=os.environ | {"PATH": path}
    )
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "run" / "nginx.conf").read_text()
    assert not re.search(r"^\s*(user|listen 80;)", made, re.MULTILINE)
    assert "#tls#" not in made
    assert "/var/log" not in made
