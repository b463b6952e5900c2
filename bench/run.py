"""`make bench`: what this machine does, as ratios against a named peer in the same run.

Writes bench/results.md; `make bench ONLY="polling nginx"` measures those sections anew and leaves the others.
Talks to 127.0.0.1 only, works in temporary folders and stops by itself.
"""

import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import (
    coverage,
    crowd,
    databases,
    growth,
    installing,
    log,
    matching,
    nginx,
    pages,
    polling,
    processes,
    publishing,
    submitting,
    waiting,
    year,
)

RESULTS = Path(__file__).with_name("results.md")
TITLE = "# Results of `make bench`"
SECTIONS: dict[str, Callable[[Path], list[str]]] = {
    "submitting": submitting.report,
    "publishing": publishing.report,
    "polling": polling.report,
    "nginx": nginx.report,
    "installing": installing.report,
    "waiting": waiting.report,
    "matching": matching.report,
    "coverage": coverage.report,
    "pages": pages.report,
    "log": log.report,
    "databases": databases.report,
    "crowd": crowd.report,
    "processes": processes.report,
    "growth": growth.report,
    "year": year.report,
}


def machine() -> str:
    """When and where, with versions of what matters."""
    packages = ("fastapi", "sqlalchemy", "tuf", "uvicorn")
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    return ", ".join(
        (f"{datetime.now(UTC):%Y-%m-%d}", platform.machine(), f"{os.cpu_count()} cores", *versions)
    )


def known() -> dict[str, str]:
    """The sections of an earlier run, by name."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    return dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", text, re.S))


def measured(name: str) -> str:
    """A section anew, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="wardlist-bench-") as folder:
        lines = SECTIONS[name](Path(folder))
    return "\n".join([*lines, "", f"Measured {machine()}."]).strip()


def main() -> None:
    """Measure what is asked for, or everything, and write each section as soon as it is known."""
    wanted = sys.argv[1:] or list(SECTIONS)
    if unknown := set(wanted) - SECTIONS.keys():
        raise SystemExit(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    for name in wanted:
        found = known() | {name: measured(name)}
        parts = [f"<!-- {one} -->\n{found[one]}\n<!-- end -->" for one in SECTIONS if one in found]
        RESULTS.write_text("\n\n".join([TITLE, *parts]) + "\n")
        print(found[name])


if __name__ == "__main__":
    main()
