"""A sealed list in this process, its subscribers, and everything a subscriber could open with what it has."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import Session
from tuf.api.metadata import Metadata, Targets

from app.core import age, url
from app.core.manifest import Manifest
from app.core.terms import Confidentiality, EntryScope, Format, Kind
from app.identity import service as identity
from app.lists import service as lists
from app.lists import snapshots
from app.lists.formats import hashes
from app.lists.schemas import PolicyChange
from tests.programs.inside import Inside
from tests.programs.service import LIST, Service, approve, new_entry

MADE_UP = "canary.operator.example"


@dataclass
class Holder:
    """A provider: its age identities, and every match key it was ever told."""

    organisation: str
    identities: list[str] = field(default_factory=list)
    match_keys: set[bytes] = field(default_factory=set)

    def opens(self, path: Path) -> bytes | None:
        """What a file holds, for whoever has these identities; None when they open nothing."""
        try:
            return age.unseal_bytes(path.read_bytes(), self.identities)
        except age.Unopened:
            return None


class SealedList:
    """One service with one list, no server, and people who call the application as it is."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.service = Service(folder / "home", canary_suffixes=MADE_UP, **settings)
        self.inside = Inside(self.service.app)
        self.hotline = self.service.connect(Kind.HOTLINE, transport=self.inside)
        self.reviewer = self.service.connect(Kind.REVIEW_BODY, transport=self.inside)
        self.operator = self.service.connect(Kind.OPERATOR, transport=self.inside)
        self._count = 0

    def close(self) -> None:
        """End it."""
        self.service.database.close()
        self.inside.finish()

    def add_list(self, name: str = LIST, **knobs: Any) -> None:
        """A list that is sealed, with hashes, and whose brake stops nothing, unless `knobs` say otherwise."""
        usual = {
            "confidentiality": Confidentiality.SEALED,
            "formats": [Format.JSONL, Format.CSV, Format.HASHES],
            "brake_changes": 10_000,
            "brake_free": 10_000,
        }
        self.service.add_list(name, **{**usual, **knobs})

    def holder(self, *lists_read: str, recipients: int = 1) -> Holder:
        """A provider that subscribes to these lists."""
        made = Holder(self.service.organisation(Kind.ISP))
        for _ in range(recipients):
            self.add_recipient(made)
        for name in lists_read:
            self.service.subscribe(made.organisation, name)
        return made

    def add_recipient(self, holder: Holder) -> str:
        """One more recipient of the provider."""
        secret, recipient = age.generate()
        self.does(lambda s: identity.add_recipient(s, holder.organisation, recipient, self.service.clock()))
        holder.identities.append(secret)
        return recipient

    def does(self, act: Callable[[Session], object]) -> None:
        """An act in a transaction of its own."""
        with self.service.database.writing() as session:
            act(session)

    def take_off(self, holder: Holder, name: str = LIST) -> None:
        """Unsubscribe it."""
        self.does(lambda s: lists.unsubscribe(s, name, holder.organisation, self.service.clock()))

    def change_policy(self, name: str = LIST, **knobs: Any) -> None:
        """The same policy but for these knobs."""

        def change(session: Session) -> None:
            version = lists.policy_version(session, name, None)
            asked = PolicyChange(**{**version.policy, **knobs, "base_version": version.version})
            lists.change_policy(session, None, name, asked, self.service.clock())

        self.does(change)

    def list_some(self, count: int = 1, name: str = LIST, scope: str = "url") -> list[str]:
        """Approved entries that wait for a version; their addresses are numbered on."""
        first, self._count = self._count, self._count + count
        bodies = [
            new_entry(f"https://h{n}.example.test/page/{n}", list=name, scope=scope)
            for n in range(first, first + count)
        ]
        sent = self.hotline.request("POST", "/v1/entries/batch", json={"entries": bodies})
        for entry in sent.json()["entries"]:
            approve(self.reviewer, entry)
        return [entry["id"] for entry in sent.json()["entries"]]

    def publish(self, name: str = LIST) -> int:
        """Two rounds, as time passes; the newest version that is out for all."""
        self.service.publish()
        self.service.publish()
        return self.newest(name)

    def newest(self, name: str = LIST) -> int:
        """The newest version that is out for all, 0 without one."""
        with self.service.database.reading() as session:
            return snapshots.newest(session, name)

    def home(self, name: str = LIST) -> Path:
        """The folder of a list's target files."""
        return self.service.settings.public / "targets" / "lists" / name

    def files(self, version: int, name: str = LIST) -> dict[str, Path]:
        """Every file of a version that is no manifest, also one that nothing refers to; by name."""
        found = (self.home(name) / str(version)).iterdir()
        return {path.name: path for path in found if not path.name.endswith("manifest.json")}

    def manifest(self, version: int, name: str = LIST) -> Manifest:
        """Of a version."""
        (path,) = (self.home(name) / str(version)).glob("*.manifest.json")
        return Manifest.model_validate_json(path.read_bytes())

    def locate(self, version: int, form: str, name: str = LIST) -> Path:
        """A version's file of a format."""
        artefact = self.manifest(version, name).artefacts[form]
        return self.home(name) / str(version) / f"{artefact.sha256}.{Path(artefact.path).name}"

    def lines(self, holder: Holder, version: int, name: str = LIST) -> list[bytes] | None:
        """The canonical lines a provider reads in a version, None when it cannot."""
        opened = holder.opens(self.locate(version, "jsonl", name))
        return None if opened is None else opened.splitlines()

    def own_parts(self, holder: Holder, name: str = LIST) -> list[dict[str, Any]]:
        """What a provider opens of every subscribers' file, oldest first; it keeps the match keys."""
        paths = sorted(self.home(name).glob("*.subscribers.json"), key=lambda path: path.stat().st_mtime_ns)
        parts = [part for path in paths for part in _opened(holder, json.loads(path.read_bytes()))]
        holder.match_keys |= {bytes.fromhex(one["key"]) for part in parts for one in part["match_keys"]}
        return parts

    def newest_part(self, holder: Holder, name: str = LIST) -> dict[str, Any]:
        """The newest of them."""
        return self.own_parts(holder, name)[-1]

    def learns_nothing(self, holder: Holder, version: int, name: str = LIST) -> bool:
        """Whether a version is closed to everything the provider ever held, however it is tried."""
        self.own_parts(holder, name)
        files = self.files(version, name)
        sealed = [path for file, path in files.items() if file.endswith(age.SUFFIX)]
        in_clear = [file.split(".", 1)[1] for file in files if not file.endswith(age.SUFFIX)]
        assert len(sealed) >= 3
        assert in_clear == ["list.hashes"]
        is_told = bool(_opened(holder, self.named_file(name)))
        return not (
            is_told or any(holder.opens(path) for path in sealed) or self.guessed(holder, version, name)
        )

    def named_file(self, name: str = LIST) -> dict[str, Any]:
        """The subscribers' file that the signed metadata names."""
        metadata = self.service.settings.public / "metadata"
        newest = max(metadata.glob(f"*.{name}.json"), key=lambda path: int(path.name.split(".")[0]))
        target = Metadata[Targets].from_file(str(newest)).signed.targets[f"lists/{name}/subscribers.json"]
        found = self.home(name) / f"{target.hashes['sha256']}.subscribers.json"
        read: dict[str, Any] = json.loads(found.read_bytes())
        return read

    def guessed(self, holder: Holder, version: int, name: str = LIST) -> set[int]:
        """Numbers of the addresses that a version's hashes give away to the match keys a provider held."""
        file = hashes.Hashes.read(self.locate(version, "hashes", name).read_bytes())
        return {
            number
            for number in range(self._count)
            for key in holder.match_keys
            if hashes.value(key, "url", _expression(number)) in file
        }


def _expression(number: int) -> str:
    return url.expression(f"https://h{number}.example.test/page/{number}", EntryScope.URL)


def _opened(holder: Holder, file: dict[str, Any]) -> list[dict[str, Any]]:
    """Every part of a subscribers' file that the provider's identities open."""
    found = []
    for sealed in file["subscribers"].values():
        try:
            found.append(json.loads(age.unseal_bytes(base64.b64decode(sealed), holder.identities)))
        except age.Unopened:
            continue
    return found
