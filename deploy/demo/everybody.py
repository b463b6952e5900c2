"""What everybody sees of the demonstration, and the invitation to its console."""

import httpx


def languages_of_stop_page(address: str, reference: str) -> dict[str, str]:
    """The stop page's language for each that a browser asks for; fails when one is not answered."""
    found = {}
    for wish in ("en", "fr", "de"):
        answer = httpx.get(f"{address}/stop/{reference}", headers={"Accept-Language": wish}, timeout=30)
        answer.raise_for_status()
        found[wish] = answer.headers["content-language"]
    return found


def submitted_this_month(address: str) -> int:
    """How many entries the running month's figures count, and that the page of them is there."""
    httpx.get(f"{address}/transparency", timeout=30).raise_for_status()
    report = httpx.get(f"{address}/v1/transparency/report", timeout=30).raise_for_status().json()
    return sum(int(month["every"]["submitted"]) for month in report["preliminary"])
