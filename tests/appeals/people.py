"""What appellants and review bodies send, for the tests of this folder."""

from typing import Any

import httpx

from app.client.session import Connection
from app.core import appeal, commitment, jose
from tests.programs.service import Service, approve, new_entry

URL = "https://shop.example.test/window/1"
STATEMENT = "This page is mine, it shows garden tools and nothing else."


def submit(hotline: Connection, url: str = URL, **changes: Any) -> dict[str, Any]:
    """A submitted entry."""
    entry: dict[str, Any] = hotline.request("POST", "/v1/entries", json=new_entry(url, **changes)).json()
    return entry


def listed(
    service: Service, hotline: Connection, reviewer: Connection, url: str = URL, **changes: Any
) -> dict[str, Any]:
    """An entry on the newest version."""
    entry = submit(hotline, url, **changes)
    approve(reviewer, entry)
    service.publish()
    return entry


def send(service: Service, url: str = URL, headers: dict[str, str] | None = None, **body: Any) -> Any:
    """Any answer to an appeal."""
    whole = {"url": url, "statement": STATEMENT, **body}
    return httpx.post(f"{service.address}/v1/appeals", json=whole, headers=headers)


def file(service: Service, url: str = URL, **body: Any) -> dict[str, Any]:
    """What the appellant keeps."""
    answer = send(service, url, **body)
    assert answer.status_code == 201, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


def read(service: Service, filed: dict[str, Any], secret: str | None = None) -> Any:
    """What the appellant is answered with the secret, or another one."""
    headers = {"Authorization": f"Bearer {filed['secret'] if secret is None else secret}"}
    return httpx.get(f"{service.address}/v1/appeals/{filed['reference']}", headers=headers)


def waiting(body: Connection) -> list[dict[str, Any]]:
    """Appeals that this body may decide."""
    found: list[dict[str, Any]] = body.request("GET", "/v1/appeals").json()["appeals"]
    return found


def signed(
    service: Service, shown: dict[str, Any], jwk: dict[str, str], outcome: str = "upheld", **changes: Any
) -> dict[str, Any]:
    """A decision's body on an appeal as shown; `changes` replace members of the signed statement."""
    reason = "The page shows what the appellant says."
    statement = {
        "appeal": shown["reference"],
        "entries": [entry["id"] for entry in shown["entries"]],
        "iat": int(service.clock().timestamp()),
        "outcome": outcome,
        "reason_digest": commitment.reason_digest(bytes.fromhex(shown["appeal_key"]), reason),
    } | changes
    return {"outcome": outcome, "reason": reason, "signature": jose.sign(appeal.statement(**statement), jwk)}


def decide(service: Service, body: Connection, filed: dict[str, Any], outcome: str = "upheld") -> Any:
    """Any answer to the decision of a body that may decide."""
    shown = next(one for one in waiting(body) if one["reference"] == filed["reference"])
    sent = signed(service, shown, body.credentials.private_jwk, outcome)
    return body.send("POST", f"/v1/appeals/{filed['reference']}/decision", json=sent)


def entry_now(hotline: Connection, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as its hotline sees it now."""
    found: dict[str, Any] = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    return found
