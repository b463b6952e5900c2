"""The service towards its witnesses: cosignatures in the served checkpoint, and each answer handled."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from starlette.responses import PlainTextResponse, Response

from app.client.follow import FollowedLog, LogError, Witnesses
from app.core import note
from app.core.note import Signer
from app.core.terms import Kind
from app.log.tiles import public_log
from app.log.witnesses import Forked
from app.platform.keyring import Keyring
from app.platform.settings import Settings
from app.witness import Witness, create_witness
from tests.programs import databases
from tests.programs import witness as programs
from tests.programs.service import Service, new_entry, running


class Scene:
    """A service with two real witnesses."""

    def __init__(self, service: Service, keys: list[Signer]) -> None:
        self.service, self.keys = service, [key.verifier for key in keys]
        self.log = public_log(service.settings, service.keyring).verifier

    def submit(self, name: str) -> str:
        with self.service.connect(Kind.HOTLINE) as hotline:
            sent = hotline.request("POST", "/v1/entries", json=new_entry(f"https://{name}.example.test/"))
            return str(sent.json()["id"])

    def checkpoint(self) -> bytes:
        return httpx.get(f"{self.service.address}/log/checkpoint").content

    def size(self) -> int:
        return note.Checkpoint.parse(note.read(self.checkpoint(), [self.log])[0]).size

    def verify(self, quorum: int) -> int:
        witnesses = Witnesses(tuple(self.keys), quorum)
        followed = FollowedLog(
            lambda path: httpx.get(self.service.address + path).content, self.log, None, witnesses
        )
        return followed.replay().replay.size


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    log = known_log(tmp_path)
    with ExitStack() as stack:
        up = [
            stack.enter_context(programs.witness(tmp_path / f"{name}.db", log.verifier, f"{name}.example"))
            for name in ("one", "two")
        ]
        named = ", ".join(f"{key.verifier} {address}" for address, key in up)
        service = stack.enter_context(running(Service(tmp_path / "home", witnesses=named)))
        service.add_list()
        yield Scene(service, [key for _, key in up])


def known_log(tmp_path: Path) -> Signer:
    """The service's log key, before the service is made."""
    settings = Settings(home=tmp_path / "home")
    settings.home.mkdir()
    Keyring.create(settings.keys)
    return Signer(settings.log_origin, note.ED25519, Keyring.load(settings.keys).log)


def with_witness(tmp_path: Path, address: str, key: Signer) -> Service:
    return Service(tmp_path / "home", witnesses=f"{key.verifier} {address}")


def test_the_served_checkpoint_carries_the_quorum(scene: Scene) -> None:
    for name in ("a", "b", "c"):
        scene.submit(name)
        scene.service.publish()
        assert note.cosigners(scene.checkpoint(), scene.keys) == {"one.example", "two.example"}
    assert scene.verify(2) == scene.size()


def test_a_client_demands_its_quorum(scene: Scene) -> None:
    scene.submit("a")
    scene.service.publish()
    stranger = Signer.generate("three.example", note.COSIGNATURE).verifier
    scene.keys = [scene.keys[0], stranger]
    assert scene.verify(1)
    with pytest.raises(LogError, match="2 witnesses must cosign the checkpoint, 1 did"):
        scene.verify(2)


def test_cosignatures_are_renewed_within_the_hour(scene: Scene) -> None:
    scene.submit("a")
    scene.service.publish()
    before = scene.checkpoint()
    time.sleep(1.1)
    scene.service.publish()
    assert scene.checkpoint() == before
    scene.service.clock.ahead += timedelta(minutes=51)
    scene.service.publish()
    assert scene.checkpoint() != before
    assert note.cosigners(scene.checkpoint(), scene.keys) == {"one.example", "two.example"}


def test_a_restored_backup_signs_nothing_though_its_mark_is_lost(scene: Scene, tmp_path: Path) -> None:
    """Database and mark go back together; the witness alone remembers."""
    scene.submit("a")
    scene.service.publish()
    with scene.service.database.writing() as session:
        databases.expose_leaves(session)
        for table in ("sequenced_leaf", "leaf"):
            session.execute(text(f"DELETE FROM {table}"))
        session.execute(text("UPDATE log_head SET size = 0, frontier = :none"), {"none": b""})
    scene.service.settings.mark.unlink()
    signed = (scene.service.settings.log / "checkpoint").read_bytes()
    restarted = public_log(scene.service.settings, scene.service.keyring)
    with pytest.raises(Forked, match="a witness has seen"), scene.service.database.reading() as session:
        restarted.publish(session, scene.service.clock())
    assert (scene.service.settings.log / "checkpoint").read_bytes() == signed


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: PlainTextResponse("", 500),
        lambda _: PlainTextResponse("", 404),
        lambda _: PlainTextResponse("", 403),
        lambda _: PlainTextResponse("nonsense", 200),
        lambda _: PlainTextResponse("\u2014 witness.example AAAAAAAAAAAA\n", 200),
        lambda _: Response(b"\xff\xfe", 200),
        lambda _: PlainTextResponse("", 429, {"Retry-After": "60"}),
        lambda _: PlainTextResponse("", 302, {"Location": "http://127.0.0.1:1/"}),
    ],
)
def test_a_witness_that_does_not_cosign_costs_only_its_cosignature(
    tmp_path: Path, answer: Callable[[bytes], Response]
) -> None:
    known_log(tmp_path)
    key = Signer.generate("witness.example", note.COSIGNATURE)
    with programs.answering(answer) as address, running(with_witness(tmp_path, address, key)) as service:
        service.add_list()
        service.publish()
        one = Scene(service, [key])
        assert one.size() > 0
        assert note.cosigners(one.checkpoint(), one.keys) == set()


