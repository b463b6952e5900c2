"""Writing the files of a version: each format of its list, and the delta from the version before.

Files that show an address are sealed unless the list is plain. Sealing the same again gives another file
under another name.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.core import age
from app.core.manifest import Artefact, target_path
from app.core.terms import Format
from app.lists import compressed
from app.lists.contents import Content
from app.lists.formats import FORMATS
from app.lists.formats.sheet import Sheet
from app.lists.targets import TargetFolder


@dataclass(frozen=True)
class Written:
    """A version's files by format, its delta, and the digest of the reference form as it is when opened."""

    artefacts: dict[str, Artefact]
    delta: Artefact
    content_sha256: str


class Artefacts:
    """Writes one version. `recipients` None: nothing is sealed."""

    def __init__(self, targets: TargetFolder, sheet: Sheet, recipients: list[str] | None) -> None:
        self._targets, self._sheet, self._recipients = targets, sheet, recipients

    def write(self, content: Content, formats: Iterable[Format]) -> Written:
        """Every format, and the delta. Raises OSError; then nothing refers to what was written."""
        reference = _Digested(FORMATS[Format.JSONL].render(self._sheet))
        artefacts = {Format.JSONL.value: self._store("list.jsonl", reference)}
        for one in formats:
            if one is not Format.JSONL:
                form = FORMATS[one]
                artefacts[one.value] = self._store(
                    f"list.{one.value}", form.render(self._sheet), form.is_open
                )
        return Written(artefacts, self._store("delta.jsonl", content.delta()), reference.hexdigest)

    def _store(self, file: str, chunks: Iterable[bytes], is_open: bool = True) -> Artefact:
        is_sealed = is_open and self._recipients is not None
        path = target_path(self._sheet.list, self._sheet.version, file + age.SUFFIX * is_sealed)
        stored = self._targets.store(path, chunks, self._recipients if is_sealed else None)
        if is_open and not is_sealed:
            compressed.compress(self._targets.locate(stored), compressed.SMALL)
        return stored


class _Digested:
    """Chunks that pass by, and their SHA-256 once they have."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._whole = chunks, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._whole.update(chunk)
            yield chunk

    @property
    def hexdigest(self) -> str:
        return self._whole.hexdigest()
