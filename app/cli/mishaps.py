"""An everyday failure in one sentence: files of another account, a full disk, a database that is away."""

import sys

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
    return f"{place}{failure.strerror}" + (hint if isinstance(failure, PermissionError) else "")
