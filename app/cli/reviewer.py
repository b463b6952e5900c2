"""Commands of a reviewer: the queue, what is to be signed, and signed decisions."""

import time
from typing import Annotated, Any

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, err, show
from app.cli.tables import plain, show_table
from app.client.session import Connection, Failed
from app.core import commitment, decision, jose
from app.core.defang import defanged, unlinked
from app.core.legal import GROUNDS, MATERIALS, Ground, Material
from app.core.terms import Decision

review = typer.Typer(help="The review queue and signed decisions.", no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="Kept with the entry; the public log holds a keyed digest of it.")]
_UNMET = f"A criterion that is not met; repeat. One of: {', '.join(decision.CRITERIA)}."
Entries = Annotated[list[str], typer.Argument(metavar="ENTRY...")]


@review.command("queue")
def queue(
    credentials: CredentialFile,
    in_list: Annotated[str | None, typer.Option("--list")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 100,
    as_json: AsJson = False,
) -> None:
    """What waits for your decision, oldest first."""
    with connected(credentials, as_json) as connection:
        asked = {"limit": limit} | ({"list": in_list} if in_list else {})
        found = connection.request("GET", "/v1/reviews/queue", params=asked).json()
    if not as_json:
        names = ("id", "submitted_at", "list", "scope", "statement")
        rows = [[one[name] or "-" for name in names] for one in found["entries"]]
        show_table(("entry", "submitted", "list", "scope", "statement"), rows, prose=True)
    is_all = len(found["entries"]) < limit
    show(found, as_json, f"{len(found['entries'])} waiting" if is_all else f"the {limit} oldest that wait")


@review.command("show")
def show_entry(
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY")],
    credentials: CredentialFile,
    as_json: AsJson = False,
) -> None:
    """Read an entry before you decide: all that a decision covers, its address in a form that is no link."""
    with connected(credentials, as_json) as connection:
        entry = connection.request("GET", f"/v1/entries/{entry_id}").json()
        if entry["commitment_key"]:
            _checked_key(entry)
    lines = [f"{name + ':':<17}{_indented(said)}" for name, said in _shown(entry)]
    show(entry, as_json, "\n".join(lines))


def _indented(said: str) -> str:
    """Further lines of a text stand further in, so that none looks like one of the service's own."""
    return unlinked(plain(said)).replace("\n", f"\n{'':<17}")


def _shown(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """What a reviewer weighs, in words."""
    address = entry["canonical_url"]
    return [
        ("entry", entry["id"]),
        ("list", entry["list"]),
        ("status", entry["status"]),
        ("address", defanged(address) if address else "not shown to you, or erased"),
        ("scope", entry["scope"]),
        ("scope reason", entry["scope_reason"] or "-"),
        ("statement", entry["statement"] or "-"),
        ("legal ground", f"{entry['legal_ground']}: {_ground(entry['legal_ground'])}"),
        ("material", f"{entry['material']}: {MATERIALS[Material(entry['material'])]}"),
        ("measures", ", ".join(entry["measures"])),
        ("hosting country", entry["hosting_country"]),
        ("assessed", entry["assessed_at"]),
        ("submitted", f"{entry['submitted_at']} by {entry['submitted_by']}"),
        ("takedown", entry["takedown"]),
        ("collateral", _collateral(entry["collateral"])),
        ("corroborations", str(entry["corroborations"])),
        ("quorum", f"{entry['quorum']} organisations"),
    ]


def _ground(code: str) -> str:
    found = GROUNDS[Ground(code)]
    return f"{found.summary} ({found.budapest})" if found.budapest else found.summary


def _collateral(found: dict[str, Any] | None) -> str:
    if not found:
        return "-"
    known = f"{found['other_entries']} other entries of {found['other_organisations']} organisations"
    protected = "the host is protected" if found["is_protected"] else "the host is not protected"
    return f"{known}; {protected}; suffix: {found['suffix_class']}"


@review.command("approve")
def approve(entries: Entries, credentials: CredentialFile, reason: Reason, as_json: AsJson = False) -> None:
    """Sign off entries: every criterion is answered with true."""
    _decide(entries, credentials, Decision.APPROVE, [], reason, as_json)


@review.command("reject")
def reject(
    entries: Entries,
    credentials: CredentialFile,
    reason: Reason,
    unmet: Annotated[list[str] | None, typer.Option(help=_UNMET)] = None,
    as_json: AsJson = False,
) -> None:
    """Refuse to sign off entries."""
    wrong = set(unmet or []) - set(decision.CRITERIA)
    if wrong:
        raise typer.BadParameter(f"--unmet is one of {', '.join(decision.CRITERIA)}")
    _decide(entries, credentials, Decision.REJECT, unmet or [], reason, as_json)


def _decide(
    entries: list[str],
    credentials: CredentialFile,
    verdict: Decision,
    unmet: list[str],
    reason: str,
    as_json: bool,
) -> None:
    criteria = {name: name not in unmet for name in decision.CRITERIA}
    with connected(credentials, as_json) as connection:
        reviews = [decide(connection, entry, verdict, criteria, reason, as_json) for entry in entries]
    result = reviews[0] if len(reviews) == 1 else {"reviews": reviews}
    show(result, as_json, "\n".join(f"{one['entry']} is {one['status']}" for one in reviews))


def decide(
    connection: Connection,
    entry_id: str,
    verdict: Decision,
    criteria: dict[str, bool],
    reason: str,
    quiet: bool = True,
) -> dict[str, Any]:
    """Read the entry, then decide on it. Raises Failed."""
    entry = connection.request("GET", f"/v1/entries/{entry_id}").json()
    if not quiet and entry.get("canonical_url"):
        err.print(f"{entry['id']}  {entry['scope']}  {defanged(entry['canonical_url'])}", markup=False)
    return decide_on(connection, entry, verdict, criteria, reason)


def decide_on(
    connection: Connection, entry: dict[str, Any], verdict: Decision, criteria: dict[str, bool], reason: str
) -> dict[str, Any]:
    """Recompute the digest from the fields shown, sign, and send. Raises Failed."""
    key = _checked_key(entry)
    statement = decision.statement(
        criteria=criteria,
        decision=verdict.value,
        entry=entry["id"],
        entry_digest=entry["digest"],
        iat=int(time.time()),
        in_list=entry["list"],
        reason_digest=commitment.reason_digest(key, reason),
    )
    body = {
        "decision": verdict.value,
        "criteria": criteria,
        "reason": reason,
        "signature": jose.sign(statement, connection.credentials.private_jwk),
    }
    sent: dict[str, Any] = connection.request("POST", f"/v1/entries/{entry['id']}/reviews", json=body).json()
    return sent


def _checked_key(entry: dict[str, Any]) -> bytes:
    """The commitment key, once digest and commitment are those of the fields shown."""
    if not entry.get("commitment_key"):
        raise Failed("the entry was erased; there is nothing to decide on")
    key = bytes.fromhex(entry["commitment_key"])
    shown: commitment.Statement = {name: entry[name] for name in commitment.Statement.__annotations__}  # type: ignore[assignment]
    stated = commitment.commitment(key, entry=entry["id"], scope=entry["scope"], url=entry["canonical_url"])
    if commitment.digest(key, shown) != entry["digest"] or stated != entry["commitment"]:
        raise Failed("the service's digest is not that of the entry it shows; nothing was signed")
    return key
