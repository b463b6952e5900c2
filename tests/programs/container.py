"""A machine of the tests' own: systemd, booted by systemd-nspawn in a root folder, with a network of its own.

The root is either a folder (debootstrap made one) or this machine's own, seen through an overlay: then every
installed program is there, and whatever is changed goes when the block ends.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAM = shutil.which("systemd-nspawn")
_BOOT_SECONDS, _STOP_SECONDS = 120, 60
_ENTER = ("--mount", "--pid", "--uts", "--ipc", "--root", "--wd")
_REGISTRIES = ("PIP_", "SSL_CERT_", "UV_")
_PLAIN = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
}


def unavailable() -> str | None:
    """Why no such machine can be started here, None when one can."""
    if PROGRAM is None:
        return "systemd-nspawn is not installed"
    if os.geteuid():
        return "only root can start a container"
    return None


class Container:
    """A booted systemd; `root` is its root as it is seen from outside."""

    def __init__(self, root: Path, leader: int) -> None:
        self.root, self._leader = root, leader

    def run(self, script: str, *, is_outside_network: bool = False, folder: str = "/root") -> str:
        """What a shell prints that runs the script as root and stops at the first failure.

        `is_outside_network` gives it this machine's network, for package registries; else it has its own.
        Raises AssertionError with all that was printed.
        """
        net = () if is_outside_network else ("--net",)
        enter = ("nsenter", f"--target={self._leader}", *_ENTER, *net, "env", "-C", folder)
        found = {name: value for name, value in os.environ.items() if name.startswith(_REGISTRIES)}
        # uv trusts no certificate of the machine by itself, as pip does there.
        registries = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"} | found
        done = subprocess.run(
            [*enter, "bash", "-euo", "pipefail", "-c", script],
            env=_PLAIN | (registries if is_outside_network else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"exit code {done.returncode}\n{script}\n{done.stdout}"
        return done.stdout


@contextmanager
def overlay_of_this_machine(folder: Path) -> Iterator[Path]:
    """This machine's root, to be changed at will until the block ends; `folder` is on no overlay itself."""
    parts = {name: folder / name for name in ("changes", "work", "root")}
    for part in parts.values():
        part.mkdir(parents=True)
    options = f"lowerdir=/,upperdir={parts['changes']},workdir={parts['work']}"
    subprocess.run(["/bin/mount", "-t", "overlay", "overlay", "-o", options, parts["root"]], check=True)
    try:
        yield parts["root"]
    finally:
        subprocess.run(["/bin/umount", parts["root"]], check=True)


@contextmanager
def booted(root: Path, console: Path) -> Iterator[Container]:
    """systemd up to basic.target, so without this machine's services. Its console goes to a file."""
    command = [
        *(
            str(PROGRAM),
            "--quiet",
            f"--directory={root}",
            "--register=no",
            "--keep-unit",
            "--private-network",
        ),
        *("--resolv-conf=off", "--timezone=off", "--console=pipe", "--boot", "systemd.unit=basic.target"),
    ]
    with ExitStack() as stack:
        output = stack.enter_context(console.open("wb"))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        stack.callback(_stop, process)
        leader = _leader(process, console)
        made = Container(root, leader)
        state = made.run("systemctl is-system-running --wait || true").strip()
        assert state in ("running", "degraded"), f"{state}\n{console.read_text(errors='replace')}"
        yield made


def _leader(process: "subprocess.Popen[bytes]", console: Path) -> int:
    """Process 1 of the container, once it takes commands."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, console.read_text(errors="replace")
        found = children.read_text().split()
        if found and Path(f"/proc/{found[0]}/root/run/systemd/private").exists():
            return int(found[0])
        time.sleep(0.05)
    raise TimeoutError(console.read_text(errors="replace"))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    # systemd-nspawn passes this on as an orderly power-off.
    process.terminate()
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=_STOP_SECONDS)
