"""Telling the service, signed, what became of a version."""

from typing import Any

from app.client.session import Connection, Credentials, Failed, parsed
from app.client.store import Store
from app.core import jose, receipt
from app.core.manifest import Manifest
from app.core.terms import ReceiptOutcome

_REFUSED = (400, 403, 404, 409, 410, 422)


def made(
    credentials: Credentials, manifest: Manifest, outcome: ReceiptOutcome, applied_at: str
) -> dict[str, Any]:
    """A signed receipt, ready to be sent. `applied_at` is RFC 3339 in UTC with whole seconds."""
    statement = receipt.statement(
        applied_at=applied_at,
        content_sha256=manifest.content_sha256,
        in_list=manifest.list,
        outcome=outcome.value,
        version=manifest.version,
    )
    return {
        "applied_at": applied_at,
        "content_sha256": manifest.content_sha256,
        "outcome": outcome.value,
        "signature": jose.sign(statement, credentials.private_jwk),
        "version": manifest.version,
    }


def post(connection: Connection, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a receipt; returns it as the service took it in. Raises Failed."""
    taken: dict[str, Any] = parsed(connection.request("POST", f"/v1/lists/{name}/receipts", json=body))
    return taken


def is_refused(failure: Failed) -> bool:
    """Whether sending the same receipt again would be refused again."""
    return failure.status in _REFUSED


def is_untimely(failure: Failed) -> bool:
    """Whether it was refused for its moment: this machine's clock is wrong, and may be set right."""
    errors = failure.problem.get("errors")
    found = errors if isinstance(errors, list) else []
    return any(isinstance(one, dict) and one.get("field") == "applied_at" for one in found)


def send(
    connection: Connection, store: Store, name: str, outcome: ReceiptOutcome, applied_at: str
) -> dict[str, Any]:
    """Send a receipt for the installed version. Raises Failed, or Damaged."""
    installed = store.current(name)
    if installed is None:
        raise Failed("this list is not installed here; run `wardlist isp sync` first")
    return post(connection, name, made(connection.credentials, installed, outcome, applied_at))
