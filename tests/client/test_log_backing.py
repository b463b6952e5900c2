"""A server with every online key publishes what nobody signed off: its own log gives it away to everyone."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.client.follow import FollowedLog, LogError
from app.client.session import Connection
from app.client.store import Store
from app.client.sync import Refused, sync
from app.core import commitment, decision, jose, register
from app.core.terms import Kind
from app.identity import service as identity
from app.identity.permissions import Scope
from app.identity.register import open_register
from app.lists.publisher import Duties, Publisher
from app.lists.repository import Repository
from app.log import service as log
from app.log.tiles import public_log
from tests.programs import databases
from tests.programs.service import LIST, Service, approve, new_entry, running, signed_review


class Watch:
    """A provider that follows the log, and a stranger that verifies it."""

    def __init__(self, service: Service, provider: Connection, folder: Path) -> None:
        self.service, self.provider, self.store, self.folder = service, provider, Store(folder), folder
        self.vkey = public_log(service.settings, service.keyring).verifier

    def sync(self) -> int:
        return sync(self.provider, LIST, self.store, self.service.root, log_key=self.vkey).version

    def verify(self, state: Path | None = None) -> int:
        def fetch(path: str) -> bytes:
            return self.provider.request("GET", path).content

        return FollowedLog(fetch, self.vkey, state).replay().replay.size

    def refuses(self, *words: str) -> None:
        before = self.store.current(LIST)
        with pytest.raises(Refused) as refused:
            self.sync()
        assert all(word in str(refused.value) for word in words), str(refused.value)
        assert self.store.current(LIST) == before
        with pytest.raises(LogError) as failed:
            self.verify()
        assert all(word in str(failed.value) for word in words), str(failed.value)


@pytest.fixture
def watch(
    service: Service, hotline: Connection, reviewer: Connection, provider: Connection, tmp_path: Path
) -> Iterator[Watch]:
    entry = hotline.request("POST", "/v1/entries", json=new_entry("https://good.example.test/")).json()
    approve(reviewer, entry)
    service.publish()
    one = Watch(service, provider, tmp_path / "isp")
    assert one.sync() == 1
    service.publisher = Publisher(
        service.settings, service.database, service.keyring, service.clock, NO_CHECKS
    )
    yield one


NO_CHECKS = Duties(lambda *_: None, lambda *_: None, lambda *_: None)
"""The server's operator took the recount of quorums out."""


def submit(hotline: Connection, url: str = "https://bad.example.test/") -> dict[str, Any]:
    found: dict[str, Any] = hotline.request("POST", "/v1/entries", json=new_entry(url)).json()
    return found


def force(service: Service, entry: dict[str, Any]) -> None:
    """The server's own hand: approved, whoever decided."""
    with service.database.writing() as session:
        session.execute(text("UPDATE entry SET status = 'APPROVED' WHERE id = :id"), {"id": entry["id"]})


def forge_vote(service: Service, entry: dict[str, Any], organisation: str, **changes: Any) -> None:
    """A client of the organisation that the server made itself votes, and the entry is approved."""
    private = jose.generate()
    with service.database.writing() as session:
        client = identity.add_client(session, organisation, {Scope.REVIEWS_WRITE}, private, service.clock())
        body = signed_review(entry, changes.get("key", private), signed=changes.get("signed", {}))
        log.append(
            session,
            "entry.reviewed",
            service.clock(),
            client=changes.get("client", client.id),
            decision="approve",
            entry=entry["id"],
            organisation=organisation,
            signature=body["signature"],
        )
        log.append(session, "entry.approved", service.clock(), entry=entry["id"], list=LIST)
    force(service, entry)


def test_honest_versions_pass(watch: Watch, hotline: Connection, reviewer: Connection) -> None:
    approve(reviewer, submit(hotline))
    watch.service.publish()
    assert watch.sync() == 2
    assert watch.verify() > 10


