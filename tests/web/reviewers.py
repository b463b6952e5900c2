"""What tests of the reviewers' console share: something to decide on, and the fields of a decision."""

import re
from dataclasses import dataclass
from typing import Any

from app.client.session import Connection
from app.core.decision import CRITERIA
from tests.programs.service import Service, new_entry
from tests.programs.webclient import WebClient

URL = "https://a.example.test/window/1"


def submit(hotline: Connection, url: str = URL, **changes: Any) -> dict[str, Any]:
    """A submitted entry."""
    entry: dict[str, Any] = hotline.request("POST", "/v1/entries", json=new_entry(url, **changes)).json()
    return entry


def now(hotline: Connection, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as its hotline sees it now."""
    found: dict[str, Any] = hotline.request("GET", f"/v1/entries/{entry['id']}").json()
    return found


def where(entry: dict[str, Any]) -> str:
    """The address of the entry's page."""
    return f"/console/entries/{entry['id']}"


def decision(entry: dict[str, Any], verdict: str = "approve", **changes: str) -> dict[str, str]:
    """The fields of a decision's form, as its page has them."""
    answers = dict.fromkeys(CRITERIA, "yes" if verdict == "approve" else "no")
    return {
        "digest": entry["digest"],
        **answers,
        "decision": verdict,
        "reason": "It is as the hotline says.",
        **changes,
    }


@dataclass
class World:
    """A running service with a hotline, and a reviewer in the console."""

    service: Service
    hotline: Connection
    reviewer: WebClient
    count: int = 0

    def entry(self, **changes: Any) -> dict[str, Any]:
        """One more submitted entry."""
        self.count += 1
        return submit(self.hotline, f"https://n{self.count}.example.test/window", **changes)


def rows(text: str) -> list[str]:
    """Ids of the entries that a queue shows, in order."""
    return re.findall(r'data-row href="/console/entries/([0-9a-f-]{36})', text)