def test_a_witness_that_is_down_is_asked_again(tmp_path: Path) -> None:
    log = known_log(tmp_path)
    port = programs.free_port()
    key = Signer.generate("witness.example", note.COSIGNATURE)
    with running(with_witness(tmp_path, f"http://127.0.0.1:{port}", key)) as service:
        service.add_list()
        service.publish()
        one = Scene(service, [key])
        assert note.cosigners(one.checkpoint(), one.keys) == set()
        state = Witness(tmp_path / "w.db", key, [log.verifier])
        with programs.serving(create_witness(state), port):
            service.clock.ahead += timedelta(seconds=20)
            service.publish()
            assert note.cosigners(one.checkpoint(), one.keys) == {"witness.example"}


def test_a_busy_witness_is_left_alone_as_long_as_it_says(tmp_path: Path) -> None:
    known_log(tmp_path)
    key = Signer.generate("witness.example", note.COSIGNATURE)
    asked: list[bytes] = []

    def answer(body: bytes) -> Response:
        asked.append(body)
        return PlainTextResponse("", 429, {"Retry-After": "100"})

    with programs.answering(answer) as address, running(with_witness(tmp_path, address, key)) as service:
        service.add_list()
        service.publish()
        count = len(asked)
        service.clock.ahead += timedelta(seconds=60)
        service.publish()
        assert len(asked) == count
        service.clock.ahead += timedelta(seconds=60)
        service.publish()
        assert len(asked) == count + 1


@pytest.mark.parametrize(("status", "body"), [(409, "1000\n"), (422, "no"), (409, "0\n")])
def test_a_witness_that_saw_another_log_stops_the_signing(tmp_path: Path, status: int, body: str) -> None:
    known_log(tmp_path)
    key = Signer.generate("witness.example", note.COSIGNATURE)
    with programs.answering(lambda _: PlainTextResponse(body, status)) as address:
        service = with_witness(tmp_path, address, key)
        service.add_list()
        with pytest.raises(Forked):
            service.publish()
        assert not (service.settings.log / "checkpoint").exists()
        service.database.close()


def test_an_erasure_waits_for_the_witnesses(tmp_path: Path) -> None:
    log = known_log(tmp_path)
    key = Signer.generate("witness.example", note.COSIGNATURE)
    port = programs.free_port()
    with running(with_witness(tmp_path, f"http://127.0.0.1:{port}", key)) as service:
        service.add_list()
        entry = Scene(service, [key]).submit("a")
        with service.connect(Kind.OPERATOR) as operator:
            operator.request("POST", f"/v1/entries/{entry}/erasure", json={"reason": "court_order"})
        service.publish()
        service.publish()
        assert _keys(service) == 1
        state = Witness(tmp_path / "w.db", key, [log.verifier])
        with programs.serving(create_witness(state), port):
            service.clock.ahead += timedelta(seconds=20)
            service.publish()
            service.publish()
        assert _keys(service) == 0


def _keys(service: Service) -> int:
    with service.database.reading() as session:
        return int(session.execute(text("SELECT count(*) FROM entry_key")).scalar_one())


def test_two_signers_of_one_log_by_mistake(scene: Scene) -> None:
    """Both publish at once, again and again: one mark, so never two heads of one size."""
    logs = [public_log(scene.service.settings, scene.service.keyring) for _ in range(2)]
    failures: list[Exception] = []

    def publish(log: object) -> None:
        for _ in range(10):
            try:
                with scene.service.database.reading() as session:
                    log.publish(session, scene.service.clock())  # type: ignore[attr-defined]
            except Forked as fork:
                failures.append(fork)

    scene.submit("a")
    scene.service.publish()
    threads = [threading.Thread(target=publish, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    sizes = [scene.size()]
    for number in range(5):
        scene.submit(f"r{number}")
        with suppress(Forked):
            scene.service.publish()
        sizes.append(scene.size())
    for thread in threads:
        thread.join()
    scene.service.publish()
    assert sizes == sorted(sizes)
    assert scene.verify(2) == scene.size()
