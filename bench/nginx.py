"""What the verdict costs: polls and downloads through deploy/nginx.conf, beside the same nginx without it.

nginx has one worker on one core; wrk, and the service that gives verdicts, are on the others.
"""

import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.client.session import Connection
from app.core.terms import Kind
from app.lists.targets import TargetFolder
from tests.programs.nginx import Nginx, free_port
from tests.programs.service import LIST, Service, approve, new_entry, running

TIMES, SECONDS = 5, 3
LATEST = f"/v1/lists/{LIST}/snapshots/latest"
LARGE = 20 * 1024 * 1024


# What nginx can do at most with a poll: the same manifest, a file that anyone may have.
_STATIC = """
        location = /latest.json {{
            default_type application/json;
            alias {home}/tuf/latest/{name}.json;
        }}
"""


class Measured(Nginx):
    """deploy/nginx.conf with one worker; beside its server the same one again, which asks for no verdict."""

    def __init__(self, folder: Path, home: Path, service_port: int, port: int) -> None:
        super().__init__(folder, home, service_port, port)
        self.open_port, self._home = free_port(), home
        self.places["worker_processes auto;"] = "worker_processes 1;"

    def configuration(self) -> str:
        """The delivered file, its server twice."""
        text = super().configuration()
        start, end = text.index("    server {\n        listen"), text.rstrip().rindex("}")
        peer = text[start:end]
        for ours, without in {
            str(self.port): str(self.open_port),
            "auth_request /.verdict;": "",
            "auth_request_set $view $upstream_http_x_wardlist_view;": "set $view all;",
            'proxy_cache_key "$signature $uri";': 'proxy_cache_key "$uri";',
        }.items():
            assert ours in peer, ours
            peer = peer.replace(ours, without)
        at = peer.index("            if ($http_authorization !~")
        peer = peer[:at] + peer[peer.index("proxy_pass", at) :]
        last = peer.rindex("}")
        return text[:end] + peer[:last] + _STATIC.format(home=self._home, name=LIST) + peer[last:] + "}\n"


def rate(address: str, headers: dict[str, str], connections: int) -> float:
    """Requests a second of one wrk, from a core of its own. Raises when an answer was an error."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    cores = ("taskset", "-c", str((os.cpu_count() or 1) - 1))
    command = [*cores, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", *given, address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Non-2xx" not in done.stdout, done.stdout
    return float(done.stdout.split("Requests/sec:")[1].split()[0])


@contextmanager
def published(folder: Path) -> Iterator[tuple[Measured, Connection]]:
    """A list with a version, a file of 20 MiB among its own, nginx before it, and a subscriber."""
    port = free_port()
    service = Service(
        folder / "home", issuer=f"http://127.0.0.1:{port}", trusted_proxies="127.0.0.1", poll_burst=10**6
    )
    front = Measured(folder / "nginx", service.settings.home, service.settings.port, port)
    with front.running(("taskset", "-c", "0")), running(service):
        service.add_list()
        with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
            approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
        service.publish()
        isp = service.organisation(Kind.ISP)
        service.subscribe(isp)
        with service.connect(Kind.ISP, isp) as provider:
            yield front, provider


def measure(folder: Path) -> tuple[list[float], list[float]]:
    """A second: unchanged polls with a verdict, without, of a static file; downloads with and without."""
    with published(folder) as (front, provider):
        home = folder / "home"
        targets = TargetFolder(home / "tuf" / "targets")
        large = targets.locate(targets.store(f"lists/{LIST}/1/list.large", (os.urandom(LARGE),)))
        large.chmod(0o644)
        bearer = {"Authorization": f"Bearer {provider.token()}"}
        there, beside = front.address, f"http://127.0.0.1:{front.open_port}"
        polls = [
            (address, bearer | _known(address, bearer))
            for address in (there + LATEST, beside + LATEST, f"{beside}/latest.json")
        ]
        target = f"/{large.relative_to(home)}"
        assert len(httpx.get(there + target, headers=bearer).content) == LARGE
        files = [(address + target, bearer) for address in (there, beside)]
        return medians(polls, 32), medians(files, 4)


def _known(address: str, headers: dict[str, str]) -> dict[str, str]:
    """What makes a poll be answered 304."""
    known = {"If-None-Match": httpx.get(address, headers=headers).headers["etag"]}
    assert httpx.get(address, headers=headers | known).status_code == 304
    return known


def medians(asked: list[tuple[str, dict[str, str]]], connections: int) -> list[float]:
    """Of each, in turn, so that what else the machine does falls on all."""
    found = [[rate(*one, connections) for one in asked] for _ in range(TIMES)]
    return [statistics.median(row) for row in zip(*found, strict=True)]


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    lines = ["", "## Through deploy/nginx.conf", f"wrk, medians of {TIMES} runs of {SECONDS} s, in turn.", ""]
    if not (shutil.which("wrk") and shutil.which("taskset")):
        return [*lines, "Not measured: wrk or taskset is not installed."]
    polls, files = measure(folder)
    lines += ["| what | a second | peer | a second | ratio | goal |", "|---|---|---|---|---|---|"]
    rows = (
        (
            "unchanged poll (304)",
            polls[0],
            "the same nginx without authentication",
            polls[1],
            "at least 0.85",
        ),
        ("unchanged poll (304)", polls[0], "the same nginx, a static file for anyone", polls[2], ""),
        ("20 MiB artefact", files[0], "the same nginx without authentication", files[1], "at least 0.9"),
    )
    for what, ours, peer, theirs, goal in rows:
        lines.append(f"| {what} | {ours:,.0f} | {peer} | {theirs:,.0f} | {ours / theirs:.2f} | {goal} |")
    return lines
