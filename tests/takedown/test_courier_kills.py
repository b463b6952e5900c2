"""Killed at every step between database and mail server, the courier loses no notice and sends none twice.

But for the one window that SMTP leaves open (notices/mail.py): there a second copy may come, under the
same Message-ID, and the notice says of itself that it is at risk.
"""

import random
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.core.lifecycle import Takedown
from app.core.terms import NoticeOutcome
from app.takedown.models import Notice
from tests.programs import forked, stepwise
from tests.programs.mailbox import Mailbox, collecting, wait_until
from tests.programs.service import approve, new_entry, replay, wait_until_up
from tests.takedown.notified import FROM, Desk, by_mail, desk

LEAST_KILLS = 50
AT_RANDOM = 6
"""Kills of a server that sends many notices at a time."""
COMMITS = ["tidied", "claimed", "begun", "at risk", "on record"]
"""What the courier's transactions do, in their order."""


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with collecting() as up:
        yield up


class Lives:
    """Notices that wait, and processes of the service that live for one of them each."""

    def __init__(self, told: Desk, mailbox: Mailbox, notices: int) -> None:
        self.told, self.mailbox, self.service = told, mailbox, told.service
        self.service.clock.still_at = None
        told.contact()
        bodies = [new_entry(f"https://h{number}.listed.test/") for number in range(notices)]
        sent = told.hotline.request("POST", "/v1/entries/batch", json={"entries": bodies})
        for view in sent.json()["entries"]:
            approve(told.reviewer, view)
        told.service.publish()
        with self.service.database.reading() as session:
            self.waiting = [str(one) for one in session.execute(text("SELECT id FROM notice")).scalars()]
        assert len(self.waiting) == notices
        self.due("2999-01-01", *self.waiting)

    def due(self, moment: str, *ids: str) -> None:
        """Have notices come due then: a moment that has passed also ends the lease of who died."""
        with self.service.database.writing() as session:
            for one in ids:
                change = text("UPDATE notice SET next_at = :at WHERE id = :id AND done_at IS NULL")
                session.execute(change, {"at": f"{moment} 00:00:00.000000", "id": one})

    def now(self, *ids: str) -> None:
        self.due("2020-01-01", *ids)

    def notice(self, one: str) -> Notice:
        with self.service.database.reading() as session:
            return session.get_one(Notice, one)

    def copies(self, one: str) -> int:
        """How often it arrived, once whoever sent it has hung up."""
        self.mailbox.wait_until_quiet()
        return sum(arrived.id == f"<{one}@{FROM.partition('@')[2]}>" for arrived in self.mailbox.arrived)

    def start(self, deadly: int | None = None) -> tuple[BaseProcess, Any]:
        """`wardlist serve`, and where it tells its steps."""
        named = {"issuer": self.service.address, **by_mail(self.mailbox)}
        environment = {
            f"WARDLIST_{key.upper()}": str(value)
            for key, value in named.items()
            if key != "webhook_allow_private"
        }
        environment |= self.service.environment
        told, telling = forked.pipe()
        process = forked.forked(stepwise.serve, environment, deadly, telling)
        telling.close()
        return process, told

    def resume(self, one: str) -> None:
        """Another process, this one, sends what the dead one left."""
        self.now(one)
        courier = self.told.another(self.service.ways_out)
        courier.round()
        courier.wait()
        courier.close()

    def restart(self, *ids: str) -> None:
        """`wardlist serve` is started anew, let alone, and sends what is left."""
        self.now(*ids)
        process, _ = self.start()
        wait_until(lambda: all(self.notice(one).done_at for one in ids))
        process.kill()
        process.join()

    def steps(self, one: str) -> list[str]:
        """The names of all steps that a notice takes."""
        self.now(one)
        process, told = self.start()
        wait_until(lambda: self.notice(one).done_at is not None)
        wait_until_up(self.service.address)
        process.terminate()
        process.join()
        return read(told).splitlines()


def read(told: Any) -> str:
    """What a process told before it ended."""
    said = b""
    try:
        while True:
            said += told.recv_bytes()
    except EOFError:
        return said.decode()


def test_killed_at_every_step(tmp_path: Path, mailbox: Mailbox) -> None:
    with desk(tmp_path / "home", **by_mail(mailbox)) as told:
        lives = Lives(told, mailbox, LEAST_KILLS + 10)
    service = told.service
    steps = lives.steps(lives.waiting.pop())
    assert [step for step in steps if "before commit" in step] == [
        f"before commit {number}" for number in range(1, len(COMMITS) + 1)
    ]
    assert LEAST_KILLS <= len(steps) <= len(lives.waiting)
    risky = steps.index(f"before commit {COMMITS.index('at risk') + 1}")
    settled = steps.index(f"after commit {COMMITS.index('on record') + 1}")
    twice = []
    for number, step in enumerate(steps):
        one = lives.waiting.pop()
        lives.now(one)
        process, told_steps = lives.start(number + 1)
        process.join(timeout=30)
        assert process.exitcode == -9
        assert read(told_steps).splitlines()[-1] == step
        before, had = lives.notice(one), lives.copies(one)
        is_at_risk = risky < number < settled
        assert (before.at_risk, before.done_at is not None) == (number > risky, number >= settled), step
        assert had <= before.at_risk, step
        lives.resume(one)
        after, has = lives.notice(one), lives.copies(one)
        assert after.outcome is NoticeOutcome.SENT
        assert has == 1 + (is_at_risk and had), step
        twice += [step] if has > 1 else []
    assert all(steps.index(step) in range(risky + 1, settled) for step in twice)
    assert max(step for step in steps if step.startswith("after answer")) in twice
    lives.restart(*lives.waiting)
    replayed = replay(service)
    assert {one.state for one in replayed.removals.values()} == {Takedown.NOTIFIED}
    service.database.close()


def test_killed_at_random_moments_while_many_notices_go_out(tmp_path: Path, mailbox: Mailbox) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    with desk(tmp_path / "home", **by_mail(mailbox)) as told:
        lives = Lives(told, mailbox, 40)
    risked: set[str] = set()
    for _ in range(AT_RANDOM):
        lives.now(*lives.waiting)
        process, _told = lives.start()
        wait_until_up(lives.service.address)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.join()
        left = [lives.notice(one) for one in lives.waiting]
        risked |= {one.id for one in left if one.at_risk and one.done_at is None}
    lives.restart(*lives.waiting)
    for one in lives.waiting:
        assert 1 <= lives.copies(one) <= (AT_RANDOM + 1 if one in risked else 1)
    assert len(replay(lives.service).removals) == len(lives.waiting)
    lives.service.database.close()
