"""Runs the command in this process, beside a running service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from app.cli.main import app
from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD
from tests.programs.service import Service


class Terminal:
    """Runs `wardlist` in this process, on the home of a running service."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service, self.folder = service, folder
        self._environment = service.environment

    def run(
        self, *words: str, code: int = 0, environment: Mapping[str, str] | None = None
    ) -> tuple[str, str]:
        """What is said on stdout, and, in one line, on stderr."""
        done = self._invoked(words, code, **(environment or {}))
        return done.stdout, " ".join(done.stderr.split())

    def rows(self, *words: str, columns: int = 40) -> list[list[str]]:
        """What is said on stderr of a terminal so narrow: words, line by line."""
        done = self._invoked(words, 0, COLUMNS=str(columns))
        return [line.split() for line in done.stderr.splitlines()]

    def _invoked(self, words: Sequence[str], code: int, **environment: str) -> Result:
        done = CliRunner().invoke(app, words, env=self._environment | environment)
        assert done.exit_code == code, done.output
        return done

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*words, "--json", code=code)[0])
        return found

    def credentials(self, kind: Kind, organisation: str | None = None) -> list[str]:
        """The option that signs in a new client."""
        organisation = organisation or self.service.organisation(kind)
        made = self.service.credentials(organisation, set(MAY_HOLD[kind]))
        file = self.folder / f"{made.client_id}.json"
        file.write_text(json.dumps(asdict(made)))
        return ["--credentials", str(file)]
