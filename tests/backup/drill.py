"""An installation to be lost, and what it is rebuilt from."""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy import text
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.core import age
from app.core.terms import Kind
from app.identity import service as identity
from app.identity.permissions import MAY_HOLD
from app.log.tiles import public_log
from app.platform.database import Database
from tests.programs import databases, forked
from tests.programs.conditions import until
from tests.programs.service import LIST, Service, approve, new_entry, wait_until_up


class Drill:
    """A running service with a list, and everybody who works with it."""

    def __init__(self, service: Service, folder: Path, sealed_to: str | None = None) -> None:
        self.service, self.folder = service, folder
        self.isp = service.organisation(Kind.ISP)
        if sealed_to:
            with service.database.writing() as session:
                identity.add_recipient(session, self.isp, sealed_to, service.clock())
        service.subscribe(self.isp)
        self.provider = service.connect(Kind.ISP, self.isp)
        self.owner = service.organisation(Kind.HOTLINE)
        self.hotline = service.connect(Kind.HOTLINE, self.owner)
        self.reviewer = service.connect(Kind.REVIEW_BODY)
        self.operator = service.connect(Kind.OPERATOR)
        self.identity, self.recipient = age.generate()
        self.identity_file = folder / "backup.age"
        self.identity_file.write_text(f"# offline\n{self.identity}\n")
        self.credentials = folder / "provider.json"
        made = service.credentials(self.isp, set(MAY_HOLD[Kind.ISP]))
        self.credentials.write_text(json.dumps(asdict(made)))
        self.root = folder / "1.root.json"
        self.root.write_bytes(service.root)
        self.vkey = str(public_log(service.settings, service.keyring).verifier)
        self._number = 0

    def close(self) -> None:
        """End the connections."""
        for one in (self.provider, self.hotline, self.reviewer, self.operator):
            one.__exit__(None, None, None)

    def submit(self, url: str | None = None, **changes: Any) -> dict[str, Any]:
        """A new entry's view."""
        self._number += 1
        body = new_entry(url or f"https://h{self._number}.example.test/{self._number}", **changes)
        made: dict[str, Any] = self.hotline.request("POST", "/v1/entries", json=body).json()
        return made

    def listed(self, url: str | None = None) -> str:
        """The id of an entry that the next version lists."""
        made = self.submit(url)
        approve(self.reviewer, made)
        return str(made["id"])

    def withdraw(self, entry: str) -> None:
        self.hotline.request("POST", f"/v1/entries/{entry}/withdrawal")

    def erase(self, entry: str) -> None:
        self.operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "court_order"})

    def backup(self, name: str = "backup.wardlist") -> Path:
        """A fresh backup's file."""
        path = self.folder / name
        done = self.run("backup", "--out", str(path), "--recipient", self.recipient, "--json")
        assert done.exit_code == 0, f"{done.output} {done.exception!r}"
        return path

    def restore(
        self, backup: Path, to: "Rebuilt", *words: str, code: int = 0, **environment: str
    ) -> dict[str, Any]:
        """What `wardlist restore` says with --json."""
        done = self.run(
            *("restore", str(backup), "--identity", str(self.identity_file), *to.words, "--json", *words),
            **environment,
        )
        assert done.exit_code == code, f"{done.output} {done.exception!r}"
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def run(self, *words: str, **environment: str) -> Result:
        """A command on the installation."""
        return CliRunner().invoke(app, words, env=self.service.environment | environment)

    def apart(self, *words: str) -> dict[str, Any]:
        """What a command that fails says, run in a process of its own: it leaves no file open here."""
        environment = {**os.environ, **self.service.environment}
        done = forked.command([*words, "--json"], self.folder, environment)
        assert done.returncode == 1, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def synced_after(self, version: int, *words: str, name: str = LIST) -> dict[str, Any]:
        """What the provider's command says once there is a later version."""
        said: list[dict[str, Any]] = [self.sync(*words, name=name)]

        def is_there() -> bool:
            said.append(self.sync(*words, name=name))
            return bool(said[-1]["version"] > version)

        until(is_there)
        return said[-1]

    def statuses(self, rebuilt: "Rebuilt") -> dict[str, str]:
        """Where each entry stands in the rebuilt database."""
        with closing(Database(rebuilt.database)) as database, database.reading() as session:
            return {row[0]: row[1] for row in session.execute(text("SELECT id, status FROM entry"))}

    def sync(self, *words: str, name: str = LIST) -> dict[str, Any]:
        """What the provider's own command says, which remembers the log and TUF."""
        done = self.run(
            *("isp", "sync", "--credentials", str(self.credentials), "--list", name, "--json"),
            *("--dir", str(self.folder / "lists"), "--root", str(self.root), "--log-vkey", self.vkey),
            *words,
        )
        assert done.exit_code == 0, f"{done.output} {done.exception!r}"
        said: dict[str, Any] = json.loads(done.stdout)
        return said


class Rebuilt:
    """Where an installation is restored to: a folder, and a database where the suite has those apart."""

    def __init__(self, home: Path) -> None:
        self.home, self.database_url = home, databases.fresh(is_migrated=False)

    @property
    def words(self) -> list[str]:
        """Options of `wardlist restore`."""
        where = ["--home", str(self.home)]
        return where if self.database_url is None else [*where, "--database-url", self.database_url]

    @property
    def database(self) -> str:
        """Its address."""
        return self.database_url or f"sqlite:///{self.home / 'wardlist.db'}"

    @property
    def environment(self) -> dict[str, str]:
        """What another command needs, to work on it."""
        return {"WARDLIST_HOME": str(self.home), **databases.environment(self.database_url)}

    @contextmanager
    def serving(self, service: Service) -> Iterator[None]:
        """A process that serves it at the old address."""
        environment = {**service.environment, **self.environment, "WARDLIST_ISSUER": service.address}
        process = forked.forked(forked.serve, environment)
        try:
            wait_until_up(service.address)
            yield
        finally:
            process.terminate()
            process.join(timeout=30)


def bytes_below(folder: Path) -> bytes:
    """All that lies in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def is_empty(folder: Path) -> bool:
    """Whether nothing was left of a restore."""
    return not folder.exists() or not os.listdir(folder)
