"""A hotline and a reviewer who never stop, and what must hold of everything they were told is done."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import httpx
from sqlalchemy import text

from app.client.session import Connection, Failed
from app.client.store import Store
from app.core import jose
from app.core.manifest import Manifest
from tests.programs.service import LIST, Service, approve, leaves, new_entry

_PATIENCE_SECONDS = 90
_WAITING = (
    "SELECT (SELECT count(*) FROM entry WHERE status = 'APPROVED' AND is_blocking)"
    " + (SELECT count(*) FROM entry WHERE status = 'DELISTED' AND listed_in > 0 AND delisted_in IS NULL)"
    " + (SELECT count(*) FROM snapshot WHERE NOT is_served)"
)


class Traffic(threading.Thread):
    """Remembers only what was acknowledged. `name` keeps its addresses apart from another's."""

    def __init__(self, hotline: Connection, reviewer: Connection, name: str = "h") -> None:
        super().__init__(daemon=True)
        self.hotline, self.reviewer, self._name = hotline, reviewer, name
        self.submitted: dict[str, dict[str, Any]] = {}
        self.approved: set[str] = set()
        self.withdrawn: set[str] = set()
        self.stopping = threading.Event()
        self.refused = 0
        self._number = 0

    def run(self) -> None:
        """Go on whatever is answered."""
        while not self.stopping.is_set():
            try:
                self._step()
            except (Failed, KeyError, httpx.HTTPError):
                self.refused += 1
                time.sleep(0.02)

    def _step(self) -> None:
        self._number += 1
        bodies = [new_entry(f"https://{self._name}{self._number}-{n}.example.test/") for n in range(5)]
        batch = self.hotline.request("POST", "/v1/entries/batch", json={"entries": bodies}).json()
        for view in batch["entries"]:
            self.submitted[view["id"]] = view
        for view in batch["entries"][:3]:
            approve(self.reviewer, view)
            self.approved.add(view["id"])
        if self._number % 3 == 0:
            chosen = batch["entries"][0]["id"]
            # Before the request: a kill may come between its commit and its answer.
            self.withdrawn.add(chosen)
            self.hotline.request("POST", f"/v1/entries/{chosen}/withdrawal")


def wait_until_quiet(service: Service) -> None:
    """Return when everything approved is in a served version. Raises TimeoutError."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        with service.database.reading() as session:
            if session.execute(text(_WAITING)).scalar_one() == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("what was left undone was not finished")


def check(service: Service, traffics: Sequence[Traffic], stores: Iterable[Store]) -> None:
    """Nothing acknowledged is lost, nothing is there that was not signed off, nothing is told twice."""
    with service.database.reading() as session:
        stored = dict(session.execute(text("SELECT id, status FROM entry")).all())
        found = leaves(session)
        rows = session.execute(text("SELECT version, manifest FROM snapshot ORDER BY version")).all()
    listed = {one for one, status in stored.items() if status == "LISTED"}
    for one in traffics:
        assert set(one.submitted) <= set(stored)
        assert one.approved - one.withdrawn <= listed
    for store in stores:
        assert store.entries(LIST) == listed
    keys = {one.reviewer.credentials.client_id: one.reviewer.credentials.private_jwk for one in traffics}
    signed_off = {leaf["entry"] for leaf in found if leaf["type"] == "entry.reviewed" and _holds(leaf, keys)}
    assert listed <= signed_off
    counted = Counter((leaf["type"], leaf.get("entry")) for leaf in found if leaf.get("entry"))
    assert max(counted.values()) == 1
    assert {entry for kind, entry in counted if kind == "entry.submitted"} == set(stored)
    assert [version for version, _ in rows] == list(range(1, len(rows) + 1))
    published = {
        leaf["version"]: leaf["content_sha256"] for leaf in found if leaf["type"] == "list.published"
    }
    for version, body in rows:
        assert Manifest.model_validate_json(body).content_sha256 == published[version]


def _holds(leaf: dict[str, Any], keys: dict[str, dict[str, str]]) -> bool:
    public = jose.public_part(keys[leaf["client"]])
    return bool(jose.claims(jose.verify(leaf["signature"], public))["decision"] == "approve")
