"""Sealed lists at the provider: opened with its identities, kept for its eyes only, and rotated."""

import json

import pytest

from app.client.sync import Refused
from app.core import age
from tests.client.subscription import Subscription, is_private


def test_a_sealed_list_opens_with_the_identity_and_stays_private(sealed: Subscription) -> None:
    done = sealed.sync()
    assert (done.version, done.entry_count) == (1, 12)
    assert sealed.store.entries(sealed.name) == set(sealed.entries)
    assert sealed.files(1, "*.list.jsonl.age")
    assert is_private(sealed.store.folder)


def test_the_own_canary_entries_and_match_keys_stand_beside_the_list(sealed: Subscription) -> None:
    sealed.sync()
    lines, made_up = sealed.store.lines(sealed.name), sealed.store.canary_lines(sealed.name)
    assert made_up == sorted(made_up)
    assert all(".owned.example/" in json.loads(one)["url"] for one in made_up)
    assert not set(lines) & set(made_up)
    assert [(one.number, len(one.key)) for one in sealed.store.match_keys(sealed.name)] == [(1, 32)]


@pytest.mark.parametrize("whose", ["none", "another's"])
def test_without_the_right_identity_nothing_is_installed(sealed: Subscription, whose: str) -> None:
    with pytest.raises(Refused, match="sealed"):
        sealed.sync([] if whose == "none" else [age.generate()[0]])
    assert sealed.store.names() == []


def test_identities_are_rotated_without_a_gap(sealed: Subscription) -> None:
    old = sealed.identities[0]
    sealed.sync()
    new = sealed.new_identity()
    sealed.publish()
    assert sealed.sync([old]).version == 2
    sealed.end_identity(old)
    sealed.publish()
    with pytest.raises(Refused, match="sealed"):
        sealed.sync([old])
    assert len(sealed.store.lines(sealed.name)) == 12
    assert sealed.sync([old, new]).version == 3


def test_the_subscribers_file_is_fetched_when_it_changed_only(sealed: Subscription) -> None:
    sealed.sync()
    sealed.add(1)
    sealed.publish()
    sealed.sync()
    assert sealed.wire.took("subscribers.json") == 1
    sealed.identities.append(sealed.new_identity())
    sealed.publish()
    sealed.sync()
    assert sealed.wire.took("subscribers.json") == 2


@pytest.mark.parametrize("is_there", [False, True])
def test_a_lost_or_damaged_subscriber_file_is_fetched_again(sealed: Subscription, is_there: bool) -> None:
    sealed.sync()
    path = sealed.store.folder / "lists" / sealed.name / "current" / "subscriber.json"
    path.write_bytes(b"{") if is_there else path.unlink()
    assert not sealed.sync().is_changed
    assert sealed.store.match_keys(sealed.name)
