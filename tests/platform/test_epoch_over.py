"""A request that reads while another process ends the day: asked to come again, not told of a fault."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from app.client.session import Connection
from app.main import create_app
from app.platform.database import Database
from app.platform.epochs import EpochOver, Epochs
from app.platform.keyring import Keyring
from app.platform.server import Server, configured
from tests.programs.nginx import free_port
from tests.programs.service import Service, new_entry, wait_until_up


def wait_until_gone(epochs: Epochs, number: int) -> None:
    """Return once that key was destroyed."""
    for _ in range(3000):
        if not epochs.has(number):
            return
        time.sleep(0.01)
    raise AssertionError("the day did not end")


def test_an_entry_that_is_read_while_its_epoch_ends_is_asked_for_again(
    service: Service, hotline: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hotline.request("POST", "/v1/entries", json=new_entry()).json()
    settings = service.settings.model_copy(update={"port": free_port()})
    keyring, honest = Keyring.load(service.settings.keys), Epochs.key
    reached, go, wanted = threading.Event(), threading.Event(), list[int]()

    def slow(self: Epochs, number: int) -> bytes:
        if self is keyring.epochs and not go.is_set():
            wanted.append(number)
            reached.set()
            assert go.wait(30)
        return honest(self, number)

    monkeypatch.setattr(Epochs, "key", slow)
    with closing(Database(settings.database)) as database:
        application = create_app(settings, database, keyring, service.clock)
        server = Server(configured(application, settings), service.announcer)
        thread = threading.Thread(target=server.run)
        thread.start()
        wait_until_up(f"http://127.0.0.1:{settings.port}")
        host = service.address.partition("://")[2]
        headers = {"Authorization": f"Bearer {hotline.token()}", "Host": host}
        where = f"http://127.0.0.1:{settings.port}/v1/entries/{made['id']}"
        with ThreadPoolExecutor(2) as pool:
            asked = pool.submit(httpx.get, where, headers=headers, timeout=60)
            assert reached.wait(30)
            ending = pool.submit(service.publisher.daily)
            wait_until_gone(keyring.epochs, wanted[0])
            go.set()
            first = asked.result()
            ending.result()
        second = httpx.get(where, headers=headers, timeout=60)
        server.should_exit = True
        thread.join(30)
    assert (first.status_code, first.headers["retry-after"]) == (503, "1")
    assert (second.status_code, second.json()["id"]) == (200, made["id"])


def test_a_key_that_is_being_overwritten_is_no_key(tmp_path: Path) -> None:
    Epochs(tmp_path / "keys").make(1)
    assert len(Epochs(tmp_path / "keys").key(1)) == 32
    (tmp_path / "keys" / "1.hex").write_text("0" * 64)
    with pytest.raises(EpochOver):
        Epochs(tmp_path / "keys").key(1)
    (tmp_path / "keys" / "1.hex").unlink()
    with pytest.raises(EpochOver):
        Epochs(tmp_path / "keys").key(1)
