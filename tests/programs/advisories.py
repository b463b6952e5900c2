"""Files of advisories as deploy/advisories.py reads them. Source: the OSV schema, 1.6."""

import json
from pathlib import Path
from typing import Any


def advisory(number: int, package: str, **affected: object) -> dict[str, Any]:
    """One of the year 2026, of which versions `affected` says: `ranges` or `versions`."""
    named = {"package": {"ecosystem": "PyPI", "name": package}, **affected}
    dated = {"modified": f"2026-01-{number:02}T00:00:00Z"}
    return {"id": f"PYSEC-2026-{number}", "aliases": [f"CVE-2026-{number}"], **dated, "affected": [named]}


def in_range(*events: tuple[str, str]) -> dict[str, object]:
    """What is affected by events such as `("introduced", "0")`."""
    return {"ranges": [{"type": "ECOSYSTEM", "events": [{kind: at} for kind, at in events]}]}


def lines(path: Path, advisories: list[dict[str, Any]]) -> Path:
    """The file, written."""
    path.write_text("".join(json.dumps(one) + "\n" for one in advisories))
    return path
