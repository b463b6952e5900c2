"""The README's commands for a server, run word for word in a machine of their own.

    python -m tests.deploy.operator_section

does so in a bare Debian 12 that debootstrap makes (`make check-bare-root`): every package, Debian's
and Python's, is then installed anew. Tests do the same in an overlay of this machine, with what it has.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.programs.container import Container, booted

TOP = Path(__file__).parents[2]
CLONE = "/root/wardlist"
MEDIA = "mkdir -p /media/keys-{1,2,3}"
"""What an operator does besides: putting in three media."""
_REGISTRY_FILES = ("etc/resolv.conf", "etc/pip.conf", "etc/xdg/pip", "etc/ssl/certs/ca-certificates.crt")
_BASE = "systemd-sysv,dbus,ca-certificates"


@dataclass(frozen=True)
class Section:
    """`install` needs package registries, `start` brings the service up, `put_away` moves offline keys."""

    name: str
    install: str
    start: str
    put_away: str


def section() -> Section:
    """What README.md says."""
    first, second = blocks("README.md", "server")
    install, start = re.split(r"^(?=systemctl )", first, maxsplit=1, flags=re.MULTILINE)
    (name,) = re.findall(r"^NAME=(\S+)", first, re.MULTILINE)
    return Section(name, install, f"NAME={name}\n{start}", second)


def blocks(document: str, language: str) -> list[str]:
    """The blocks of a document that are marked so."""
    text = (TOP / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def put_clone(root: Path) -> None:
    """What `git clone` of this tree would bring to CLONE."""
    listed = ["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (TOP / name).is_file():
            (root / CLONE.lstrip("/") / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, root / CLONE.lstrip("/") / name)


def follow(machine: Container, replace: dict[str, str]) -> Section:
    """Install and start. `replace` says which words are another's here."""
    found = section()
    install = found.install
    for ours, here in replace.items():
        assert ours in install, ours
        install = install.replace(ours, here)
    machine.run(install, is_outside_network=True, folder=CLONE)
    machine.run(found.start)
    return found


def bare_debian(folder: Path) -> Path:
    """A new Debian 12 with systemd and nothing else, from the mirror of this machine's own apt."""
    root = folder / "root"
    targets = ["/usr/bin/apt-get", "indextargets", "--format", "$(SITE)"]
    sites = subprocess.run(targets, check=True, capture_output=True, text=True).stdout.split()
    mirror = next(site for site in sites if urlsplit(site).path.rstrip("/").endswith("debian"))
    command = ["debootstrap", "--variant=minbase", f"--include={_BASE}", "bookworm", str(root), mirror]
    subprocess.run(command, check=True)
    for name in _REGISTRY_FILES:
        there = Path("/", name)
        if there.is_dir():
            shutil.copytree(there, root / name, dirs_exist_ok=True)
        elif there.exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(there, root / name)
    return root


def main() -> None:
    """Raises AssertionError with what was printed when a command fails."""
    with TemporaryDirectory(prefix="bare-root-") as name:
        folder = Path(name)
        root = bare_debian(folder)
        put_clone(root)
        with booted(root, folder / "console") as machine:
            machine.run("apt-get update", is_outside_network=True)
            found = follow(machine, {})
            machine.run(f"{MEDIA}\n{found.put_away}")
            machine.run("systemctl is-active wardlist nginx && ! ls /var/lib/wardlist/offline 2>/dev/null")
            print(
                machine.run(
                    "systemctl --no-pager --lines=0 status wardlist nginx; find /media /var/lib/wardlist"
                )
            )


if __name__ == "__main__":
    main()
