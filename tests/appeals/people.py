"""What appellants and review bodies send, for the tests of this folder."""

from typing import Any

import httpx

from app.client.session import Connection
from app.core import appeal, jose
from app.core.terms import AppealOutcome
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
    """A decision's body on an appeal as shown; `changes` replace what goes into the signed statement."""
    reason = "The page shows what the appellant says."
    stated = {
        "appeal": shown["log_id"],
        "entries": [entry["id"] for entry in shown["entries"]],
        "iat": int(service.clock().timestamp()),
        "outcome": AppealOutcome(outcome),
        "reason": reason,
    } | changes
    payload = appeal.statement(bytes.fromhex(shown["appeal_key"]), **stated)
    return {"outcome": outcome, "reason": reason, "signature": jose.sign(payload, jwk)}


def log_id(service: Service, filed: dict[str, Any]) -> str:
    """The appeal's name in the public log."""
    with service.database.reading() as session:
        found = session.connection().exec_driver_sql(
            "SELECT log_id FROM appeal WHERE id = '{}'".format(filed["reference"])
        )
        return str(found.scalar_one())


def post(body: Connection, filed: dict[str, Any], sent: dict[str, Any]) -> Any:
    """Any answer to a decision sent as it is."""
    return body.send("POST", f"/v1/appeals/{filed['reference']}/decision", json=sent)


def decide(service: Service, body: Connection, filed: dict[str, Any], outcome: str = "upheld") -> Any:
    """Any answer to the decision of a body that may decide."""
    shown = next(one for one in waiting(body) if one["reference"] == filed["reference"])
    sent = signed(service, shown, body.credentials.private_jwk, outcome)
    return post(body, filed, sent)


def entry_now(hotline: Connection, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as its hotline sees it now."""
    found: dict[str, Any] = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    return found
