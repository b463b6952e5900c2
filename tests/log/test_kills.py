"""Killed at a hundred random moments under four writers, the log has no gap, no fork and no lost leaf."""

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

from sqlalchemy import text

from app.core import merkle, note
from app.core.merkle import Frontier
from app.log.tiles import public_log
from tests.programs import forked, log_writers, selection
from tests.programs.conditions import until
from tests.programs.service import Service

KILLS = selection.times(100, 20, 10)


class Watcher(threading.Thread):
    """A client that reads the checkpoint all the time and remembers each."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.seen = path, list[bytes]()
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            with suppress(FileNotFoundError):
                found = self.path.read_bytes()
                if not self.seen or self.seen[-1] != found:
                    self.seen.append(found)
            time.sleep(0.002)

    def has_seen(self, count: int) -> bool:
        """Whether so many checkpoints came by."""
        return len(self.seen) >= count


def test_killed_at_random_moments(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    service = Service(tmp_path / "home")
    watcher = Watcher(service.settings.log / "checkpoint")
    watcher.start()
    acknowledged: set[str] = set()
    for number in range(KILLS):
        # Every other life gets as far as a checkpoint, on a machine however slow.
        is_far = partial(watcher.has_seen, len(watcher.seen) + number % 2)
        acknowledged |= one_life(service, number * 100_000, chance.uniform(0, 0.25), is_far)
    watcher.stopping.set()
    watcher.join()
    service.publish()

    published = public_log(service.settings, service.keyring)
    last = published.checkpoint()
    assert last
    leaves = read_all(service, last.size)
    heads = [note.Checkpoint.parse(note.read(one, [published.verifier])[0]) for one in watcher.seen]
    assert len(heads) >= KILLS // 2
    for old, new in pairwise([*heads, last]):
        assert old.size <= new.size
        if old.size:
            proof = merkle.consistency_proof(old.size, new.size, published.nodes())
            merkle.verify_consistency(old.size, old.root, new.size, new.root, proof)
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    assert Frontier().extend(hashes).root() == last.root
    numbers = [json.loads(leaf)["number"] for leaf in leaves if b"test.leaf" in leaf]
    assert len(numbers) == len(set(numbers))
    assert acknowledged <= set(numbers)
    assert len(acknowledged) > KILLS
    with service.database.reading() as session:
        indices = session.execute(text("SELECT leaf_index FROM sequenced_leaf ORDER BY 1")).scalars().all()
        assert session.execute(text("SELECT count(*) FROM leaf")).scalar_one() == last.size
    assert indices == list(range(last.size))
    service.database.close()


def one_life(service: Service, start: int, seconds: float, is_far: Callable[[], bool]) -> set[str]:
    """Start the writers, kill them a while after they are so far; what they had acknowledged."""
    told, telling = forked.pipe()
    process = forked.forked(log_writers.main, service.settings, start, telling)
    telling.close()
    with open(told.fileno(), "rb", closefd=False) as lines:
        first = lines.readline()
        until(is_far)
        time.sleep(seconds)
        process.kill()
        process.join()
        said = (first + lines.read()).decode()
    told.close()
    # What follows the last newline was cut short by the kill.
    return {line for line in said.split("\n")[:-1] if line}


def read_all(service: Service, size: int) -> list[bytes]:
    found: list[bytes] = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        path = service.settings.log / merkle.tile_path("entries", index, width)
        found += merkle.unbundle(path.read_bytes())
    return found
