"""The operator's command for a list that leaked."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.installation import read_settings, reading
from app.cli.output import AsJson, fail, show
from app.lists import tracing
from app.lists.canary_entries import CanaryEntries
from app.platform.keyring import Keyring, NotInitialised

NOTHING = "this file holds no canary entry of this installation"


def trace(
    file: Annotated[Path, typer.Argument(help="What leaked, in any format.")], as_json: AsJson = False
) -> None:
    """Say whose file it was: every provider is given made-up entries of its own."""
    settings = read_settings()
    if not settings.canary_names:
        fail("WARDLIST_CANARY_SUFFIXES names none of your names: there are no canary entries", as_json)
    try:
        keyring = Keyring.load(settings.keys, ["canary"])
        entries = CanaryEntries(keyring.canary, settings.canary_names)
        with reading(as_json) as session:
            found = tracing.trace(session, keyring, entries, file)
    except NotInitialised as missing:
        fail(str(missing), as_json)
    except tracing.Untraceable as wrong:
        fail(f"{file}: {wrong}", as_json)
    except OSError as failure:
        fail(f"{file}: {failure.strerror}", as_json)
    lines = [f"{one.list}: {one.organisation} {one.name}" for one in found]
    result = {"found": [one._asdict() for one in found]}
    show(result, as_json, "\n".join(lines) or NOTHING)
