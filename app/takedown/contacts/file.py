"""Contacts as a CSV file (RFC 4180), for import and export.

The first line names the columns, in any order; what has no column takes its default. A file is taken in whole
or not at all, and every fault is named by line and column, never with what stands there. A line with an `id`
is that contact; one without is the contact of the same kind, name, country, host suffix and network, of
several that of its rank, or else a new one. So a file that is imported twice changes nothing the second time.

A cell that a spreadsheet would take for a formula is written with an apostrophe before it, which is taken off
again when it is read.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlmodel import Session

from app.platform.problems import FieldError, Problem
from app.takedown.contacts import service as contacts
from app.takedown.contacts.schemas import ContactContent, name_key
from app.takedown.contacts.service import Changes, Wanted
from app.takedown.models import Contact

COLUMNS = ("id", *ContactContent.model_fields)
LARGEST = 32 * 1024 * 1024
"""Bytes of a file."""
_NEEDED = {name for name, field in ContactContent.model_fields.items() if field.is_required()}
_FORMULA = tuple("=+-@\t\r'")
_SHOWN = 100
"""Faults named at a time."""
Key = tuple[str, str, str | None, str | None, str | None]


@dataclass(frozen=True)
class Row:
    """A contact as a file has it, and on which line."""

    line: int
    id: str
    content: ContactContent


@dataclass(frozen=True)
class Done:
    """How many contacts an import added, changed, ended and left as they were."""

    added: int
    changed: int
    ended: int
    unchanged: int


class Faults:
    """What is wrong with a file, gathered so that all of it is named at once."""

    def __init__(self) -> None:
        self._found: list[FieldError] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, line: int, column: str, detail: str) -> None:
        """Something is wrong there."""
        place = f"line {line}, {column}" if column else f"line {line}"
        self._found.append({"field": place, "detail": detail, "code": "invalid-input"})

    def refuse(self) -> None:
        """Raises a 422 problem when anything is wrong."""
        if self._found:
            detail = f"{len(self._found)} faults; nothing was changed"
            raise Problem("invalid-input", detail, self._found[:_SHOWN])


def write(found: Iterable[Contact]) -> str:
    """The contacts as a file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for contact in found:
        writer.writerow(_guarded(_cell(getattr(contact, name))) for name in COLUMNS)
    return text.getvalue()


def read(data: bytes) -> list[Row]:
    """A file's contacts, each in itself as it must be. Raises a 422 problem that names every fault."""
    faults = Faults()
    rows = list(_rows(_text(data), faults))
    if not rows and not faults:
        faults.add(1, "", "the file holds no contact")
    faults.refuse()
    return rows


def take_in(
    session: Session, rows: list[Row], now: datetime, allow_private: bool, replace: bool = False
) -> Done:
    """Add and change contacts as the rows say; with `replace` those that are in none end.

    Raises a 422 problem that names every fault.
    """
    known = contacts.page(session, Wanted())
    faults = Faults()
    meant = _match(rows, known, faults)
    for row in rows:
        _check(session, row, meant.get(row.line), allow_private, faults)
    faults.refuse()
    changed = [
        (contact, row.content)
        for row in rows
        if (contact := meant.get(row.line)) and contacts.content_of(contact) != row.content
    ]
    kept = {contact.id for contact in meant.values()}
    added = [row.content for row in rows if row.line not in meant]
    ended = [contact for contact in known if contact.id not in kept] if replace else []
    contacts.apply(session, Changes(added, changed, ended), now, None)
    return Done(len(added), len(changed), len(ended), len(meant) - len(changed))


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Problem("invalid-input", f"the file is larger than {LARGEST} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = data.count(b"\n", 0, wrong.start) + 1
        raise Problem("invalid-input", f"line {line}: not UTF-8") from None


def _rows(text: str, faults: Faults) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        _check_columns(columns, faults)
        line = reader.line_num + 1
        for count, cells in enumerate(reader, 1):
            if count > contacts.AT_MOST:
                faults.add(line, "", f"a file has at most {contacts.AT_MOST} contacts")
                return
            row = _row(line, columns, cells, faults) if any(cells) else None
            if row:
                yield row
            line = reader.line_num + 1
    except csv.Error:
        faults.add(line, "", "the quotes of this line do not match, or a cell is too long")


def _check_columns(columns: list[str], faults: Faults) -> None:
    """Stop at once where it is not known what stands in a column. Raises a 422 problem."""
    for name, count in Counter(columns).items():
        if name not in COLUMNS:
            faults.add(1, f"column {columns.index(name) + 1}", f"name it one of {', '.join(COLUMNS)}")
        elif count > 1:
            faults.add(1, name, "there are two such columns")
    for name in sorted(_NEEDED - set(columns)):
        faults.add(1, name, "there is no such column; separate columns by commas")
    faults.refuse()


def _row(line: int, columns: list[str], cells: list[str], faults: Faults) -> Row | None:
    if len(cells) != len(columns):
        faults.add(line, "", f"{len(cells)} cells, but {len(columns)} columns")
        return None
    given = {name: _unguarded(cell.strip()) for name, cell in zip(columns, cells, strict=True)}
    said = {name: text for name, text in given.items() if text and name != "id"}
    rank = said.get("rank", "")
    number = {"rank": int(rank)} if rank.isascii() and rank.isdigit() and len(rank) < 9 else {}
    try:
        return Row(line, given.get("id", ""), ContactContent.model_validate({**said, **number}))
    except ValidationError as wrong:
        for error in wrong.errors(include_input=False, include_url=False):
            column = str(error["loc"][0]) if error["loc"] else ""
            detail = error["msg"].removeprefix("Value error, ")
            faults.add(line, column, "this must not be empty" if error["type"] == "missing" else detail)
        return None


def _match(rows: list[Row], known: list[Contact], faults: Faults) -> dict[int, Contact]:
    """The contact that each line means, by line; a line that is not there is a new contact."""
    by_id = {contact.id: contact for contact in known}
    by_key: dict[Key, list[Contact]] = defaultdict(list)
    for contact in known:
        by_key[_key(contact)].append(contact)
    alike = Counter(_key(row.content) for row in rows if not row.id)
    meant: dict[int, Contact] = {}
    taken: dict[object, int] = {}
    for row in rows:
        if row.id and row.id not in by_id:
            faults.add(row.line, "id", "no contact in force has it; leave it empty to add one")
            continue
        key = _key(row.content)
        found = by_id.get(row.id) or _described(row, by_key[key], alike[key], faults)
        mark = found.id if found else (key, row.content.rank)
        if mark in taken:
            faults.add(row.line, "", f"the same contact as on line {taken[mark]}; give it another rank")
        taken[mark] = row.line
        if found:
            meant[row.line] = found
    return meant


def _described(row: Row, known: list[Contact], lines_alike: int, faults: Faults) -> Contact | None:
    """The contact that a line without an id describes."""
    if len(known) == lines_alike == 1:
        return known[0]
    of_rank = [contact for contact in known if contact.rank == row.content.rank]
    if len(of_rank) > 1:
        faults.add(row.line, "id", "several contacts are described so; say which")
    return of_rank[0] if of_rank else None


def _key(one: Contact | ContactContent) -> Key:
    return one.kind.value, name_key(one.name), one.country, one.host_suffix, one.network


def _check(session: Session, row: Row, meant: Contact | None, allow_private: bool, faults: Faults) -> None:
    try:
        if meant:
            contacts.refuse_another_kind(meant, row.content)
        contacts.check(session, row.content, allow_private)
    except Problem as problem:
        for error in problem.errors:
            faults.add(row.line, error["field"], error["detail"])


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
