"""Keys follow the work: who answers the web holds no key that signs lists."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client.store import Store
from app.client.sync import sync
from app.core import jose
from app.core.terms import Kind
from app.log.tiles import public_log
from tests.cli.terminal import Terminal
from tests.programs import forked
from tests.programs.conditions import until
from tests.programs.service import LIST, Service, approve, new_entry, wait_until_up

SIGNING = ("manifest.jwk.json", "log.hex", "canary.hex", "tuf")


@contextmanager
def program(environment: Mapping[str, str], log: Path, *words: str) -> Iterator[Any]:
    process = forked.forked(forked.run, dict(environment), words, str(log))
    try:
        yield process
    finally:
        process.terminate()
        process.join(60)
        process.kill()
        process.join()


def test_an_api_process_serves_what_a_publisher_elsewhere_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path / "home")
    service.add_list()
    service.publish()
    isp = service.organisation(Kind.ISP)
    service.subscribe(isp)
    keys, vault = service.settings.keys, tmp_path / "vault"
    vault.mkdir()
    for name in SIGNING:
        shutil.move(keys / name, vault / name)
    api = {**service.environment, "WARDLIST_ISSUER": service.address}
    elsewhere = {
        "WARDLIST_KEY_MANIFEST": "env:MANIFEST_KEY",
        "MANIFEST_KEY": (vault / "manifest.jwk.json").read_text(),
        "WARDLIST_KEY_LOG": f"file:{vault}/log.hex",
        "WARDLIST_KEY_CANARY": f"file:{vault}/canary.hex",
        "WARDLIST_KEY_TARGETS": f"file:{vault}/tuf/targets.pem",
        "WARDLIST_KEY_SNAPSHOT": "env:SNAPSHOT_KEY",
        "SNAPSHOT_KEY": (vault / "tuf" / "snapshot.pem").read_text(),
        "WARDLIST_KEY_TIMESTAMP": f"file:{vault}/tuf/timestamp.pem",
        "WARDLIST_KEY_LIST_NATIONAL_URL": f"file:{vault}/tuf/list-{LIST}.pem",
    }
    terminal = Terminal(service, tmp_path)
    assert "canary.hex is missing" in _refused(terminal, "serve")
    assert "canary.hex is missing" in _refused(terminal, "publisher")
    monkeypatch.setenv("WARDLIST_KEY_CANARY", f"file:{vault}/canary.hex")
    assert "log.hex is missing" in _refused(terminal, "publisher")
    monkeypatch.delenv("WARDLIST_KEY_CANARY")
    with ExitStack() as stack:
        stack.enter_context(program(api, tmp_path / "api.log", "serve", "--api-only"))
        wait_until_up(service.address, seconds=120)
        # The other processes have the machine's time: what is registered ahead of it counts later.
        service.clock.ahead = timedelta()
        hotline, reviewer, provider = (
            stack.enter_context(service.connect(kind, organisation))
            for kind, organisation in ((Kind.HOTLINE, None), (Kind.REVIEW_BODY, None), (Kind.ISP, isp))
        )
        entry = hotline.request("POST", "/v1/entries", json=new_entry()).json()
        approve(reviewer, entry)
        stack.enter_context(program({**api, **elsewhere}, tmp_path / "publisher.log", "publisher"))
        store = Store(tmp_path / "isp")
        until(lambda: provider.send("GET", f"/v1/lists/{LIST}/snapshots/latest").status_code == 200, 120)
        vkey = public_log(service.settings, service.keyring).verifier
        assert sync(provider, LIST, store, service.root, log_key=vkey).version == 1
        assert httpx.get(f"{service.address}/v1/log/entries/{entry['id']}/proof").status_code == 200
        signed = provider.request("GET", f"/v1/lists/{LIST}/snapshots/1/manifest.jws").text
        known = httpx.get(f"{service.address}/.well-known/jwks.json").json()["keys"]
        jwk = next(one for one in known if one["kid"] == jose.header(signed)["kid"])
        assert json.loads(jose.verify(signed, jwk))["version"] == 1

        before = jose.header(hotline.token())["kid"]
        done = terminal.json("keys", "rotate", "token")
        with service.connect(Kind.HOTLINE) as late:
            assert jose.header(late.token())["kid"] == done["id"] != before
        assert hotline.request("GET", "/v1/entries").status_code == 200
    found = terminal.json("keys", "status")["keys"]
    places = {line["role"]: line["source"] for line in found}
    assert {places[role] for role in ("manifest", "log", "canary", "timestamp", f"list-{LIST}")} == {
        "not here"
    }
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    found = terminal.json("keys", "status")["keys"]
    places = {line["role"]: line["source"] for line in found}
    assert (places["manifest"], places["snapshot"]) == ("env:MANIFEST_KEY", "env:SNAPSHOT_KEY")
    service.database.close()


def _refused(terminal: Terminal, *words: str) -> str:
    """What it says, however the terminal broke the lines."""
    return terminal.run(*words, code=1, environment={"COLUMNS": "1000"})[1]
