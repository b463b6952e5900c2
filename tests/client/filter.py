"""A filter behind `isp watch`: a file, a checker and a reload program that pass or fail as told."""

import json
from pathlib import Path
from typing import Any

from app.client.brake import Brake
from app.client.health import Board
from app.client.outputs import Output, Outputs
from app.client.trusted import Trust
from app.client.watch import Watcher
from app.core.terms import Format
from tests.client.subscription import Subscription


class Filter:
    """A watcher with a file for a filter, whose checker and reload are shell commands below `folder`."""

    def __init__(self, at: Subscription, folder: Path) -> None:
        self.at, self.folder = at, folder
        self.file, self.health, self.metrics = folder / "list.csv", folder / "health.json", folder / "m.prom"
        self.passes, self.reloads = folder / "passes", folder / "reloads"
        self.passes.touch()

    def watcher(self, brake: Brake | None = None, **changes: Any) -> Watcher:
        """A daemon that starts anew.

        `changes`: `check`, `connection`, `drop_after`, and `reload` (True: the one here).
        """
        check = changes.get("check", f"sh -c 'test -e {self.passes} && grep -q commitment_key $0' {{}}")
        reload = f"sh -c 'test -e {self.passes}.reload && echo >> {self.reloads}'"
        asked = changes.get("reload")
        outputs = Outputs([Output(Format.CSV, self.file, check)], reload if asked is True else asked)
        trust = Trust(self.at.service.root, identities=tuple(self.at.identities))
        board = Board(self.health, self.metrics)
        provider = changes.get("connection", self.at.provider)
        return Watcher(
            provider,
            self.at.name,
            self.at.store,
            trust,
            outputs,
            brake,
            board,
            jitter=lambda _low, high: high,
            drop_after=changes.get("drop_after"),
        )

    @property
    def entries(self) -> set[str]:
        """Ids in the filter's file, without those of canary entries."""
        rows = [row for row in self.file.read_text().splitlines()[1:] if "owned.example" not in row]
        return {row.split(",")[0] for row in rows}

    def shown(self) -> dict[str, Any]:
        """The list's part of the health file."""
        shown: dict[str, Any] = json.loads(self.health.read_bytes())["lists"][0]
        return shown


def grow(at: Subscription, count: int) -> list[str]:
    """A version with so many more entries."""
    new = at.add(count)
    at.publish()
    return new