def test_only_new_bundles_are_fetched(
    watch: Watch, hotline: Connection, reviewer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [new_entry(f"https://m{n}.example.test/") for n in range(600)]
    hotline.request("POST", "/v1/entries/batch", json={"entries": bodies})
    approve(reviewer, submit(hotline, "https://one.example.test/"))
    watch.service.publish()
    watch.sync()
    asked: list[str] = []
    send = watch.provider.send

    def counted(method: str, path: str, **options: Any) -> httpx.Response:
        asked.append(path)
        return send(method, path, **options)

    monkeypatch.setattr(watch.provider, "send", counted)
    approve(reviewer, submit(hotline, "https://two.example.test/"))
    watch.service.publish()
    watch.sync()
    assert [path for path in asked if "entries" in path] == [
        next(path for path in asked if "/entries/002.p/" in path)
    ]


def test_a_damaged_bundle_of_ones_own_is_noticed(
    watch: Watch, hotline: Connection, reviewer: Connection
) -> None:
    bodies = [new_entry(f"https://m{n}.example.test/") for n in range(300)]
    hotline.request("POST", "/v1/entries/batch", json={"entries": bodies})
    approve(reviewer, submit(hotline, "https://one.example.test/"))
    watch.service.publish()
    watch.sync()
    kept = watch.folder / "log" / "tile" / "entries" / "000"
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    approve(reviewer, submit(hotline, "https://two.example.test/"))
    watch.service.publish()
    with pytest.raises(Refused):
        watch.sync()
    kept.unlink()
    assert watch.sync() == 3


def test_an_entry_without_any_approval(watch: Watch, hotline: Connection) -> None:
    entry = submit(hotline)
    force(watch.service, entry)
    watch.service.publish()
    watch.refuses(entry["id"], "approved")


def test_an_invented_review_body(watch: Watch, hotline: Connection) -> None:
    entry = submit(hotline)
    with watch.service.database.writing() as session:
        invented = identity.add_organisation(
            session, Kind.REVIEW_BODY, "Invented", "NL", watch.service.clock()
        )
    forge_vote(watch.service, entry, invented.id)
    watch.service.publish()
    watch.refuses(entry["id"], "certified key")


def test_an_invented_reviewer_of_a_real_body(watch: Watch, hotline: Connection) -> None:
    entry = submit(hotline)
    real = watch.service.organisation(Kind.REVIEW_BODY)
    forge_vote(watch.service, entry, real)
    watch.service.publish()
    watch.refuses(entry["id"], "certified key")


def test_a_body_the_server_puts_on_the_register_itself(watch: Watch, hotline: Connection) -> None:
    service = watch.service
    with service.database.writing() as session:
        invented = identity.add_organisation(session, Kind.REVIEW_BODY, "Invented", "NL", service.clock()).id
        body = register.Body(invented, jose.public_part(jose.generate()), ("*",), "2020-01-01T00:00:00Z")
        proposal = register.propose([body], 99, service.clock())
        proposal = register.sign(proposal, (service.settings.keys / "tuf" / "targets.pem").read_bytes())
        log.append(session, "register.published", service.clock(), version=99, **proposal)
    approve_nothing = submit(hotline)
    force(service, approve_nothing)
    service.publish()
    watch.refuses("register")


def test_other_register_keys_from_the_start(watch: Watch) -> None:
    """A server that made its own log cannot claim the pinned root's register."""
    replayed = FollowedLog(
        lambda path: watch.provider.request("GET", path).content, watch.vkey, None
    ).replay()
    opened = replayed.replay.authority
    assert opened
    root = json.loads((watch.folder / "tuf" / "root.json").read_text())["signed"]["wardlist_register"]
    assert root == {"keys": dict(opened.keys), "threshold": opened.threshold}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entry: {"entry_digest": "0" * 64}, "its digest"),
        (lambda entry: {"in_list": "another"}, "its list"),
        (lambda entry: {"decision": "reject"}, "this decision"),
        (lambda entry: {"criteria": dict.fromkeys(decision.CRITERIA, False)}, "criterion"),
        (lambda entry: {"iat": int(time.time()) - 3600}, "when it was taken in"),
        (lambda entry: {"entry": commitment.new_key().hex()}, "this entry"),
    ],
)
def test_a_real_signature_over_something_else(
    watch: Watch,
    hotline: Connection,
    reviewer: Connection,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    said: str,
) -> None:
    entry = submit(hotline)
    with watch.service.database.reading() as session:
        found = identity.active(session, reviewer.credentials.client_id)
    assert found
    key = reviewer.credentials.private_jwk
    forge_vote(
        watch.service,
        entry,
        found[1].id,
        key=key,
        client=reviewer.credentials.client_id,
        signed=change(entry),
    )
    watch.service.publish()
    watch.refuses(entry["id"], said)


