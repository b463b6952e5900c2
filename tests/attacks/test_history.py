"""The known failures of block lists, each recreated on reserved names: what stops it, or who is told.

A row is a failure: what is done to the service, and what must be seen afterwards. Sources: design section 1.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.platform.clock import instant
from tests.programs.service import LIST, Service, approve, new_entry, replay, signed_review


class Scene:
    """A service with a national list, its people, and what they do in these stories."""

    def __init__(self, service: Service, hotline: Connection, reviewer: Connection) -> None:
        self.service, self.hotline, self.reviewer = service, hotline, reviewer
        self.operators = [service.connect(Kind.OPERATOR) for _ in range(2)]

    def policy(self, **knobs: Any) -> None:
        seen = self.operators[0].request("GET", f"/v1/lists/{LIST}/policy").json()
        change = {**seen["policy"], **knobs, "base_version": seen["version"]}
        self.operators[0].request("PUT", f"/v1/lists/{LIST}/policy", json=change)

    def refused(self, **body: Any) -> str:
        answer = self.hotline.send("POST", "/v1/entries", json=new_entry(**body))
        assert answer.status_code in (401, 422), answer.text
        return str(answer.json()["type"]).removeprefix("urn:wardlist:problem:")

    def submit(self, url: str, **body: Any) -> dict[str, Any]:
        entry: dict[str, Any] = self.hotline.request(
            "POST", "/v1/entries", json=new_entry(url, **body)
        ).json()
        return entry

    def listed(self) -> int:
        self.service.publish()
        seen = self.hotline.send("GET", f"/v1/lists/{LIST}/snapshots/latest")
        return int(seen.json()["entry_count"]) if seen.status_code == 200 else 0


def bulk_mistake(scene: Scene) -> None:
    """One slip puts thousands of legitimate sites on the list: the version is held, and one hand ends it."""
    scene.policy(brake_changes=50)
    approve(scene.reviewer, scene.submit("https://good.example.test/"))
    assert scene.listed() == 1
    bodies = [new_entry(f"https://site{number}.example.test/") for number in range(80)]
    batch = scene.hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
    for entry in batch["entries"]:
        approve(scene.reviewer, entry)
    assert scene.listed() == 1
    brake = scene.operators[0].request("GET", f"/v1/lists/{LIST}/brake").json()
    assert (brake["engaged"], len(brake["added"])) == (True, 80)
    wanted = {"batch": batch["batch"]}
    scene.operators[0].request("POST", "/v1/entries/emergency-delisting", json=wanted)
    assert scene.listed() == 1
    assert scene.operators[0].request("GET", f"/v1/lists/{LIST}/brake").json()["engaged"] is False


def shared_address(scene: Scene) -> None:
    """A block of one address took 250,000 sites down: addresses and shared hosts cannot be entered."""
    wanted = {"hosts": ["*.sites.example"]}
    scene.operators[0].request("PUT", f"/v1/lists/{LIST}/protected-hosts", json=wanted)
    for scope in ("url", "path", "host", "domain"):
        assert scene.refused(url="https://192.0.2.80/", scope=scope) == "url-ip-host"
    for scope in ("host", "domain"):
        assert scene.refused(url="https://sites.example/", scope=scope) == "shared-hosting"
    assert scene.listed() == 0


def popular_host(scene: Scene) -> None:
    """One page took a whole encyclopaedia with it: the host needs three bodies and two operators."""
    wanted = {"hosts": ["encyclopaedia.example"]}
    scene.operators[0].request("PUT", f"/v1/lists/{LIST}/protected-hosts", json=wanted)
    assert scene.refused(url="https://encyclopaedia.example/", scope="host", scope_reason=None) == (
        "scope-reason-missing"
    )
    entry = scene.submit("https://encyclopaedia.example/", scope="host")
    for _ in range(2):
        with scene.service.connect(Kind.REVIEW_BODY) as body:
            assert approve(body, entry)["status"] == "submitted"
    assert scene.listed() == 0
    assert approve(scene.reviewer, entry)["status"] == "approved"
    assert scene.listed() == 0
    brake = scene.operators[0].request("GET", f"/v1/lists/{LIST}/brake").json()
    assert brake["reason"] == "protected_host"


def unprovenanced_entries(scene: Scene) -> None:
    """Entries that nobody could account for: each has a submitter, a ground, a statement and its leaves."""
    whole = new_entry("https://a.example.test/")
    for field in ("legal_ground", "material", "statement", "hosting_country", "assessed_at"):
        body = {name: value for name, value in whole.items() if name != field}
        assert scene.hotline.send("POST", "/v1/entries", json=body).status_code == 422
    for caller in (scene.reviewer, scene.operators[0]):
        assert caller.send("POST", "/v1/entries", json=whole).status_code == 403
    entry = scene.submit("https://a.example.test/")
    approve(scene.reviewer, entry)
    assert scene.listed() == 1
    proof = scene.hotline.request("GET", f"/v1/log/entries/{entry['id']}/proof").json()
    assert len(proof["leaves"]) == 5, "submitted, reviewed, approved, nobody there to be told, listed"


def stale_entries(scene: Scene) -> None:
    """Entries stayed for years after the content was gone: what nobody reaffirms leaves by itself."""
    for word in ("a", "b"):
        approve(scene.reviewer, scene.submit(f"https://{word}.example.test/"))
    assert scene.listed() == 2
    scene.service.clock.ahead += timedelta(days=25)
    due = scene.hotline.request("GET", "/v1/entries/due").json()["entries"]
    assert len(due) == 2
    body = {"outcome": "still_available", "checked_at": instant(scene.service.clock())}
    scene.hotline.request("POST", f"/v1/entries/{due[0]['id']}/rechecks", json=body)
    scene.service.clock.ahead += timedelta(days=10)
    assert scene.listed() == 1


def lone_decider(scene: Scene) -> None:
    """One office entered, judged and listed alone: submitting, deciding and running are three hands."""
    scene.policy(quorum={"url": 2, "path": 2, "host": 3, "domain": 3})
    entry = scene.submit("https://a.example.test/")
    assert approve(scene.reviewer, entry)["status"] == "submitted"
    again = signed_review(entry, scene.reviewer.credentials.private_jwk)
    path = f"/v1/entries/{entry['id']}/reviews"
    assert scene.reviewer.send("POST", path, json=again).status_code == 409
    for caller in (scene.hotline, scene.operators[0]):
        assert caller.send("POST", path, json=again).status_code == 403
    assert scene.listed() == 0


def unlawful_ground(scene: Scene) -> None:
    """A ground the state is not bound by, or one that is no treaty's, cannot carry an entry."""
    scene.policy(jurisdiction="NL", reserved_grounds=["lanzarote-20-1-f"])
    abroad = {"hosting_country": "DE"}
    assert scene.refused(legal_ground="lanzarote-20-1-f", **abroad) == "ground-reserved"
    assert scene.refused(legal_ground="offensive", **abroad) == "invalid-input"
    assert scene.refused(hosting_country="NL") == "hosted-in-jurisdiction"
    assert scene.listed() == 0


def removed_page_still_blocked(scene: Scene) -> None:
    """The page was gone and the block stayed: what a hotline finds removed leaves in the next version."""
    entry = scene.submit("https://a.example.test/")
    approve(scene.reviewer, entry)
    assert scene.listed() == 1
    body = {"outcome": "removed", "checked_at": instant(scene.service.clock())}
    scene.hotline.request("POST", f"/v1/entries/{entry['id']}/rechecks", json=body)
    assert scene.listed() == 0


FAILURES: dict[str, Callable[[Scene], None]] = {
    "Denmark 2012, bulk mistake": bulk_mistake,
    "ASIC 2013, shared address": shared_address,
    "Wikipedia 2008, popular host": popular_host,
    "ACMA 2009, unprovenanced entries": unprovenanced_entries,
    "Nordic lists 2010, stale entries": stale_entries,
    "a lone decider": lone_decider,
    "an unlawful ground": unlawful_ground,
    "a removed page still blocked": removed_page_still_blocked,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_known_failure_cannot_happen_again(
    service: Service, hotline: Connection, reviewer: Connection, failure: str
) -> None:
    scene = Scene(service, hotline, reviewer)
    FAILURES[failure](scene)
    replay(service)
