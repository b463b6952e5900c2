"""The parts of a service in processes of their own: what they say of themselves, and what they never say."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pyrage
import pytest
import sqlalchemy as sa
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.client.receipts import made
from app.client.session import Connection
from app.core.manifest import Manifest
from app.core.terms import Kind, ReceiptOutcome
from app.log.tiles import public_log
from app.platform.clock import instant
from tests.programs.children import children
from tests.programs.conditions import until
from tests.programs.parts import COMMAND, Part, part
from tests.programs.service import LIST, Service, approve, new_entry
from tests.programs.witness import witness

TOP = Path(__file__).parents[2]
FRAGMENTS = ("fjordlykt", "hemmelig", "kvistklang", "rosinbolle")
URL = f"https://{FRAGMENTS[0]}.example.test/{FRAGMENTS[1]}/{FRAGMENTS[2]}?q={FRAGMENTS[3]}"
LATEST = f"/v1/lists/{LIST}/snapshots/latest"
REQUESTS = 12


@dataclass
class Observed:
    """A service in four processes and more, after a busy time."""

    service: Service
    api: Part
    publisher: Part
    worker: Part
    hotline: Connection
    provider: Connection

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.api, self.publisher, self.worker


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """Everything once: a version is published, polled and applied, and much goes wrong."""
    folder = tmp_path_factory.mktemp("observed")
    service = Service(folder / "home")
    service.add_list()
    provider = service.organisation(Kind.ISP)
    service.subscribe(provider)
    log = public_log(service.settings, service.keyring).verifier
    with ExitStack() as opened:
        place, signer = opened.enter_context(witness(folder / "witness.db", log))
        settings = {
            "WARDLIST_ISSUER": service.address,
            "WARDLIST_WITNESSES": f"{signer.verifier} {place}",
            "WARDLIST_STORE": f"file://{folder}/store",
            "WARDLIST_TRUSTED_PROXIES": "127.0.0.1",
            "WARDLIST_POLL_BURST": "100000",
        }
        publisher = opened.enter_context(part(service, folder, "publisher", **settings))
        worker = opened.enter_context(part(service, folder, "worker", **settings))
        api = opened.enter_context(part(service, folder, "serve", "--api-only", "--workers", "2", **settings))
        hotline = opened.enter_context(service.connect(Kind.HOTLINE))
        reviewer = opened.enter_context(service.connect(Kind.REVIEW_BODY))
        caller = opened.enter_context(service.connect(Kind.ISP, provider))
        found = Observed(service, api, publisher, worker, hotline, caller)
        entry = hotline.request("POST", "/v1/entries", json=new_entry(URL)).json()
        approve(reviewer, entry)
        _apply(found, 1)
        hotline.request("POST", f"/v1/entries/{entry['id']}/withdrawal")
        _apply(found, 2)
        _disturb(found)
        _break(found, reviewer)
        _back_up(found, folder)
        yield found
        service.database.close()


def _apply(found: Observed, version: int) -> None:
    """The provider says that the version is in force, once it is there."""
    until(lambda: _newest(found) == version)
    manifest = Manifest.model_validate_json(found.provider.request("GET", LATEST).content)
    body = made(found.provider.credentials, manifest, ReceiptOutcome.APPLIED, instant(found.service.clock()))
    assert found.provider.send("POST", f"/v1/lists/{LIST}/receipts", json=body).status_code == 201


def _newest(found: Observed) -> int:
    answer = found.provider.send("GET", LATEST)
    return int(answer.json()["version"]) if answer.status_code == 200 else 0


def _back_up(found: Observed, folder: Path) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    words = ("backup", "--out", str(folder / "backup.age"), "--recipient", recipient)
    environment = os.environ | found.service.environment
    subprocess.run([*COMMAND, *words], env=environment, check=True, timeout=300, capture_output=True)


def _disturb(found: Observed) -> None:
    """Requests that no program of ours sends, each with the listed address somewhere in it."""
    address, plain = found.service.address, URL.encode()
    bearer = {"Authorization": f"Bearer {URL}"}
    for path in (
        f"/{URL}",
        f"/v1/entries?list={URL}",
        f"/v1/entries/{URL}",
        f"/tuf/metadata/{FRAGMENTS[0]}.json",
    ):
        found.hotline.send("GET", path)
        found.api.get(path, **{"X-Note": URL, **bearer})
    found.api.get(f"/v1/lists/{FRAGMENTS[0]}/snapshots/latest", **bearer)
    found.api.get("/v1/lists", Host=f"{FRAGMENTS[0]}.example.test")
    for body in (b'{"url": "' + plain, b"\xff" + plain, b'["' + plain + b'"]'):
        kind = {"Content-Type": "application/json"}
        found.hotline.send("POST", "/v1/entries", content=body, headers=kind)
    wrong: list[dict[str, Any]] = [
        new_entry(URL, scope="nothing"),
        new_entry(f"ftp://{FRAGMENTS[0]}.example.test/"),
        new_entry(URL, statement=f"{URL}\x00"),
        {**new_entry(URL), FRAGMENTS[1]: URL},
    ]
    for one in wrong:
        assert found.hotline.send("POST", "/v1/entries", json=one).status_code in (400, 409, 422)
    found.hotline.send("POST", "/v1/entries", json=new_entry(URL), headers={"Idempotency-Key": URL})
    httpx.post(f"{address}/oauth/token", data={"client_assertion": URL, "grant_type": URL}, timeout=30)
    httpx.post(f"{address}/v1/appeals", json={"url": URL, "statement": URL}, timeout=30)
    for raw in (
        b"GET " + plain + b" HTTP/1.1\r\n\r\n",
        plain + b"\r\n\r\n",
        b"POST /v1/entries HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n" + plain,
        b"POST /v1/entries HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz" + plain,
        b"GET /healthz HTTP/1.1\r\nX-Note: " + plain * 2000,
    ):
        _say(found.service.settings.port, raw)


def _say(port: int, raw: bytes) -> None:
    """Send bytes, and hang up after what is answered within a moment."""
    with socket.create_connection(("127.0.0.1", port)) as wire, suppress(OSError):
        wire.sendall(raw)
        wire.shutdown(socket.SHUT_WR)
        wire.settimeout(5)
        while wire.recv(65536):
            pass


def _break(found: Observed, reviewer: Connection) -> None:
    """Tables are missing for a while: requests fail, and so does each round of the publisher."""
    entry = found.hotline.request("POST", "/v1/entries", json=new_entry(f"{URL}&n=2")).json()
    with _without(found.service, "entry_cipher"):
        failed = found.hotline.send("POST", "/v1/entries", json=new_entry(f"{URL}&n=3"))
        assert failed.status_code >= 500
    with _without(found.service, "snapshot"):
        until(lambda: "step failed" in found.publisher.log.read_text())
    approve(reviewer, entry)
    until(lambda: _newest(found) == 3)


@contextmanager
def _without(service: Service, table: str) -> Iterator[None]:
    engine = service.database.engine
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_away"))
    yield
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table}_away RENAME TO {table}"))


def samples(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Numbers by name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_no_line_of_any_process_holds_a_listed_address_or_a_part_of_one(observed: Observed) -> None:
    for one in observed.parts:
        said = one.log.read_bytes().lower()
        assert said
        for fragment in FRAGMENTS:
            assert fragment.encode() not in said, one.log.name


def test_every_line_is_json_and_says_when_and_what(observed: Observed) -> None:
    for one in observed.parts:
        for line in one.lines():
            assert {"timestamp", "event", "level"} <= set(line), line
    libraries = [line for line in observed.api.lines() if line["event"] == "library"]
    assert "uvicorn.error" in {line["logger"] for line in libraries}
    assert all(set(line) >= {"logger", "at"} and "said" not in line for line in libraries)


def test_what_went_wrong_is_in_the_log_by_kind_and_place(observed: Observed) -> None:
    steps = [line for line in observed.publisher.lines() if line.get("step") == "list"]
    assert {"worker": "publisher", "step": "list", "list": LIST}.items() <= steps[0].items()
    assert steps[0]["failure"] in ("OperationalError", "ProgrammingError")
    assert re.fullmatch(r"app/[\w/]+\.py:\d+", steps[0]["where"])
    assert len(steps[0]["round"]) == 8


def test_every_line_of_a_request_has_the_id_that_its_answer_has(observed: Observed) -> None:
    answer = observed.api.get("/v1/lists")
    own = answer.headers["x-request-id"]
    until(lambda: any(line.get("request_id") == own for line in observed.api.lines()))
    requests = [line for line in observed.api.lines() if line["event"] == "request"]
    assert all(line["request_id"] for line in requests)
    mine = next(line for line in requests if line["request_id"] == own)
    assert (mine["method"], mine["route"], mine["status"]) == ("GET", "/v1/lists", 401)


@pytest.mark.parametrize(
    ("given", "proxied", "is_taken"),
    [
        ("9f86d081884c7d659a2feaa0c55ad015", True, True),
        ("123e4567-e89b-42d3-a456-426614174000", True, True),
        ("9f86d081884c7d659a2feaa0c55ad015", False, False),
        (FRAGMENTS[0], True, False),
        ("9F86D081884C7D659A2FEAA0C55AD015", True, False),
        ("9f86d081884c7d659a2feaa0c55ad015\t1", True, False),
    ],
)
def test_a_request_s_id_is_taken_from_a_trusted_proxy_alone(
    observed: Observed, given: str, proxied: bool, is_taken: bool
) -> None:
    headers = {"X-Request-Id": given} | ({"X-Forwarded-For": "192.0.2.7"} if proxied else {})
    answer = observed.api.get("/v1/lists", **headers)
    assert (answer.headers["x-request-id"] == given) == is_taken


def names_in(expressions: list[str]) -> set[str]:
    return set(re.findall(r"\bwardlist_\w+", " ".join(expressions)))


def looked_at() -> set[str]:
    """The names in every rule and in every panel of the dashboard."""
    groups = yaml.safe_load((TOP / "deploy/prometheus/alerts.yml").read_text())["groups"]
    board = json.loads((TOP / "deploy/grafana/dashboards/wardlist.json").read_text())
    panels = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return names_in([rule["expr"] for group in groups for rule in group["rules"]] + panels)


def test_rules_and_dashboard_look_at_nothing_that_is_not_there(observed: Observed) -> None:
    there = set[str]().union(*(samples(one.metrics()) for one in observed.parts))
    assert looked_at() - there == set()


def test_no_label_holds_a_listed_address_and_each_has_few_values(observed: Observed) -> None:
    for one in observed.parts:
        text = one.metrics()
        assert not any(fragment in text.lower() for fragment in FRAGMENTS)
        for name, found in samples(text).items():
            assert len(found) < 1000, name


def test_each_process_says_how_it_stands(observed: Observed) -> None:
    said = {one: one.get("/readyz").text.splitlines() for one in observed.parts}
    names = {one: [line.partition(":")[0] for line in lines] for one, lines in said.items()}
    assert names[observed.api] == ["ready", "database", "repository", "log"]
    assert names[observed.publisher] == ["ready", "database", "publisher", "repository", "log"]
    assert "publisher: leading" in said[observed.publisher]
    assert names[observed.worker] == ["ready", "database"]
    for one in observed.parts:
        assert one.get("/healthz").text == "ok\n"
        assert one.get("/nothing").status_code == 404


def total(text: str, name: str, **labels: str) -> float:
    """The sum of samples with these labels."""
    found = samples(text).get(name, {})
    return sum(value for key, value in found.items() if labels.items() <= dict(key).items())


def requests_counted(observed: Observed) -> float:
    labels = {"route": "/v1/lists", "method": "GET", "status": "4xx"}
    return total(observed.api.metrics(), "wardlist_http_requests_total", **labels)


def polls_counted(observed: Observed) -> float:
    return total(observed.api.metrics(), "wardlist_polls_total", list=LIST, status="304")


def test_any_api_process_answers_for_all_and_what_a_dead_one_counted_stays(observed: Observed) -> None:
    before, polls = requests_counted(observed), polls_counted(observed)
    for _ in range(REQUESTS):
        observed.api.get("/v1/lists")
    etag = observed.provider.request("GET", LATEST).headers["etag"]
    for _ in range(REQUESTS):
        assert observed.provider.send("GET", LATEST, headers={"If-None-Match": etag}).status_code == 304
    # One process tells the others' figures as of a second ago.
    until(lambda: requests_counted(observed) == before + REQUESTS)
    until(lambda: polls_counted(observed) == polls + REQUESTS)
    assert {requests_counted(observed) for _ in range(6)} == {before + REQUESTS}
    for child in children(observed.api.process.pid):
        os.kill(child, signal.SIGKILL)
        until(partial(_is_replaced, observed.api, child))
        until(observed.api.is_ready)
    assert requests_counted(observed) == before + REQUESTS
    assert polls_counted(observed) == polls + REQUESTS


def _is_replaced(one: Part, child: int) -> bool:
    found = children(one.process.pid)
    return child not in found and len(found) == 2