def test_a_list_that_hides_an_entry_from_the_log(watch: Watch, hotline: Connection) -> None:
    """The entry is in the files, its leaves are nowhere: sync names it."""
    entry = submit(hotline)
    with watch.service.database.writing() as session:
        session.execute(
            text("UPDATE entry SET status = 'LISTED', listed_in = 2 WHERE id = :id"), {"id": entry["id"]}
        )
    second = submit(hotline, "https://other.example.test/")
    force(watch.service, second)
    with watch.service.database.writing() as session:
        session.execute(text("UPDATE entry SET status = 'WITHDRAWN' WHERE id = :id"), {"id": second["id"]})
        session.execute(text("UPDATE entry SET delisted_in = NULL, status = 'DELISTED' WHERE listed_in = 1"))
    watch.service.publish()
    with pytest.raises(Refused):
        watch.sync()
    assert watch.store.current(LIST) is not None
    assert watch.store.current(LIST).version == 1  # type: ignore[union-attr]


def test_a_rolled_back_and_a_forked_log(watch: Watch, hotline: Connection, tmp_path: Path) -> None:
    state = tmp_path / "seen.json"
    submit(hotline)
    watch.service.publish()
    watch.verify(state)
    honest = state.read_text()
    seen = json.loads(honest)
    state.write_text(json.dumps({**seen, "size": seen["size"] + 1}))
    with pytest.raises(LogError, match="rolled back"):
        watch.verify(state)
    state.write_text(json.dumps({**seen, "root": "A" * 43 + "="}))
    with pytest.raises(LogError, match="forked"):
        watch.verify(state)
    state.write_text("{")
    with pytest.raises(LogError, match="cannot be read"):
        watch.verify(state)
    state.write_text(honest)
    assert watch.verify(state) == seen["size"]


def test_a_whole_log_under_register_keys_of_the_servers_own(tmp_path: Path) -> None:
    """Consistent in itself, so that its replay passes; the pinned root names other keys."""
    service = Service(tmp_path / "home")
    own = Repository(tmp_path / "own" / "tuf", tmp_path / "own" / "keys")
    own.create(tmp_path / "own" / "offline", service.clock())
    with service.database.writing() as session:
        databases.expose_leaves(session)
        for table in ("pending_leaf", "leaf", "register_authority"):
            session.execute(text(f"DELETE FROM {table}"))
        open_register(session, own.authority(), service.clock())
    for key in (tmp_path / "own" / "offline").glob("register-*.pem"):
        (service.settings.offline / key.name).write_bytes(key.read_bytes())
    with running(service):
        service.add_list()
        organisation = service.organisation(Kind.ISP)
        service.subscribe(organisation)
        with (
            service.connect(Kind.HOTLINE) as hotline,
            service.connect(Kind.REVIEW_BODY) as reviewer,
            service.connect(Kind.ISP, organisation) as provider,
        ):
            approve(reviewer, submit(hotline))
            service.publish()
            watch = Watch(service, provider, tmp_path / "isp")
            assert watch.verify() > 0
            with pytest.raises(Refused, match="pinned root"):
                watch.sync()
            assert watch.store.current(LIST) is None
