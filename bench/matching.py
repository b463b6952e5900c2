"""How many URLs a second `wardlist isp match` answers, beside SHA-256 of the same strings."""

import hashlib
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.client.matcher import Matcher
from app.client.store import Store
from tests.client.installing import install, line

ENTRIES, HOSTS, ASKED, TIMES = 100_000, 40_000, 200_000, 5
SCOPES, SHARES = ("url", "path", "host", "domain"), (90, 6, 3, 1)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Addresses:
    """Made-up addresses below reserved names, the same in each run."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        self._hosts = [self._host(4) for _ in range(HOSTS)]
        self.listed = [f"https://{self._one(self._hosts)}{self._page(at)}" for at in range(ENTRIES)]

    def lines(self) -> list[bytes]:
        """Canonical lines of what is listed; of the wider scopes too."""
        scopes = self._random.choices(SCOPES, SHARES, k=ENTRIES)
        return [line(address, scope) for address, scope in zip(self.listed, scopes, strict=True)]

    def mixed(self) -> list[str]:
        """1 % listed, 9 % other pages on hosts that have entries, 90 % other hosts."""
        kinds = self._random.choices((0, 1, 2), (1, 9, 90), k=ASKED)
        return [self._of_kind(kind, at) for at, kind in enumerate(kinds)]

    def all_listed(self) -> list[str]:
        """Listed ones only."""
        return self._random.choices(self.listed, k=ASKED // 4)

    def _of_kind(self, kind: int, at: int) -> str:
        if kind == 0:
            return self._one(self.listed)
        host = self._one(self._hosts) if kind == 1 else self._host(3)
        return f"https://{host}{self._page(at)}?x={at}"

    def _host(self, letters: int) -> str:
        return f"{self._word(letters)}.{self._word(9)}.{self._one(('example', 'test'))}"

    def _page(self, at: int) -> str:
        return f"/{self._word(6)}/{self._word(8)}/{at}.html"

    def _word(self, letters: int) -> str:
        return "".join(self._random.choices(_LETTERS, k=letters))

    def _one(self, several: Sequence[str]) -> str:
        return self._random.choice(several)


def _rate(act: Callable[[list[str]], None], addresses: list[str]) -> float:
    """Addresses a second, median."""
    found = []
    for _ in range(TIMES):
        started = time.perf_counter()
        act(addresses)
        found.append(len(addresses) / (time.perf_counter() - started))
    return statistics.median(found)


def _hash_each(addresses: list[str]) -> None:
    for one in addresses:
        hashlib.sha256(one.encode()).digest()


def _command_rate(folder: Path, addresses: list[str]) -> float:
    """Of the whole command from file to file; start and loading are left out by taking a difference."""
    seconds = [_command(folder, addresses * times) for times in (1, 6)]
    return 5 * len(addresses) / (seconds[1] - seconds[0])


def _command(folder: Path, addresses: list[str]) -> float:
    asked, answers = folder / "asked", folder / "answers"
    asked.write_text("\n".join(addresses) + "\n")
    command = [sys.executable, "-c", "from app.cli.main import app; app()", "isp", "match"]
    started = time.perf_counter()
    with answers.open("wb") as out:
        words = ["--dir", str(folder), "--file", str(asked)]
        subprocess.run([*command, *words], stdout=out, check=True)
    return time.perf_counter() - started


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    addresses = Addresses()
    install(folder, 1, *addresses.lines())
    started = time.perf_counter()
    matcher = Matcher.of(Store(folder))
    loading = time.perf_counter() - started

    def match_each(several: list[str]) -> None:
        for one in several:
            matcher.matches(one)

    mixed, all_listed = addresses.mixed(), addresses.all_listed()
    limit, rate = _rate(_hash_each, mixed), _rate(match_each, mixed)
    whole, oddly = _command_rate(folder, mixed), [one.replace("https", "HTTPS", 1) for one in mixed[:20_000]]
    rows = [
        ("SHA-256 of the mix in a Python loop", limit),
        ("match, the mix: 1 % listed, 9 % other pages of such hosts, 90 % other hosts", rate),
        ("the same, `isp match --file` from file to file", whole),
        ("match, all listed", _rate(match_each, all_listed)),
        ("match, each written oddly, so that it is made canonical", _rate(match_each, oddly)),
    ]
    return [
        "",
        "## Matching",
        f"{ENTRIES:,} entries on {HOSTS:,} hosts, {ASKED:,} URLs; loaded in {loading:.2f} s.",
        "Goal: 0.1 of SHA-256.",
        "",
        "| what | URLs a second | of SHA-256 |",
        "|---|---|---|",
        *(f"| {what} | {found:,.0f} | {found / limit:.2f} |" for what, found in rows),
    ]
