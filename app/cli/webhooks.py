"""Commands of an internet provider about its webhooks: add, list and end."""

from typing import Annotated

import typer

from app.cli.connection import CredentialFile, connected
from app.cli.output import AsJson, show
from app.cli.tables import show_table

webhook = typer.Typer(help="Being told of new versions.", no_args_is_help=True)


@webhook.command("add")
def add(
    url: Annotated[str, typer.Argument(help="https, on the default port.")],
    credentials: CredentialFile,
    as_json: AsJson = False,
) -> None:
    """Be told at this address when a version is out. The secret is shown this once: keep it."""
    with connected(credentials, as_json) as connection:
        added = connection.request("POST", "/v1/webhooks", json={"url": url}).json()
    show(added, as_json, f"webhook {added['id']}, its messages signed with\n{added['secret']}")


@webhook.command("list")
def listed(credentials: CredentialFile, as_json: AsJson = False) -> None:
    """Your organisation's webhooks."""
    with connected(credentials, as_json) as connection:
        found = connection.request("GET", "/v1/webhooks").json()
    if not as_json:
        rows = [(one["id"], one["created_at"], one["url"]) for one in found["webhooks"]]
        show_table(("webhook", "since", "address"), rows)
    show(found, as_json, f"{len(found['webhooks'])} webhooks")


@webhook.command("end")
def end(
    webhook_id: Annotated[str, typer.Argument(metavar="ID")],
    credentials: CredentialFile,
    as_json: AsJson = False,
) -> None:
    """Be told no more at one of them."""
    with connected(credentials, as_json) as connection:
        connection.request("DELETE", f"/v1/webhooks/{webhook_id}")
    show({"id": webhook_id, "ended": True}, as_json, f"webhook {webhook_id} ended")
