"""The Dockerfile without Docker: its steps run in an overlay of this machine, and what comes out is started.

Only the base image is another: this machine's Debian and Python stand for it.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.programs.container import overlay_of_this_machine

PROGRAM = shutil.which("systemd-nspawn")
_QUICKLY = {
    ".venv/bin/pip install --no-cache-dir": "uv pip install --compile-bytecode --python .venv/bin/python",
    "python -m venv": "python -m venv --without-pip",
}
"""The same packages by the same hashes in a tenth of the time, where uv is installed."""
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_REGISTRIES = ("PIP_", "SSL_CERT_", "UV_")


@dataclass
class Image:
    """A finished stage: its root, and what the Dockerfile says of containers made of it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = ""
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def starting(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        mounts: Sequence[str],
        network: str,
        program: Sequence[str] | None = None,
    ) -> list[str]:
        """A container's command: no capability, a read-only root, the image's account.

        `mounts` are options of systemd-nspawn, `network` is a network namespace's file. `program` stands in
        the place of the entry point.
        """
        account = self.user.partition(":")[0]
        passwd = (self.root / "etc/passwd").read_text()
        (name,) = re.findall(rf"^([^:]+):[^:]*:{re.escape(account)}:", passwd, re.MULTILINE)
        settings = {**self.environment, **environment}
        return [
            *(
                str(PROGRAM),
                "--quiet",
                f"--directory={self.root}",
                "--read-only",
                "--register=no",
                "--keep-unit",
            ),
            *(
                "--console=pipe",
                "--as-pid2",
                "--resolv-conf=off",
                "--timezone=off",
                "--no-new-privileges=yes",
            ),
            *("--drop-capability=all", f"--user={name}", f"--network-namespace-path={network}"),
            *(f"--machine={name}-{os.getpid()}-{abs(hash(tuple(arguments))) % 10_000}",),
            *(f"--setenv={key}={value}" for key, value in settings.items()),
            *mounts,
            *("--", *(self.entrypoint if program is None else program), *arguments),
        ]


@contextmanager
def built(dockerfile: Path, folder: Path) -> Iterator[Image]:
    """The last stage. Raises AssertionError with what a step printed when it fails, ValueError for a step
    that this does not know."""
    stages: list[tuple[str, list[tuple[str, str]]]] = []
    for word, rest in _instructions(dockerfile):
        if word == "FROM":
            stages.append((rest.partition(" AS ")[2], []))
        else:
            stages[-1][1].append((word, rest))
    finished: dict[str, Image] = {}
    with _overlays(folder, len(stages)) as roots:
        for root, (name, steps) in zip(roots, stages, strict=True):
            image = Image(root, {"PATH": _PATH})
            python = root / "usr/local/bin/python"
            if not python.is_symlink():
                python.symlink_to("/usr/bin/python3")
            for word, rest in steps:
                _take(image, word, rest, dockerfile.parent, finished)
            finished[name] = image
        yield image


@contextmanager
def _overlays(folder: Path, count: int) -> Iterator[list[Path]]:
    if not count:
        yield []
        return
    with overlay_of_this_machine(folder / str(count)) as root, _overlays(folder, count - 1) as others:
        yield [root, *others]


def _instructions(dockerfile: Path) -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


def _take(image: Image, word: str, rest: str, context: Path, finished: Mapping[str, Image]) -> None:
    match word:
        case "WORKDIR":
            image.folder = rest
            (image.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "RUN":
            _run(image, rest)
        case "COPY":
            _copy(image, rest, context, finished)
        case "ENV":
            for name, value in re.findall(r"(\w+)=(\S+)", rest):
                image.environment[name] = value.replace("$PATH", image.environment["PATH"])
        case "USER":
            image.user = rest
        case "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        case "CMD":
            image.command = json.loads(rest)
        case "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        case "VOLUME" | "EXPOSE":
            pass
        case _:
            raise ValueError(f"{word} in a Dockerfile is not known here")


def _run(image: Image, script: str) -> None:
    if shutil.which("uv"):
        for pip, uv in _QUICKLY.items():
            script = script.replace(pip, uv)
    passed = {name: value for name, value in os.environ.items() if name.startswith(_REGISTRIES)}
    command = [
        *(
            str(PROGRAM),
            "--quiet",
            f"--directory={image.root}",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
        ),
        *("--as-pid2", "--timezone=off", f"--chdir={image.folder}", f"--machine=build-{os.getpid()}"),
        *(f"--setenv={key}={value}" for key, value in {**passed, **image.environment}.items()),
        *("--", "/bin/sh", "-c", script),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


def _copy(image: Image, rest: str, context: Path, finished: Mapping[str, Image]) -> None:
    stage = re.match(r"--from=(\S+) ", rest)
    *names, target = rest.removeprefix(stage.group(0) if stage else "").split()
    source = finished[stage.group(1)].root if stage else context
    ignored = [] if stage else (context / ".dockerignore").read_text().split()
    place = image.root / str(PurePosixPath(image.folder, target)).lstrip("/")
    for name in names:
        found = source / name.lstrip("/")
        assert not any(fnmatch.fnmatch(name, pattern) for pattern in ignored), f"{name} is in .dockerignore"
        assert found.exists(), f"{name} is not there"
        if found.is_dir():
            skip = [pattern.removeprefix("**/") for pattern in ignored if pattern.startswith("**/")]
            shutil.copytree(
                found, place, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*skip)
            )
        else:
            shutil.copy(found, place / found.name if target.endswith("/") else place)
