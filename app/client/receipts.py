"""Telling the service, signed, what became of the installed version."""

from typing import Any

from app.client.session import Connection, Failed
from app.client.store import Store
from app.core import jose, receipt
from app.core.terms import ReceiptOutcome


def send(
    connection: Connection, store: Store, name: str, outcome: ReceiptOutcome, applied_at: str
) -> dict[str, Any]:
    """Send a receipt for the installed version; returns it as the service took it in.

    `applied_at` is RFC 3339 in UTC with whole seconds. Raises Failed, or Damaged.
    """
    installed = store.current(name)
    if installed is None:
        raise Failed("this list is not installed here; run `wardlist isp sync` first")
    stated = {
        "applied_at": applied_at,
        "content_sha256": installed.content_sha256,
        "outcome": outcome.value,
        "version": installed.version,
    }
    statement = receipt.statement(
        applied_at=applied_at,
        content_sha256=installed.content_sha256,
        in_list=name,
        outcome=outcome.value,
        version=installed.version,
    )
    signature = jose.sign(statement, connection.credentials.private_jwk)
    body = {**stated, "signature": signature}
    taken: dict[str, Any] = connection.request("POST", f"/v1/lists/{name}/receipts", json=body).json()
    return taken
