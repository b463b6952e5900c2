"""Answer pip-audit from a file of advisories, where no service of them can be reached.

    python deploy/advisories.py FILE -- pip-audit -r requirements.lock

runs pip-audit with a service of this machine behind its `--osv-url`, and ends as it ended. FILE holds
advisories in OSV's form: one JSON object a line, or a zip of JSON files as OSV gives for PyPI (`all.zip`).
What it knows is as old as the file; the newest date in it is said first. Source: OSV schema 1.6; OSV API,
POST /v1/query.
"""

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

Advisory = dict[str, Any]
"""An object of the OSV schema: `id`, `modified`, `affected` and, mostly, `aliases`."""


def read(path: Path) -> Iterator[Advisory]:
    """Each advisory of a file. Raises OSError, or ValueError for what is no such file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                if name.endswith(".json"):
                    yield json.loads(packed.read(name))
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def by_package(advisories: list[Advisory]) -> dict[str, list[Advisory]]:
    """Those in force that name a package of PyPI, by its normalised name."""
    found: dict[str, list[Advisory]] = defaultdict(list)
    for one in advisories:
        if "withdrawn" not in one:
            for name in {_package(affected) for affected in one.get("affected", ())} - {""}:
                found[name].append(one)
    return found


def concerns(advisory: Advisory, name: str, version: str) -> bool:
    """Whether that version is affected. What cannot be read as a version counts as affected.

    Source: OSV schema 1.6, "Evaluation".
    """
    of_it = [affected for affected in advisory["affected"] if _package(affected) == name]
    try:
        return any(_is_named(affected, version) or _is_in_range(affected, version) for affected in of_it)
    except InvalidVersion:
        return True


def _package(affected: dict[str, Any]) -> str:
    package = affected.get("package", {})
    return canonicalize_name(package["name"]) if package.get("ecosystem") == "PyPI" else ""


def _is_named(affected: dict[str, Any], version: str) -> bool:
    """Versions that are listed may be older than PEP 440, and then equal none of today's."""
    for listed in affected.get("versions", ()):
        try:
            if Version(listed) == Version(version):
                return True
        except InvalidVersion:
            continue
    return False


def _is_in_range(affected: dict[str, Any], version: str) -> bool:
    asked = Version(version)
    for found in affected.get("ranges", ()):
        if found["type"] != "ECOSYSTEM":
            continue
        is_affected = False
        events = [(kind, Version(at)) for event in found["events"] for kind, at in event.items()]
        for kind, at in sorted(events, key=lambda event: event[1]):
            if kind == "introduced" and asked >= at:
                is_affected = True
            if (kind == "fixed" and asked >= at) or (kind == "last_affected" and asked > at):
                is_affected = False
        if is_affected:
            return True
    return False


def _handler(known: dict[str, list[Advisory]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = canonicalize_name(asked["package"]["name"])
            found = [one for one in known.get(name, ()) if concerns(one, name, asked["version"])]
            answer = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the answers are pip-audit's to report."""

    return Handler


def main(words: list[str]) -> int:
    """The exit status of the command, or 2 where there is nothing to answer from."""
    path, separator, *command = words if len(words) > 2 else ["", "", ""]
    if separator != "--":
        print("usage: advisories.py FILE -- pip-audit ...", file=sys.stderr)
        return 2
    try:
        advisories = list(read(Path(path)))
        known = by_package(advisories)
        newest = max(one["modified"] for one in advisories)[:10]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{path} holds no advisories in OSV's form: {error}", file=sys.stderr)
        return 2
    print(f"{len(advisories):,} advisories of {path}, the newest of {newest}", file=sys.stderr)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    asking = [*command, "-s", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}/v1/query"]
    try:
        direct = {**os.environ, "NO_PROXY": "127.0.0.1"}
        return subprocess.run(asking, env=direct, check=False).returncode  # noqa: S603  the caller's words
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
