"""The wardlist command as a user runs it: exact outputs, files and exit codes."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from app.core import note
from app.core import witness as protocol
from tests.programs import databases, forked
from tests.programs.service import wait_until_up
from tests.programs.witness import free_port

LEGAL = ["--ground", "lanzarote-20-1-b", "--material", "lanzarote-20-2-conduct-real", "--country", "NL"]
SAID = ["--statement", "Assessed on site by two analysts."]

NOBODY = str(note.Signer.generate("log.example", note.ED25519).verifier)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What was written for people, unwrapped."""
    return " ".join(done.stderr.split())


class Shell:
    """Runs `wardlist` on one home.

    The first command of each word starts from nothing, as a user's does. Those after it are forked from a
    process that imported the program before: a start takes a second, which is most of what a command takes.
    """

    _started: ClassVar[set[str]] = set()

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self.environment = os.environ | {"WARDLIST_HOME": str(folder / "home"), "WARDLIST_PORT": str(port)}
        self.environment |= databases.environment(databases.fresh(is_migrated=False))

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        if words[0] in self._started:
            done = forked.command(words, self.folder, self.environment)
        else:
            self._started.add(words[0])
            command = [sys.executable, "-c", "from app.cli.main import app; app()", *words]
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, cwd=self.folder, check=False
            )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run(*words, "--json", code=code).stdout)
        return answer

    def logged(self) -> list[dict[str, Any]]:
        """What the server said so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shell = Shell(tmp_path_factory.mktemp("cli"), port)
    shell.run("init")
    command = [sys.executable, "-c", "from app.cli.main import app; app()", "serve"]
    with shell.log.open("wb") as log:
        server = subprocess.Popen(command, env=shell.environment, stderr=log)
    wait_until_up(f"http://127.0.0.1:{port}")
    yield shell
    server.terminate()
    assert server.wait(timeout=30) == 0
    assert not [line for line in shell.logged() if line["level"] == "error"]
    assert "example.test" not in shell.log.read_text()


def test_from_init_to_a_match(shell: Shell) -> None:
    ids = {
        kind: shell.json("org", "add", "--kind", kind, "--name", f"Test {kind}", "--country", "NL")["id"]
        for kind in ("hotline", "review_body", "isp")
    }
    scopes = {
        "hotline": "entries:write entries:read",
        "review_body": "reviews:write entries:read",
        "isp": "lists:read",
    }
    for kind, scope in scopes.items():
        shell.run("client", "add", "--org", ids[kind], "--scope", scope, "--out", f"{kind}.json")
        file = shell.folder / f"{kind}.json"
        assert file.stat().st_mode & 0o777 == 0o600
        assert set(json.loads(file.read_text())) == {"issuer", "token_endpoint", "client_id", "private_jwk"}
    policy = ["--scope", "url", "--scope", "path", "--confidentiality", "plain", "--quorum", "url=1"]
    shell.run("list", "add", "national-url", "--title", "National", *policy)
    shell.run("list", "subscribe", "national-url", "--org", ids["isp"])

    where = ["--credentials", "hotline.json", "--list", "national-url", *LEGAL, *SAID]
    (shell.folder / "urls.txt").write_text("https://b.example.test/1\nhttps://c.example.test/1\n\n")
    one = shell.json("submit", *where, "https://a.example.test/1")["entries"]
    two = shell.json("submit", *where, "--file", "urls.txt", "--scope", "path")["entries"]
    assert [entry["scope"] for entry in one + two] == ["url", "path", "path"]
    assert shell.json("submit", *where, "https://a.example.test/1", code=1)["problem"]["status"] == 409

    queue = shell.json("review", "queue", "--credentials", "review_body.json")["entries"]
    assert [entry["id"] for entry in queue] == [entry["id"] for entry in one + two]
    by = ["--credentials", "review_body.json", "--reason", "Checked."]
    assert shell.json("review", "approve", one[0]["id"], *by)["status"] == "approved"
    assert (
        shell.json("review", "reject", two[0]["id"], *by, "--unmet", "narrowest_scope")["decision"]
        == "reject"
    )

    sync = ["isp", "sync", "--credentials", "isp.json", "--list", "national-url", "--dir", "isp"]
    assert "--root" in shell.json(*sync, code=1)["error"]
    root = "home/tuf/metadata/1.root.json"
    for _ in range(20):
        done = shell.json(*sync, "--root", root)
        if done["version"]:
            break
    assert (done["version"], done["entry_count"], done["changed"]) in ((1, 1, True), (1, 1, False))
    assert "version 1 is current" in shell.run(*sync).stdout
    assert {line["event"] for line in shell.logged()} >= {"request", "published"}
    assert shell.json("isp", "match", "http://A.example.test:8080/1#x", "--dir", "isp")["listed"] is True
    assert shell.json("isp", "match", "https://b.example.test/1", "--dir", "isp")["listed"] is False
    assert shell.run("isp", "match", "https://b.example.test/1", "--dir", "isp").stdout == "not listed\n"
    assert shell.json("withdraw", one[0]["id"], "--credentials", "hotline.json")["status"] == "delisted"

    shell.run("org", "suspend", ids["isp"])
    assert "suspended" in shell.run(*sync, code=1).stderr
    shell.run("org", "readmit", ids["isp"])
    client = json.loads((shell.folder / "isp.json").read_text())["client_id"]
    shell.run("client", "rotate", client, "--out", "isp2.json")
    old = json.loads((shell.folder / "isp.json").read_text())["private_jwk"]["kid"]
    shell.run("client", "revoke-key", old)
    shell.run(*sync, code=1)
    shell.run(*sync, "--credentials", "isp2.json")
    shell.run("client", "revoke", client)
    shell.run(*sync, "--credentials", "isp2.json", code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["org", "add", "--kind", "isp", "--name", "X", "--country", "XX"], "country"),
        (["org", "suspend", "nobody"], "no such organisation"),
        (
            ["client", "add", "--org", "nobody", "--scope", "lists:read", "--out", "x.json"],
            "no such organisation",
        ),
        (["client", "add", "--org", "nobody", "--scope", "everything", "--out", "x.json"], "--scope"),
        (["list", "add", "Bad Name", "--title", "T", "--scope", "url", "--confidentiality", "plain"], "name"),
        (["list", "add", "root", "--title", "T", "--scope", "url", "--confidentiality", "plain"], "TUF role"),
        (["list", "add", "x", "--title", "T", "--scope", "url", "--quorum", "url=many"], "--quorum"),
        (["list", "add", "x", "--title", "T", "--scope", "url", "--set", "formats=csv"], "jsonl"),
        (["list", "subscribe", "nothing", "--org", "nobody"], "create the list"),
        (["isp", "match", "https://a.example.test/", "--dir", "empty"], "isp sync"),
        (
            ["log", "verify", "http://127.0.0.1:9", "--vkey", NOBODY],
            "the log cannot be read: the service does",
        ),
        (["audit", "verify", "none.tar.zst"], "none.tar.zst cannot be read as an export (No such file"),
        (
            [*("isp", "sync", "--credentials", "x", "--list", "l", "--dir", "d"), "--root", "server.log"],
            "--root: server.log is no root.json",
        ),
        (
            ["submit", "--credentials", "none.json", "--list", "l", *LEGAL, *SAID, "https://a.test/"],
            "credential file none.json cannot be read: No such file",
        ),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_mistakes_are_explained(shell: Shell, words: list[str], said: str) -> None:
    done = shell.run(*words, code=1)
    assert said in " ".join(done.stderr.split())
    assert not (shell.folder / "x.json").exists()
    assert "error" in shell.json(*words, code=1)


def test_a_home_without_installation_says_what_to_do(tmp_path: Path) -> None:
    bare = Shell(tmp_path, 1)
    for words in (["serve"], ["org", "add", "--kind", "isp", "--name", "X", "--country", "NL"]):
        assert "wardlist init" in bare.run(*words, code=1).stderr


def test_init_twice_changes_nothing(tmp_path: Path) -> None:
    shell = Shell(tmp_path, 1)
    shell.run("init")
    keys = {path: path.read_bytes() for path in (tmp_path / "home").rglob("*.pem")}
    assert "separate offline media" in " ".join(shell.run("init").stderr.split())
    assert {path: path.read_bytes() for path in (tmp_path / "home").rglob("*.pem")} == keys


def test_a_register_kept_offline(shell: Shell, tmp_path: Path) -> None:
    offline = shell.folder / "home" / "offline"
    away = tmp_path / "away"
    offline.rename(away)
    try:
        body = shell.json("org", "add", "--kind", "review_body", "--name", "Offline body", "--country", "NL")[
            "id"
        ]
        made = shell.json("register", "body-key", "--out", "body.jwk.json")
        (shell.folder / "body.pub.json").write_text(json.dumps(made["jwk"]))
        shell.run("client", "add", "--org", body, "--scope", "reviews:write", "--out", "offline.json")
        certify = ["register", "certify", "--body-key", "body.jwk.json", "--org", body]
        shell.run(*certify, "--credentials", "offline.json", "--out", "offline.cert")
        assert "no body of the register" in said(shell.run("register", "admit", "offline.cert", code=1))
        propose = ["register", "propose", "--add", body, "--key", "body.pub.json", "--out", "next.json"]
        version = shell.json(*propose, "--list", "national-url")["version"]
        assert "must sign" in said(shell.run("register", "publish", "next.json", code=1))
        for number in (1, 3):
            shell.run("register", "sign", "next.json", "--key", str(away / f"register-{number}.pem"))
        assert shell.json("register", "publish", "next.json")["version"] == version
        assert "comes next" in said(shell.run("register", "publish", "next.json", code=1))
        kid = shell.json("register", "admit", "offline.cert")["kid"]
        assert "certified already" in said(shell.run("register", "admit", "offline.cert", code=1))
        shell.run(
            "register",
            "revoke",
            "--body-key",
            "body.jwk.json",
            "--org",
            body,
            "--kid",
            kid,
            "--out",
            "end.jws",
        )
        assert shell.json("register", "admit", "end.jws")["certified"] is False
    finally:
        away.rename(offline)


def test_a_stranger_verifies_the_log(shell: Shell) -> None:
    vkey = shell.json("init")["log_vkey"]
    address = f"http://127.0.0.1:{shell.environment['WARDLIST_PORT']}"
    seen = ["--state", "seen/head.json"]
    done = shell.json("log", "verify", address, "--vkey", vkey, *seen)
    assert done["verified"] is True
    assert done["size"] >= 1
    assert json.loads((shell.folder / "seen/head.json").read_text())["size"] == done["size"]
    assert "leaves" in shell.run("log", "verify", address, "--vkey", vkey, *seen).stdout
    other = "other.example/log+" + vkey.split("+", 1)[1]
    assert "hash" in said(shell.run("log", "verify", address, "--vkey", other, code=1))
    assert "--vkey" in said(shell.run("log", "verify", address, "--vkey", "nonsense", code=1))
    assert "does not answer" in said(shell.run("log", "verify", "http://127.0.0.1:1", "--vkey", vkey, code=1))


def test_an_auditor_takes_and_verifies_an_export(shell: Shell) -> None:
    auditor = shell.json("org", "add", "--kind", "auditor", "--name", "Auditor", "--country", "NL")["id"]
    shell.run("client", "add", "--org", auditor, "--scope", "audit:read", "--out", "auditor.json")
    recipient = shell.json("audit", "key", "--out", "auditor.key")["recipient"]
    assert (shell.folder / "auditor.key").stat().st_mode & 0o777 == 0o600
    assert "never replaced" in said(shell.run("audit", "key", "--out", "auditor.key", code=1))
    export = ["audit", "export", "--credentials", "auditor.json", "--out", "export.tar.zst"]
    assert "reveal" in said(shell.run(*export, "--reveal", code=1))
    wrong = ["audit", "allow", "--org", auditor, "--recipient", "age1nonsense"]
    assert "age1" in said(shell.run(*wrong, code=1))
    shell.run("audit", "allow", "--org", auditor, "--recipient", recipient)
    assert shell.json(*export, "--reveal")["bytes"] > 0
    verify = ["audit", "verify", "export.tar.zst", "--openings", "auditor.key"]
    vkey = shell.json("init")["log_vkey"]
    assert shell.json(*verify, "--log-vkey", vkey)["verified"] is True
    assert "compare it" in shell.run(*verify).stdout
    shell.run("audit", "deny", "--org", auditor)
    assert "reveal" in said(shell.run(*export, "--reveal", code=1))
    shell.run(*export)
    assert "asked for without" in said(shell.run(*verify, code=1))


def test_a_witness_of_ones_own(shell: Shell) -> None:
    vkey = shell.json("init")["log_vkey"]
    own = shell.json("witness", "key", "--name", "w.example", "--out", "w.key")["vkey"]
    assert (shell.folder / "w.key").stat().st_mode & 0o777 == 0o600
    assert "never replaced" in said(shell.run("witness", "key", "--name", "w", "--out", "w.key", code=1))
    assert "plus" in said(shell.run("witness", "key", "--name", "a+b", "--out", "x.key", code=1))
    serve = ["witness", "serve", "--log", vkey, "--state", "w.db", "--key"]
    assert "--key" in said(shell.run(*serve, "none.key", code=1))
    (shell.folder / "bad.key").write_text("PRIVATE+KEY+x+00+AAAA")
    assert "AAAA" not in said(shell.run(*serve, "bad.key", code=1))
    port = free_port()
    command = [
        sys.executable,
        "-c",
        "from app.cli.main import app; app()",
        *serve,
        "w.key",
        "--port",
        str(port),
    ]
    witness = subprocess.Popen(command, cwd=shell.folder, env=shell.environment)
    try:
        log = note.Verifier.parse(vkey)
        address = f"http://127.0.0.1:{shell.environment['WARDLIST_PORT']}"
        checkpoint = httpx.get(f"{address}/log/checkpoint").content
        body = protocol.request(0, [], checkpoint)
        for _ in range(100):
            with suppress(httpx.HTTPError):
                answer = httpx.post(f"http://127.0.0.1:{port}/add-checkpoint", content=body)
                break
            time.sleep(0.1)
        assert answer.status_code == 200
        whole = checkpoint + answer.content
        assert note.cosigners(whole, [note.Verifier.parse(own)]) == {"w.example"}
        assert note.read(whole, [log])
    finally:
        witness.terminate()
        witness.wait(timeout=30)
    seen = ["log", "verify", address, "--vkey", vkey, "--witness-vkey", own]
    assert "1 witnesses must cosign" in said(shell.run(*seen, code=1))
    assert shell.json(*seen, "--witness-quorum", "0")["verified"] is True
    assert "quorum" in said(shell.run(*seen, "--witness-quorum", "2", code=1))
    assert "no witness" in said(shell.run(*seen[:-1], vkey, code=1))
