"""The main job from end to end on this machine: `make demo`, or `make demo KEEP=1` to leave it running.

Every step's result is checked; the exit code is 0 only when each was as it must be.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from everybody import languages_of_stop_page, submitted_this_month
from removal import AbuseDesk, answer
from rich.console import Console

from app.cli.reviewer import decide_on
from app.client.session import Connection, Credentials
from app.core.decision import CRITERIA
from app.core.terms import Decision

SAMPLE = Path(__file__).with_name("urls.txt")
SIGNED_OFF = 250
LIST = "national-url"
out = Console(highlight=False)


class Demo:
    """One run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        port, mail_port = free_port(), free_port()
        self.abuse_desk = AbuseDesk(mail_port)
        self.address = f"http://127.0.0.1:{port}"
        self.environment = os.environ | {
            "WARDLIST_HOME": str(self.home),
            "WARDLIST_PORT": str(port),
            "WARDLIST_CANARY_SUFFIXES": "canary.example",
            "WARDLIST_SMTP_HOST": "127.0.0.1",
            "WARDLIST_SMTP_PORT": str(mail_port),
            "WARDLIST_SMTP_SECURITY": "none",
            "WARDLIST_MAIL_FROM": "notices@wardlist.example",
        }
        self.installed = folder / "installed"
        self.log_key = self.invitation = ""
        self.organisations: dict[str, str] = {}
        self.server: subprocess.Popen[bytes] | None = None

    def wardlist(self, *words: str, fails: bool = False) -> dict[str, Any]:
        """Run a command with --json; its object. Stops the demo when it ends otherwise than it must."""
        command = [str(Path(sys.executable).with_name("wardlist")), *words, "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        check(
            (done.returncode != 0) == fails,
            f"`wardlist {' '.join(words[:2])}` ended {done.returncode}: {done.stderr}",
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        command = [str(Path(sys.executable).with_name("wardlist")), "serve"]
        log = (self.folder / "server.log").open("wb")
        self.server = subprocess.Popen(command, env=self.environment, stderr=log, start_new_session=True)
        for _ in range(300):
            try:
                if httpx.get(f"{self.address}/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        check(False, "the server did not come up")

    def member(self, kind: str, name: str, scope: str, file: str) -> Path:
        """An organisation with one client; its credential file."""
        organisation = self.wardlist("org", "add", "--kind", kind, "--name", name, "--country", "NL")["id"]
        self.organisations[name] = organisation
        path = self.folder / file
        self.wardlist("client", "add", "--org", organisation, "--scope", scope, "--out", str(path))
        return path

    def provider(self, name: str) -> Path:
        """A provider that made its own keys and was admitted; the folder of its files."""
        folder = self.folder / name.lower()
        welcome = str(self.folder / "welcome.json")
        self.wardlist("isp", "onboard", "--name", name, "--country", "NL", "--out", str(folder))
        admitted = ("org", "admit", str(folder / "signup.json"), "--list", LIST, "--out", welcome)
        self.organisations[name] = self.wardlist(*admitted)["organisation"]
        self.wardlist("isp", "accept", welcome, "--dir", str(folder))
        return folder


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check(is_right: bool, complaint: str) -> None:
    """Stop unless it is right."""
    if not is_right:
        out.print(f"[red]FAILED[/] {complaint}")
        raise SystemExit(1)


def step(text: str) -> None:
    """Announce what was done and checked."""
    out.print(f"[green]ok[/]  {text}", soft_wrap=True)


def submit(demo: Demo, credentials: Path, lines: list[str], name: str) -> list[dict[str, Any]]:
    """Submit a file of URLs in batches."""
    part = demo.folder / f"{name}.txt"
    part.write_text("\n".join(lines))
    legal = ("--ground", "lanzarote-20-1-b", "--material", "lanzarote-20-2-conduct-real", "--country", "NL")
    said = ("--statement", "Sample entry of the demonstration, on a reserved name.")
    answer = demo.wardlist(
        "submit", "--credentials", str(credentials), "--list", LIST, *legal, *said, "--file", str(part)
    )
    check(answer["submitted"] == len(lines), "not every URL was taken")
    entries: list[dict[str, Any]] = answer["entries"]
    return entries


def sign_off(credentials: Path, wanted: set[str]) -> int:
    """One review body reads its queue, signs and approves what is wanted; how many it settled."""
    criteria = dict.fromkeys(CRITERIA, True)
    settled, cursor = 0, ""
    with Connection(Credentials.read(credentials)) as connection:
        while True:
            page = connection.request("GET", f"/v1/reviews/queue?limit=500{cursor}").json()
            for entry in page["entries"]:
                if entry["id"] in wanted:
                    view = decide_on(connection, entry, Decision.APPROVE, criteria, "Every criterion is met.")
                    settled += view["status"] == "approved"
            if not page["next_cursor"]:
                return settled
            cursor = f"&cursor={page['next_cursor']}"


def sync(demo: Demo, isp: Path, fails: bool = False) -> dict[str, Any]:
    """`isp sync` with the provider's keys, its pinned root and the log's key."""
    return demo.wardlist("isp", "sync", *files_of(demo, isp), "--dir", str(demo.installed), fails=fails)


def files_of(demo: Demo, isp: Path) -> tuple[str, ...]:
    """The options that name a provider's keys."""
    own = ("--credentials", str(isp / "credentials.json"), "--identity", str(isp / "age.txt"))
    return (*own, "--list", LIST, "--root", str(isp / "1.root.json"), "--log-vkey", demo.log_key)


def watch(demo: Demo, isp: Path) -> None:
    """`isp watch` once: what filters read is written; and when it leaks, it names the provider."""
    for kind in ("squid", "hashes"):
        command = [str(Path(sys.executable).with_name("wardlist")), "isp", "watch", *files_of(demo, isp)]
        command += [
            "--dir",
            str(demo.installed),
            "--format",
            kind,
            "--out",
            str(demo.folder / f"filter.{kind}"),
        ]
        done = subprocess.run([*command, "--once"], env=demo.environment, capture_output=True, check=False)
        check(done.returncode == 0, f"`wardlist isp watch` ended {done.returncode}: {done.stderr.decode()}")
        found = demo.wardlist("list", "trace", str(demo.folder / f"filter.{kind}"))["found"]
        named = [one["organisation"] for one in found]
        check(named == [demo.organisations["Provider"]], f"the {kind} file does not name its provider")
    step("files for Squid and of keyed hashes written; a leaked copy of either names the provider")


def wait_for_entries(demo: Demo, isp: Path, count: int) -> dict[str, Any]:
    """Sync until the list holds that many entries."""
    for _ in range(20):
        done = sync(demo, isp)
        if done["entry_count"] == count:
            return done
    check(False, f"the list never held {count} entries")
    raise AssertionError


def redress(demo: Demo, isp: Path, entry: dict[str, Any], left: int) -> None:
    """Anyone appeals; a body that took no part upholds it, and the entry leaves the next version."""
    complaint = {
        "url": entry["canonical_url"],
        "statement": "This page is mine and carries no such material.",
    }
    filed = httpx.post(f"{demo.address}/v1/appeals", json=complaint, timeout=30).json()
    decides = "reviews:write entries:read appeals:decide"
    three = demo.member("review_body", "Review body Three", decides, "reviewer-three.json")
    outcome = ("--outcome", "upheld", "--reason", "Examined anew: it is not what was reported.")
    demo.wardlist("appeal", "decide", filed["reference"], "--credentials", str(three), *outcome)
    done = wait_for_entries(demo, isp, left)
    headers = {"Authorization": f"Bearer {filed['secret']}"}
    answer = httpx.get(f"{demo.address}/v1/appeals/{filed['reference']}", headers=headers, timeout=30).json()
    check(answer.get("outcome") == "upheld", "the appellant does not read the outcome")
    step(f"an appeal by a stranger, upheld by a third body: version {done['version']} is without the entry")


def add_contact(demo: Demo, entry: dict[str, Any]) -> None:
    """Whoever hosts one entry can be told."""
    host = urlsplit(entry["canonical_url"]).hostname or ""
    found = ("--host-suffix", host, "--channel", "mail", "--address", "abuse@hosting.example")
    demo.wardlist("contact", "add", "--kind", "provider", "--name", "Example Hosting", *found)


def takedown(demo: Demo, isp: Path, hotline: Path, entry: dict[str, Any], left: int) -> None:
    """The provider of one host was told by mail and says that it removed; a hotline looks, it leaves."""
    notice = demo.abuse_desk.notice()
    check(notice["DKIM-Signature"] is not None, "the notice is not signed")
    step("the hosting provider got a signed X-ARF notice by mail, with a link that works once")
    check(answer(notice, demo.address, "removed") == 200, "the provider's answer was not taken")
    check(answer(notice, demo.address, "removed") == 410, "the link worked twice")
    said = ("--event", "removed", "--credentials", str(hotline))
    demo.wardlist("takedown", "event", entry["id"], *said)
    done = wait_for_entries(demo, isp, left)
    step(f"it answered `removed`, a hotline looked and confirmed: version {done['version']} is without it")


def tamper(demo: Demo, isp: Path, hotline: Path, entry: str) -> None:
    """Publish a version, change one served byte: the client must refuse and keep what it has."""
    demo.wardlist("withdraw", entry, "--credentials", str(hotline))
    home = demo.home / "tuf" / "targets" / "lists" / LIST
    current = demo.installed / "lists" / LIST / "current" / "manifest.json"
    installed = json.loads(current.read_text())["version"]
    served = home / str(installed + 1)
    for _ in range(100):
        files = [*served.glob("*.list.jsonl.age"), *served.glob("*.delta.jsonl.age")]
        if len(files) == 2 and list(served.glob("*.manifest.json")):
            break
        time.sleep(0.1)
    time.sleep(1)
    honest = [file.read_bytes() for file in files]
    for file, content in zip(files, honest, strict=True):
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused = sync(demo, isp, fails=True)
    check("stays" in refused["error"], "the client did not say that its list stays")
    for file, content in zip(files, honest, strict=True):
        file.write_bytes(content)
    done = sync(demo, isp)
    check(done["version"] == installed + 1, "the honest file was not installed")
    step(f"one byte of version {installed + 1} changed on the server: refused, version {installed} kept")


def erase(demo: Demo, entry: dict[str, Any]) -> None:
    """An operator erases the withdrawn entry; then no file of the service holds its address."""
    operator = demo.member("operator", "Operator", "admin erasure:write", "operator.json")
    with Connection(Credentials.read(operator)) as connection:
        reason = {"reason": "victim_request"}
        connection.request("POST", f"/v1/entries/{entry['id']}/erasure", json=reason)
    form = entry["canonical_url"].split("//", 1)[1].encode()
    for _ in range(100):
        files = [path for path in demo.home.rglob("*") if path.is_file()]
        if not any(form in _content(path) for path in files):
            step("one entry erased: no file of the service holds its address, and the log still verifies")
            return
        time.sleep(0.2)
    check(False, "the erased address is still there")


def _content(path: Path) -> bytes:
    """Empty for a file that went meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def audit(demo: Demo) -> None:
    """A stranger verifies the log; an auditor takes an export and verifies it offline, entries opened."""
    seen = demo.wardlist("log", "verify", demo.address, "--vkey", demo.log_key)
    step(f"a stranger replayed the public log: {seen['size']} leaves, every version backed by its quorum")
    auditor = demo.member("auditor", "Auditor", "audit:read", "auditor.json")
    key, file = str(demo.folder / "auditor.key"), str(demo.folder / "export.tar.zst")
    recipient = demo.wardlist("audit", "key", "--out", key)["recipient"]
    organisation = demo.organisations["Auditor"]
    demo.wardlist("audit", "allow", "--org", organisation, "--recipient", recipient)
    demo.wardlist("audit", "export", "--credentials", str(auditor), "--out", file, "--reveal")
    found = demo.wardlist("audit", "verify", file, "--log-vkey", demo.log_key, "--openings", key)
    check(found["openings"] > 0, "nothing was opened")
    step(
        f"an auditor verified an export offline: {found['manifests']} manifests, "
        f"{found['openings']} entries opened"
    )


def show_in_public(demo: Demo, version: int, submitted: int) -> None:
    """Anyone reads stop page and figures; a reviewer is invited."""
    found = languages_of_stop_page(demo.address, f"{LIST}-{version}")
    check(found == {wish: wish for wish in found}, "the stop page speaks another language")
    step("the stop page answers in English, French and German; it names list and version, never a URL")
    for _ in range(90):  # the running month is counted once a minute
        counted = submitted_this_month(demo.address)
        if counted == submitted:
            break
        time.sleep(1)
    check(counted == submitted, f"the public figures count {counted} of {submitted} entries")
    step(f"the transparency page counts {counted} submissions, as the log does")
    body = demo.organisations["Review body One"]
    asked = ("--org", body, "--name", "Ada", "--scope", "reviews:write entries:read")
    demo.invitation = demo.wardlist("person", "invite", *asked)["invitation"]
    step("a reviewer is invited to the console: the link enrols one passkey, once")


def run(demo: Demo) -> None:
    """Every step, in the order of the job."""
    lines = SAMPLE.read_text().splitlines()
    demo.log_key = demo.wardlist("init")["log_vkey"]
    step("keys made; root and register keys lie in `offline`, to be moved to separate media in earnest")
    demo.wardlist("mail", "key")
    demo.abuse_desk.start()
    demo.start()
    step(f"server and publisher run at {demo.address}")
    policy = ("--scope", "url", "--quorum", "url=2")
    demo.wardlist("list", "add", LIST, "--title", "National URL list", *policy)
    with ThreadPoolExecutor(2) as pool:
        made = [
            pool.submit(demo.member, *member)
            for member in (
                ("hotline", "Hotline North", "entries:write entries:read", "hotline-north.json"),
                ("hotline", "Hotline South", "entries:write entries:read", "hotline-south.json"),
                ("review_body", "Review body One", "reviews:write entries:read", "reviewer-one.json"),
                ("review_body", "Review body Two", "reviews:write entries:read", "reviewer-two.json"),
            )
        ]
        north, south, one, two = [future.result() for future in made]
    step("two hotlines and two review bodies; a sealed list that needs two organisations' approval")
    isp = demo.provider("Provider")
    step("a provider made its keys on its own machine, was admitted, and pinned root and log key")
    half = len(lines) // 2
    entries = submit(demo, north, lines[:half], "north") + submit(demo, south, lines[half:], "south")
    step(f"{len(entries)} URLs submitted in batches by two hotlines")
    chosen = {entry["id"] for entry in entries[:: len(entries) // SIGNED_OFF]}
    told = [entry for entry in entries[: len(entries) // 2] if entry["id"] in chosen][2]
    add_contact(demo, told)
    with ThreadPoolExecutor(2) as pool:
        settled = sum(pool.map(lambda file: sign_off(file, chosen), (one, two)))
    check(settled == len(chosen), f"{settled} of {len(chosen)} approved")
    step(f"{len(chosen)} entries read, digests recomputed, decisions signed by both review bodies")
    done = wait_for_entries(demo, isp, len(chosen))
    step(f"provider verified and installed version {done['version']}: {done['entry_count']} entries")
    listed = next(entry for entry in entries if entry["id"] in chosen)
    waiting = next(entry for entry in entries if entry["id"] not in chosen)
    for entry, expected in ((listed, True), (waiting, False)):
        answer = demo.wardlist("isp", "match", entry["canonical_url"], "--dir", str(demo.installed))
        check(answer["listed"] is expected, "the installed list answered wrongly")
    step("a signed-off URL matches, a URL still under review does not; nobody was asked")
    watch(demo, isp)
    takedown(demo, isp, north, told, len(chosen) - 1)
    redress(demo, isp, [entry for entry in entries if entry["id"] in chosen][1], len(chosen) - 2)
    tamper(demo, isp, north, listed["id"])
    erase(demo, listed)
    audit(demo)
    show_in_public(demo, done["version"], len(entries))


def farewell(demo: Demo, keep: bool) -> None:
    """What to try next."""
    process = demo.server.pid if demo.server else 0
    kept = (
        f"Service {demo.address} (docs at {demo.address}/docs), process {process}",
        f"Credentials and installed list in {demo.folder}",
        f"Public: {demo.address}/transparency, /stop/{LIST}-1, /appeal. The console, with a passkey:",
        demo.invitation,
        "",
        f"export WARDLIST_HOME={demo.home} PATH={Path(sys.executable).parent}:$PATH",
        f"wardlist review queue --credentials {demo.folder}/reviewer-one.json --limit 5",
        f"wardlist isp watch --credentials {demo.folder}/provider/credentials.json --list {LIST} \\",
        f"  --identity {demo.folder}/provider/age.txt --dir {demo.installed}",
        "",
        f"Stop it with: kill {process}",
        f"Then remove what it made: rm -r {demo.folder}",
    )
    ended = (
        "`make demo KEEP=1` leaves the service running.",
        "README.md has each user's first five minutes.",
    )
    # Neither framed nor wrapped: it is there to be copied.
    out.print("\n[bold]What to try next[/]")
    out.print("\n".join(kept if keep else ended), markup=False, soft_wrap=True)


def main() -> None:
    """Run, then clean up unless KEEP=1."""
    keep = os.environ.get("KEEP") == "1"
    demo = Demo(Path(tempfile.mkdtemp(prefix="wardlist-demo-")))
    started, is_done = time.monotonic(), False
    try:
        run(demo)
        is_done = True
        out.print(f"All steps checked in {time.monotonic() - started:.0f} s.")
        farewell(demo, keep)
    finally:
        if not (keep and is_done):
            demo.abuse_desk.stop()
            if demo.server:
                demo.server.send_signal(signal.SIGTERM)
                demo.server.wait(timeout=30)
            shutil.rmtree(demo.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
