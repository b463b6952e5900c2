"""Rights on the hot addresses: answered from memory, and still as the database says at the next request."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import event

from app.client.session import Connection
from app.core.terms import Kind
from app.distribution import standing
from app.identity import service as identity
from app.identity.permissions import Scope
from app.identity.service import Caller
from app.lists import service as lists
from app.lists import snapshots
from app.platform.database import Database
from app.platform.problems import Problem
from tests.distribution.test_snapshots import SNAPSHOTS, list_one
from tests.lists.test_staging import Stage, organisation_of, stage
from tests.programs.service import LIST, Service, running

__all__ = ["stage"]
ACCESS = f"/v1/lists/{LIST}/access"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one version of one entry."""
    with running(Service(tmp_path_factory.mktemp("hot") / "home")) as up:
        up.add_list()
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            list_one(up, hotline, reviewer, "https://a.example.test/")
        yield up


@pytest.fixture
def isp(listed: Service) -> Iterator[Connection]:
    with listed.connect(Kind.ISP, organisation_of(listed)) as client:
        yield client


@pytest.fixture
def elsewhere(listed: Service) -> Iterator[Database]:
    """The same database as another process has it: nobody here hears of its writes."""
    other = Database(listed.settings.database)
    yield other
    other.close()


def addresses(service: Service) -> list[str]:
    home = service.settings.public / "targets"
    target = next(home.rglob("1/*.list.jsonl"))
    versions = (f"{SNAPSHOTS}/{rest}" for rest in ("latest", "1", "1/manifest.jws", "1/jsonl"))
    return [*versions, f"/v1/lists/{LIST}/deltas/1", ACCESS, f"/tuf/targets/{target.relative_to(home)}"]


def statuses(service: Service, client: Connection, token: str) -> set[int]:
    headers = {"Authorization": f"Bearer {token}"}
    paths = [client.credentials.issuer + path for path in addresses(service)]
    with httpx.Client(headers=headers) as http:
        return {http.get(path).status_code for path in paths}


def test_whoever_is_revoked_suspended_or_unsubscribed_is_out_at_the_next_request(listed: Service) -> None:
    for act, out in (("revoke", {401}), ("suspend", {401}), ("unsubscribe", {404})):
        organisation = organisation_of(listed)
        with listed.connect(Kind.ISP, organisation) as client:
            token = client.token()
            assert statuses(listed, client, token) == {200, 204}
            with listed.database.writing() as session:
                if act == "revoke":
                    identity.revoke_client(session, client.credentials.client_id, listed.clock())
                elif act == "suspend":
                    identity.suspend_organisation(session, organisation, True, listed.clock())
                else:
                    lists.unsubscribe(session, LIST, organisation, listed.clock())
            assert statuses(listed, client, token) == out


def test_what_another_process_takes_away_is_gone_within_a_moment(
    listed: Service, isp: Connection, elsewhere: Database
) -> None:
    token = isp.token()
    assert statuses(listed, isp, token) == {200, 204}
    with elsewhere.writing() as session:
        identity.revoke_client(session, isp.credentials.client_id, listed.clock())
    time.sleep(2 * standing.STALE_SECONDS)
    assert statuses(listed, isp, token) == {401}


def test_what_another_process_grants_counts_at_once(listed: Service, elsewhere: Database) -> None:
    organisation = listed.organisation(Kind.ISP)
    with listed.connect(Kind.ISP, organisation) as client:
        token = client.token()
        assert statuses(listed, client, token) == {404}
        with elsewhere.writing() as session:
            lists.subscribe(session, LIST, organisation, listed.clock())
        assert statuses(listed, client, token) == {200, 204}


def test_a_token_without_the_scope_is_turned_away(listed: Service) -> None:
    organisation = organisation_of(listed)
    with Connection(listed.credentials(organisation, {Scope.RECEIPTS_WRITE})) as client:
        for path in addresses(listed):
            refused = client.send("GET", path)
            assert refused.status_code == 403
            assert 'scope="lists:read"' in refused.headers["www-authenticate"]


@contextmanager
def looks(service: Service) -> Iterator[list[int]]:
    """Counts what the database is asked."""
    found: list[int] = []

    def counted(*_: object) -> None:
        found.append(1)

    event.listen(service.database.engine, "begin", counted)
    try:
        yield found
    finally:
        event.remove(service.database.engine, "begin", counted)


