"""Where a private key comes from, and who may read it.

A key lies in its file under WARDLIST_HOME/keys unless `WARDLIST_KEY_<ROLE>` says otherwise: `file:PATH`, or
`env:NAME` for a key that stands in the variable NAME, as containers get their secrets. TUF roles also take
the addresses of securesystemslib (app/platform/signers.py). ROLE is the role in capitals, `-` written `_`.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE, VARIABLE = "file", "env"
_PREFIX = "WARDLIST_KEY_"
_LARGEST = 64 * 1024


class NotInitialised(Exception):
    """There is no keyring here yet; `wardlist init` makes one."""


class KeyUnusable(NotInitialised):
    """A key is not here, not what it must be, or lies where others can read it. The text never shows it.

    `role` is the key's, where it is known: a log may name it.
    """

    def __init__(self, text: str, role: str | None = None) -> None:
        super().__init__(text)
        self.role = role


@dataclass(frozen=True)
class Source:
    """A place of a role's key: `scheme` is FILE, VARIABLE, or one of securesystemslib's."""

    role: str
    scheme: str
    place: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.place}"

    @property
    def path(self) -> Path | None:
        """The file, of a FILE."""
        return Path(self.place) if self.scheme == FILE else None

    @property
    def is_here(self) -> bool:
        """Whether there is something to read; what lies in a device is taken to be there."""
        if self.scheme == VARIABLE:
            return bool(os.environ.get(self.place))
        return self.path is None or self.path.exists()

    def mark(self) -> tuple[int, int, int] | None:
        """Another one once the file was written anew; None of what does not change. Raises KeyUnusable."""
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except OSError:
            raise missing(self.path, self.role) from None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def read(self) -> str:
        """The key's text, of a FILE or VARIABLE. Raises KeyUnusable."""
        if self.path is not None:
            return read_private(self.path)
        if self.scheme != VARIABLE:
            raise KeyUnusable(
                f"the key of {self.role} cannot be read from {self.scheme}: only file: and env:"
            )
        found = os.environ.get(self.place, "")
        if not found:
            raise KeyUnusable(
                f"the key of {self.role} is to stand in {self.place}, which is not set", self.role
            )
        return found


ROTATED = ("token", "manifest", "log")
"""Roles whose key another can follow, also when it is lost (app/platform/rotation.py)."""


def missing(path: Path, role: str) -> KeyUnusable:
    """A key that an installation has had, and that nothing here makes anew by itself."""
    otherwise = f", or, where none has it, `wardlist keys rotate {role} --lost`" if role in ROTATED else ""
    return KeyUnusable(f"the key file {path} is missing: restore it from a backup{otherwise}", role)


def stated(role: str, environment: Mapping[str, str] | None = None) -> list[Source]:
    """What the role's variable says, sources separated by commas; empty without one. Raises KeyUnusable."""
    variable = variable_of(role)
    text = (os.environ if environment is None else environment).get(variable, "")
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        scheme, colon, place = part.partition(":")
        if not colon or not (scheme and place):
            raise KeyUnusable(f"{variable}: write file:PATH, env:NAME or another SCHEME:PLACE")
        found.append(Source(role, scheme, place))
    return found


def source(role: str, default: Path) -> Source:
    """The one place of a role that is no TUF role. Raises KeyUnusable."""
    found = stated(role)
    if len(found) > 1 or any(one.scheme not in (FILE, VARIABLE) for one in found):
        raise KeyUnusable(f"{variable_of(role)}: write file:PATH or env:NAME, one of them")
    return found[0] if found else Source(role, FILE, str(default))


def variable_of(role: str) -> str:
    """The variable that says where a role's key is."""
    return _PREFIX + role.upper().replace("-", "_")


def read_private(path: Path) -> str:
    """A private key's file, which nobody but its owner may open. Raises KeyUnusable."""
    try:
        # Whoever opens a pipe that nobody writes to would wait.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyUnusable(f"the key file {path} is missing") from None
    except OSError as failure:
        raise KeyUnusable(f"the key file {path} cannot be opened: {failure.strerror}") from None
    try:
        _require_private(path, os.fstat(handle))
        with open(handle, "rb", closefd=False) as file:
            body = file.read(_LARGEST + 1)
    finally:
        os.close(handle)
    try:
        if len(body) > _LARGEST:
            raise ValueError
        return body.decode()
    except ValueError:
        raise KeyUnusable(f"the key file {path} holds no key") from None


def _require_private(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyUnusable(f"the key file {path} is no file")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise KeyUnusable(f"others can open the key file {path} (mode {mode:04o}): run `chmod 600 {path}`")
    if found.st_uid not in (0, os.geteuid()):
        raise KeyUnusable(
            f"the key file {path} belongs to user {found.st_uid}, this process is {os.geteuid()}: "
            f"run `chown {os.geteuid()} {path}`"
        )
