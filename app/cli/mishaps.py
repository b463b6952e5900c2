"""An everyday failure in one sentence: files of another account, a full disk, a database that is away."""

import sys
from pathlib import Path

from app.cli.output import Refusal
from app.platform.key_files import NotInitialised


def sentence(failure: Exception) -> str | None:
    """None for a fault of the program, whose traceback is wanted."""
    if isinstance(failure, Refusal | NotInitialised):
        return str(failure)
    if isinstance(failure, OSError):
        return _of_system(failure)
    # Loading the database takes long, and what was not loaded has not failed.
    if "sqlalchemy" not in sys.modules:
        return None
    from app.cli import outages

    return outages.sentence(failure)


def _of_system(failure: OSError) -> str | None:
    """None where the system gave no reason: a library's own words may hold what it was asked for."""
    if failure.strerror is None:
        return str(failure) or "it took too long; try again" if isinstance(failure, TimeoutError) else None
    place = f"{failure.filename}: " if isinstance(failure.filename, str) else ""
    hint = "; run this as the service's account: `wardlist-admin COMMAND`"
    is_ours = isinstance(failure, PermissionError) and place and _is_in_home(Path(failure.filename))
    return f"{place}{failure.strerror}" + (hint if is_ours else "")


def _is_in_home(path: Path) -> bool:
    """Providers, auditors and reviewers have files too, and no account of the service."""
    from pydantic import ValidationError

    from app.platform.settings import Settings

    try:
        home = Settings().home.resolve()
    except ValidationError:
        return False
    return path.resolve().is_relative_to(home)
