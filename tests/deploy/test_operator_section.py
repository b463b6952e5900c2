"""README.md, "On a server": followed word for word under a real systemd, it ends with a running service."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.core import age
from tests.deploy.operator_section import MEDIA, Section, blocks, follow, put_clone
from tests.programs.container import Container, booted, overlay_of_this_machine, unavailable

INSTALLED = {"apt-get install -y": "apt-get install -y --no-upgrade"}
"""This machine's packages are as old as they are."""
QUICKLY = {
    "/opt/wardlist/.venv/bin/pip install": (
        "uv pip install --compile-bytecode --python /opt/wardlist/.venv/bin/python"
    ),
    "python3 -m venv": "python3 -m venv --without-pip",
}
"""The same packages by the same hashes in a tenth of the time; `make check-bare-root` runs pip itself."""
SIGNING = ("keys/log.hex", "keys/tuf", "keys/manifest.jwk.json")


@dataclass
class Server:
    """The machine, after the section was followed."""

    machine: Container
    section: Section

    def get(self, path: str, *options: str) -> str:
        """An answer over TLS, with the certificate that nginx was given."""
        name = self.section.name
        curl = f"curl -sSf --cacert /etc/ssl/wardlist/fullchain.pem --resolve {name}:443:127.0.0.1"
        return self.machine.run(
            f"{curl} --retry 30 --retry-all-errors {' '.join(options)} https://{name}{path}"
        )

    def inside(self, unit: str, words: str) -> str:
        """What a shell says with the rights and the view of the file system of a unit's main process."""
        enter = f"nsenter --target $(systemctl show --value --property MainPID {unit}) --mount --user --root"
        return self.machine.run(
            f"{enter} --setuid $(id -u wardlist) --setgid $(id -g wardlist) sh -c '{words}'"
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One machine for the tests of this module, which follow upon each other."""
    if why := unavailable():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("server")
    with overlay_of_this_machine(folder) as root:
        put_clone(root)
        with booted(root, folder / "console") as machine:
            yield Server(machine, follow(machine, INSTALLED | (QUICKLY if shutil.which("uv") else {})))


def test_the_service_answers_through_nginx_and_signs_lists(server: Server) -> None:
    assert server.get("/readyz").startswith("ready")
    assert json.loads(server.get("/tuf/metadata/1.root.json"))["signed"]["_type"] == "root"
    assert server.get("/.well-known/oauth-authorization-server").count(f"https://{server.section.name}") > 1
    plain = server.machine.run(
        "curl -s -o /dev/null -w '%{http_code} %{redirect_url}' http://127.0.0.1/appeal"
    )
    assert plain.split()[0] == "308"


def test_the_service_has_no_rights_and_nginx_no_keys(server: Server) -> None:
    status = server.machine.run("cat /proc/$(systemctl show --value --property MainPID wardlist)/status")
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    nginx = "/proc/$(systemctl show --value --property MainPID nginx)/root"
    assert server.machine.run(f"ls {nginx}/srv/wardlist").split() == ["log", "tuf"]
    seen = server.machine.run(f"ls -A {nginx}/var/lib/wardlist {nginx}/etc/wardlist 2>&1 || true")
    assert "key" not in seen
    assert "env" not in seen


def test_a_command_of_the_operator_runs_as_the_service(server: Server) -> None:
    assert "Hotline" in server.machine.run("wardlist-admin org list")
    owners = server.machine.run("find /var/lib/wardlist ! -user wardlist | wc -l")
    assert owners.strip() == "0"


def test_the_hourly_backup_is_sealed_and_for_the_service_alone(server: Server) -> None:
    recipients = " ".join(age.generate()[1] for _ in range(2))
    settings = f'BACKUP_RECIPIENT="{recipients}"'
    server.machine.run(f"echo '{settings}' > /etc/wardlist/backup.env && systemctl start wardlist-backup")
    (made,) = server.machine.run("find /var/lib/wardlist-backup -type f -printf '%u %m %p\\n'").splitlines()
    owner, mode, path = made.split()
    assert (owner, mode) == ("wardlist", "600")
    sealed = (server.machine.root / path.lstrip("/")).read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert sealed.partition(b"\n---")[0].count(b"\n-> X25519 ") == 2


def test_the_offline_keys_leave_the_disk_and_the_service_goes_on_without_them(server: Server) -> None:
    server.machine.run(f"{MEDIA}\n{server.section.put_away}")
    kept = server.machine.run("cd /media && ls keys-1/* keys-2/* keys-3/*").split()
    assert kept == [f"keys-{n}/{kind}-{n}.pem" for n in (1, 2, 3) for kind in ("register", "root")]
    assert "offline" not in server.machine.run("ls /var/lib/wardlist").split()
    server.machine.run("systemctl restart wardlist")
    assert server.get("/readyz").startswith("ready")


def test_api_publisher_and_worker_run_apart_and_the_api_sees_no_signing_key(server: Server) -> None:
    (apart,) = blocks("docs/deploy.md", "apart")
    server.machine.run(apart)
    assert server.get("/readyz").startswith("ready")
    names = ("wardlist-api", "wardlist-publisher", "wardlist-worker")
    assert server.machine.run(f"systemctl is-active {' '.join(names)}").split() == ["active"] * 3
    assert server.machine.run("systemctl is-active wardlist || true").strip() == "inactive"
    seen = {
        key: server.inside("wardlist-api", f"test -r /var/lib/wardlist/{key} && echo yes || echo no").strip()
        for key in (*SIGNING, "keys/token.jwk.json")
    }
    assert seen == {**dict.fromkeys(SIGNING, "no"), "keys/token.jwk.json": "yes"}


def test_each_part_says_how_it_fares(server: Server) -> None:
    for port in (9101, 9102):
        assert "wardlist_" in server.machine.run(f"curl -sSf http://127.0.0.1:{port}/metrics")


def test_stopped_parts_end_cleanly(server: Server) -> None:
    server.machine.run("systemctl stop wardlist-api wardlist-publisher wardlist-worker")
    assert server.machine.run("systemctl list-units --failed --quiet --plain").strip() == ""
