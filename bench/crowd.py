"""A thousand providers poll for a minute while the publisher makes a version a second.

The server is `wardlist serve`; wrk has a token for each provider and sends what each was given last.
"""

import re
import secrets
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from app.client.session import Connection
from app.core.terms import Kind
from app.identity.models import Client
from app.identity.permissions import Scope
from app.identity.tokens import Issuer
from app.lists import snapshots
from bench import filling
from bench.databases import serving
from tests.programs.service import LIST, Service, approve, new_entry

PROVIDERS, SECONDS, LIVE = 1000, 60, 10_000
PROCESSES, _AT_ONCE = (1, 2), 4
_SCRIPT = """
local tokens, seen, next, newest = {}, {}, 0, nil
for line in io.lines("%s") do tokens[#tokens + 1] = line end
function request()
  next = next %% #tokens + 1
  local headers = { ["Authorization"] = "Bearer " .. tokens[next] }
  if seen[next] then headers["If-None-Match"] = seen[next] end
  seen[next] = newest
  return wrk.format("GET", "/v1/lists/%s/snapshots/latest", headers)
end
function response(status, headers)
  local tag = headers["ETag"] or headers["etag"]
  if status == 200 and tag then newest = tag end
end
"""


class Author:
    """Signs off an entry each second, however long the answer takes: each asks for a version."""

    def __init__(self, hotline: Connection, reviewer: Connection) -> None:
        self._reviewer = reviewer
        self._waiting = [
            hotline.request("POST", "/v1/entries", json=new_entry(f"https://n{number}.example.test/")).json()
            for number in range(SECONDS)
        ]

    def work(self, end: threading.Event) -> None:
        """To be run in a thread."""
        begun = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number, entry in enumerate(self._waiting):
                if end.wait(max(0.0, begun + number - time.monotonic())):
                    return
                pool.submit(approve, self._reviewer, entry)


def measure(folder: Path, processes: int) -> dict[str, float]:
    """Answers a second, wrk's percentiles in milliseconds, versions that came, and refused answers."""
    service = Service(folder / "home")
    service.add_list(brake_changes=10_000_000, brake_free=10_000_000, min_poll_seconds=1)
    filling.approved(service, LIVE)
    service.publish()
    (folder / "tokens").write_text("\n".join(_tokens(service)))
    script = folder / "poll.lua"
    script.write_text(_SCRIPT % (folder / "tokens", LIST))
    end = threading.Event()
    with (
        service.connect(Kind.HOTLINE) as hotline,
        service.connect(Kind.REVIEW_BODY) as reviewer,
        serving(service, processes),
    ):
        author, before = Author(hotline, reviewer), _newest(service)
        thread = threading.Thread(target=author.work, args=(end,))
        thread.start()
        said = _wrk(service.address, script)
        found = {"versions": float(_newest(service) - before), **_figures(said)}
        end.set()
        thread.join()
    service.database.close()
    return found


def _tokens(service: Service) -> list[str]:
    """One of each provider's client; they live as long as the measurement."""
    issuer, now, found = Issuer(service.address, service.keyring.token), service.clock(), []
    for _ in range(PROVIDERS):
        organisation, client = service.organisation(Kind.ISP), secrets.token_hex(16)
        service.subscribe(organisation)
        row = {
            "id": client,
            "organisation_id": organisation,
            "scopes": Scope.LISTS_READ.value,
            "created_at": now,
        }
        with service.database.writing() as session:
            session.execute(sa.insert(Client), [row])
        found.append(issuer.issue(client, organisation, {Scope.LISTS_READ.value}, service.clock()))
    return found


def _wrk(address: str, script: Path) -> str:
    program = shutil.which("wrk") or "wrk"
    words = [program, "-t1", f"-c{PROVIDERS}", f"-d{SECONDS}s", "--latency", "-s", str(script), address]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def _figures(said: str) -> dict[str, float]:
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if rate is None:
        raise ValueError(said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    found = {"second": float(rate[1]), "refused": float(refused[1]) if refused else 0.0}
    for name, value, unit in re.findall(r"^\s+(50|99)%\s+([0-9.]+)(us|ms|s)$", said, re.M):
        found[f"p{name}"] = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return found


def _newest(service: Service) -> int:
    with service.database.reading() as session:
        return snapshots.newest(session, LIST)


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    lines = [
        "",
        "## A thousand providers",
        f"{PROVIDERS:,} providers poll without a pause for {SECONDS} s, each over its own connection, and",
        f"an entry is signed off each second; {LIVE:,} live entries. Each provider is answered whole once a",
        "version. wrk shares the cores. One process has the publisher inside, several have it beside.",
        "",
        "| processes | answers/s | p50 ms | p99 ms | versions | refused |",
        "|---|---|---|---|---|---|",
    ]
    for processes in PROCESSES:
        own = folder / str(processes)
        own.mkdir()
        found = measure(own, processes)
        lines.append(
            f"| {processes} | {found['second']:,.0f} | {found['p50']:.1f} | {found['p99']:.0f} "
            f"| {found['versions']:.0f} | {found['refused']:.0f} |"
        )
    return lines
