"""The transparency report, for anyone: fetch it, check that it was signed and logged, print it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import typer
from pydantic import ValidationError

from app.audit.report import lines
from app.audit.report.schemas import Answer, Closed, Counts
from app.cli.output import AsJson, fail, show
from app.cli.tables import show_table
from app.core import jose, merkle
from app.core.audit import LONGEST_REPORT
from app.core.merkle import TILE

_HEADINGS = ("month", "state", "submitted", "approved", "rejected", "listed", "delisted", "live", "appeals")
_MEDIANS = ("to decide", "to remove", "to unblock")


class _Wrong(Exception):
    """The report is not as it must be, or cannot be had. The text says what."""


def report(
    address: Annotated[str, typer.Argument(metavar="URL", help="The service's base address.")],
    since: Annotated[str | None, typer.Option("--from", help="A month (2026-10), day or moment.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="The same; its month is included.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every number on a line of its own.")] = False,
    verify: Annotated[
        bool, typer.Option(help="Check each month's signature, and its leaf in the log.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The public transparency report: no account. `wardlist log verify` counts its totals again."""
    asked = {name: value for name, value in (("from", since), ("to", until)) if value}
    try:
        with httpx.Client(base_url=address.rstrip("/"), timeout=60) as client:
            body = _get(client, "/v1/transparency/report", asked)
            answer = Answer.model_validate_json(body)
            if verify:
                _verify(client, answer)
    except _Wrong as fault:
        fail(str(fault), as_json, **({"verified": False} if verify else {}))
    except ValidationError:
        fail("the service's answer is no transparency report", as_json)
    if as_csv:
        print(lines.written(answer.reports, answer.preliminary).decode(), end="")
        return
    told = f"{len(answer.reports)} months closed" + (", signed and logged" if verify else "")
    if not as_json:
        show_table((*_HEADINGS, *_MEDIANS), _rows(answer))
    show(json.loads(body) | ({"verified": True} if verify else {}), as_json, told)


def _rows(answer: Answer) -> Iterator[list[str]]:
    for one in answer.reports:
        every, appeals = one.document.every, one.document.appeals.complaints_submitted
        live, times = every.live_entries[-1].entries, every.times
        medians = (times.decision, times.removal, times.unblock)
        yield [
            *_cells(one.period, "closed", every.counts, live, appeals),
            *("-" if span.median_seconds is None else f"{span.median_seconds} s" for span in medians),
        ]
    for open_month in answer.preliminary:
        live = open_month.live_entries[-1].entries if open_month.live_entries else 0
        appeals = open_month.appeals.complaints_submitted
        yield [*_cells(open_month.period, "open", open_month.every, live, appeals), "-", "-", "-"]


def _cells(period: str, state: str, counts: Counts, live: int, appeals: int) -> list[str]:
    numbers = (counts.submitted, counts.approved, counts.rejected, counts.listed, counts.delisted.total)
    return [period, state, *map(str, (*numbers, live, appeals))]


def _verify(client: httpx.Client, answer: Answer) -> None:
    """Each month's document is what the service signed and what the leaf names. Raises _Wrong."""
    try:
        keys = {key["kid"]: key for key in json.loads(_get(client, "/.well-known/jwks.json"))["keys"]}
    except (ValueError, KeyError, TypeError):
        raise _Wrong("the service's keys cannot be read") from None
    size = int(_get(client, "/log/checkpoint").split(b"\n")[1]) if answer.reports else 0
    for one in answer.reports:
        _check_signature(one, keys)
        leaf = _leaf(client, one, size)
        if (leaf["type"], leaf["period"], leaf["sha256"]) != ("report.published", one.period, one.sha256):
            raise _Wrong(f"{one.period}: leaf {one.leaf_index} of the log names another report")


def _check_signature(one: Closed, keys: dict[str, dict[str, Any]]) -> None:
    try:
        kid = jose.header(one.jws, LONGEST_REPORT).get("kid")
        signed = jose.verify(one.jws, keys[str(kid)], LONGEST_REPORT)
    except (jose.Invalid, KeyError):
        raise _Wrong(f"{one.period}: the signature is not by a key of the service") from None
    if hashlib.sha256(signed).hexdigest() != one.sha256 or json.loads(signed) != _plain(one):
        raise _Wrong(f"{one.period}: another document was signed")


def _plain(one: Closed) -> Any:
    """As it came: a month that was closed before a figure was counted says nothing of that."""
    return one.document.model_dump(mode="json", exclude_unset=True)


def _leaf(client: httpx.Client, one: Closed, size: int) -> dict[str, Any]:
    """The leaf at the place that the service names. Raises _Wrong."""
    if one.leaf_index is None or one.leaf_index >= size:
        raise _Wrong(f"{one.period}: its leaf is not public yet; try again in a second")
    bundle, place = divmod(one.leaf_index, TILE)
    width = min(TILE, size - bundle * TILE)
    try:
        leaves = merkle.unbundle(_get(client, f"/log/{merkle.tile_path('entries', bundle, width)}"))
        leaf: dict[str, Any] = json.loads(leaves[place])
        return {name: leaf.get(name) for name in ("type", "period", "sha256")}
    except (ValueError, IndexError, AttributeError):
        raise _Wrong(f"{one.period}: its leaf cannot be read") from None


def _get(client: httpx.Client, path: str, asked: dict[str, str] | None = None) -> bytes:
    try:
        answer = client.get(path, params=asked)
    except httpx.HTTPError as failure:
        raise _Wrong(f"the service does not answer ({type(failure).__name__})") from None
    if answer.status_code == 422:
        raise _Wrong("; ".join(f"--{error['field']}: {error['detail']}" for error in answer.json()["errors"]))
    if answer.status_code != 200:
        raise _Wrong(f"the service answered {answer.status_code}")
    return answer.content
