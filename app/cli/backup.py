"""Making a backup of the installation, while it runs."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from app.backup import making, tuf
from app.cli.installation import open_database, read_settings
from app.cli.output import AsJson, err, fail, show
from app.core import age
from app.platform import last_backup
from app.platform.clock import system_clock
from app.platform.key_files import NotInitialised


def backup(
    out: Annotated[Path, typer.Option(help="File to write; one that is there is replaced when it is whole.")],
    recipient: Annotated[
        list[str],
        typer.Option(help="age recipient (age1...) that can open it; repeat. Its identity is kept offline."),
    ],
    as_json: AsJson = False,
) -> None:
    """Write everything that a restore needs into one file, sealed with age; the service goes on meanwhile."""
    settings = read_settings()
    if not out.resolve().parent.is_dir():
        fail(f"{out.parent} is no folder", as_json)
    try:
        with closing(open_database(settings)) as database:
            made = making.make(settings, database, out.resolve(), recipient, system_clock())
    except (NotInitialised, making.Busy, making.Unnamed, age.Invalid, tuf.Untrusted) as refused:
        fail(str(refused), as_json)
    except OSError as failure:
        fail(f"the backup failed, nothing was kept of it: {failure.strerror or failure}", as_json)
    try:
        last_backup.record(settings.home, system_clock())
    except OSError as failure:
        err.print(f"The alert for a missing backup was not told: {failure.strerror}", style="yellow")
    for name in made.header["keys_elsewhere"]:
        err.print(f"Not in the backup: the key that {name} names. Keep it where it is.", style="yellow")
    rows = sum(found["rows"] for found in made.tables.values())
    result = {"file": str(out), "bytes": made.length, "rows": rows, "files": len(made.files), **made.header}
    leaves = made.header["log"]["size"]
    show(
        result, as_json, f"{out}: {made.length} bytes, {rows} rows, {len(made.files)} files, {leaves} leaves"
    )