def test_hundreds_of_polls_ask_the_database_next_to_nothing(listed: Service, isp: Connection) -> None:
    paths = addresses(listed)
    isp.request("GET", paths[0])
    started = time.monotonic()
    with looks(listed) as asked:
        for number in range(300):
            isp.request("GET", paths[number % len(paths)])
    seconds = time.monotonic() - started
    assert len(asked) <= seconds / standing.STALE_SECONDS + 2


def test_an_answer_is_counted_and_a_refusal_is_logged(
    listed: Service, isp: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"{SNAPSHOTS}/latest"
    isp.token()
    capsys.readouterr()
    first, second = (isp.request("GET", path) for _ in range(2))
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert capsys.readouterr().err == ""
    refused = isp.send("GET", f"{SNAPSHOTS}/9")
    logged = capsys.readouterr().err
    assert refused.headers["x-request-id"] in logged
    assert "/v1/lists/{list}/snapshots/{version}" in logged
    assert isp.credentials.client_id in logged
    assert refused.headers["content-type"] == "application/problem+json"
    figures = httpx.get(f"{listed.address}/metrics").text
    assert f'wardlist_polls_total{{answer="latest",list="{LIST}",status="200"}}' in figures
    assert "wardlist_polls_waiting 0.0" in figures


def test_head_is_get_without_the_body(listed: Service, isp: Connection) -> None:
    token = {"Authorization": f"Bearer {isp.token()}"}
    for path in [*addresses(listed), "/tuf/metadata/timestamp.json"]:
        whole, head = (
            httpx.request(method, listed.address + path, headers=token) for method in ("GET", "HEAD")
        )
        assert head.status_code == whole.status_code
        assert head.content == b""
        for name in ("etag", "content-length", "content-type", "cache-control"):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)


def test_unusual_spellings_of_an_address_get_the_same_answers(listed: Service, isp: Connection) -> None:
    plain = isp.request("GET", f"{SNAPSHOTS}/1/jsonl")
    for path in (f"/v1/lists/{LIST.replace('-', '%2D')}/snapshots/1/jsonl", f"{SNAPSHOTS}/%31/jsonl"):
        other = isp.request("GET", path)
        assert (other.content, other.headers["etag"]) == (plain.content, plain.headers["etag"])
    assert isp.request("GET", f"{ACCESS}?whole=true&version=1").status_code == 204
    assert isp.send("GET", f"{SNAPSHOTS}/latest", headers={"If-None-Match": "x" * 1001}).status_code == 422


def test_access_says_which_view_is_the_callers(stage: Stage) -> None:
    def asked(client: Connection, query: str = "") -> tuple[int, str | None]:
        answer = client.send("GET", ACCESS + query)
        return answer.status_code, answer.headers.get("x-wardlist-view")

    assert asked(stage.canary) == (204, "canary")
    assert asked(stage.other, "?version=1") == (204, "all")
    stage.list_them("https://b.example.test/")
    assert asked(stage.canary, "?version=2") == (204, "canary")
    assert asked(stage.other, "?version=2") == (404, None)
    assert asked(stage.canary, "?version=9") == (404, None)
    assert asked(stage.hotline) == (403, None)
    stage.report(stage.canary, 2, "failed")
    stage.service.publish()
    for client in (stage.canary, stage.other):
        assert asked(client, "?version=2")[0] == 204
        assert asked(client, "?version=2&whole=1")[0] == 410
        assert asked(client, "?version=3&whole=1")[0] == 204


def said(ask: Callable[[Caller], int], caller: Caller) -> object:
    try:
        return ask(caller)
    except Problem as refusal:
        return refusal.code, refusal.detail


def test_memory_and_database_agree_at_every_step_of_a_staged_release(stage: Stage) -> None:
    database = stage.service.database

    def in_memory(caller: Caller) -> int:
        with database.reading() as session:
            return standing.load(session, None).visible(caller, LIST).newest_for(caller)

    def in_database(caller: Caller) -> int:
        with database.reading() as session:
            lists.visible(session, caller, LIST)
            return snapshots.newest(session, LIST, caller)

    def compare() -> None:
        with database.reading() as session:
            callers = list(identity.callers(session).values())
        assert len(callers) == 5
        for caller in callers:
            assert said(in_memory, caller) == said(in_database, caller)

    compare()
    stage.list_them("https://b.example.test/")
    compare()
    stage.report(stage.canary, 2, "applied")
    compare()
    stage.list_them("https://c.example.test/")
    stage.report(stage.canary, 3, "failed")
    compare()
    stage.service.publish()
    compare()
    assert stage.seen() == (4, 4)
