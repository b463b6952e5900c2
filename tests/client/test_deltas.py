"""Bringing a list up to date by deltas or whole, whichever is fewer bytes; a bad delta is never installed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.client.content import Content, Damaged, open_line
from app.client.delta import Change
from app.core import commitment
from tests.client.subscription import Subscription

WHOLE, DELTA = "list.jsonl.age", "delta.jsonl.age"


def line(number: int) -> bytes:
    """The canonical line of a numbered entry."""
    entry = f"00000000-0000-4000-8000-{number:012}"
    url = f"https://h.example.test/{number}"
    return commitment.list_line(bytes([number]) * 32, entry=entry, scope="url", url=url)


def content(numbers: set[int]) -> Content:
    """What holds these entries."""
    lines = sorted(line(number) for number in numbers)
    return Content(lines, sorted(open_line(one).commitment for one in lines))


def delta(added: set[int], removed: set[int]) -> bytes:
    """A delta as the service writes it."""
    add = [json.dumps({**json.loads(line(number)), "op": "add"}).encode() for number in added]
    gone = [json.dumps({"entry": json.loads(line(one))["entry"], "op": "remove"}).encode() for one in removed]
    return b"".join(one + b"\n" for one in (*add, *gone))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.integers(0, 20)), min_size=1, max_size=6))
def test_a_folded_chain_is_what_its_steps_make(versions: list[set[int]]) -> None:
    first = content(versions[0])
    change, state = Change(first), versions[0]
    for following in versions[1:]:
        change.feed(delta(following - state, state - following))
        state = following
    assert change.apply() == content(state)
    assert first == content(versions[0])


@pytest.mark.parametrize(
    "bad",
    [
        delta({1}, set()),
        delta(set(), {9}),
        delta({5}, {5}) + delta(set(), {5}),
        delta({5}, set()).replace(b'"op": "add"', b'"op": "put"'),
        delta({5}, set()).replace(b'"scope"', b'"scope2"'),
        delta({5}, set()).replace(b"https://h", b"https://h\\u0000\xff"),
        b"[]\n",
        b"{\n",
        b"\n",
    ],
)
def test_a_delta_that_does_not_fit_is_damaged(bad: bytes) -> None:
    change = Change(content({1, 2}))
    with pytest.raises(Damaged):
        _fold(change, bad)


def _fold(change: Change, delta: bytes) -> Content:
    change.feed(delta)
    return change.apply()


def test_who_is_behind_takes_the_deltas(sealed: Subscription) -> None:
    sealed.sync()
    for _ in range(2):
        new = sealed.add(1)
        sealed.publish()
    sealed.withdraw(sealed.entries[0])
    sealed.publish()
    done = sealed.sync()
    assert (done.version, done.added, done.removed) == (4, 2, 1)
    assert set(new) < sealed.store.entries(sealed.name)
    assert sealed.wire.took(WHOLE) == 1
    assert [path for path in sealed.wire.asked if "/deltas/" in path] == [
        f"/v1/lists/{sealed.name}/deltas/{version}" for version in (2, 3)
    ]


def test_the_whole_list_is_taken_when_the_change_is_as_long(sealed: Subscription) -> None:
    sealed.sync()
    sealed.withdraw(*sealed.entries[:10])
    sealed.add(3)
    sealed.publish()
    assert sealed.sync().entry_count == 5
    assert (sealed.wire.took(WHOLE), sealed.wire.took(DELTA)) == (2, 0)


def _remove(path: Path) -> None:
    path.unlink()


def _garble(path: Path) -> None:
    path.write_bytes(b"age-encryption.org/v1\n-> X25519 nothing\n")


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 50)


def _forge(path: Path) -> None:
    """It fits, and leads to something else than what was signed."""
    path.write_bytes(delta({7}, set()))


@pytest.mark.parametrize("harm", [_remove, _garble, _lengthen, _forge])
def test_without_an_honest_chain_the_whole_list_comes(
    sealed: Subscription, harm: Callable[[Path], None]
) -> None:
    sealed.sync()
    for _ in range(2):
        sealed.add(1)
        sealed.publish()
    harm(sealed.files(2, f"*.{DELTA}")[0])
    done = sealed.sync()
    assert (done.version, done.entry_count, done.added) == (3, 14, 2)
    assert sealed.wire.took(WHOLE) == 2


@pytest.mark.parametrize("harm", [_remove, _garble, _lengthen])
def test_so_it_does_without_the_newest_delta(sealed: Subscription, harm: Callable[[Path], None]) -> None:
    sealed.sync()
    sealed.add(1)
    sealed.publish()
    harm(sealed.files(2, f"*.{DELTA}")[0])
    assert sealed.sync().version == 2
    assert sealed.wire.took(WHOLE) == 2


def test_after_a_long_absence_the_whole_list_comes(sealed: Subscription) -> None:
    sealed.sync()
    for _ in range(3):
        sealed.add(1)
        sealed.publish()
    for version in (2, 3, 4):
        sealed.files(version, f"*.{DELTA}")[0].unlink()
    assert sealed.sync().version == 4
    assert len(sealed.store.entries(sealed.name)) == 15
