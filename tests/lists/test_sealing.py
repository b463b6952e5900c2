"""Who is taken off a list opens nothing of the versions after; whoever is on it opens all of them."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from app.core import age
from app.core.terms import Kind
from app.identity import service as identity
from app.platform.problems import Problem
from tests.lists.sealed import Holder, SealedList
from tests.programs.service import leaves

CANARY_MINUTES = timedelta(minutes=10)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def unsubscribed(world: SealedList, holder: Holder, name: str) -> None:
    world.take_off(holder, name)


def suspended(world: SealedList, holder: Holder, name: str) -> None:
    world.does(lambda s: identity.suspend_organisation(s, holder.organisation, True, world.service.clock()))


def recipients_ended(world: SealedList, holder: Holder, name: str) -> None:
    for secret in holder.identities:
        recipient = age.recipient_of(secret)
        world.does(partial(identity.end_recipient, recipient=recipient, now=world.service.clock()))


@pytest.mark.parametrize("way", [unsubscribed, suspended, recipients_ended])
def test_who_is_taken_off_opens_nothing_of_the_next_version(
    world: SealedList, name: str, way: Callable[..., None]
) -> None:
    stays, goes = world.holder(name), world.holder(name, recipients=2)
    world.list_some(2, name)
    assert world.publish(name) == 1
    assert world.lines(goes, 1, name) == world.lines(stays, 1, name)
    assert goes.opens(world.locate(1, "csv", name))
    world.newest_part(goes, name)
    assert world.guessed(goes, 1, name)
    way(world, goes, name)
    assert world.publish(name) == 2
    assert world.learns_nothing(goes, 2, name)
    world.list_some(1, name)
    assert world.publish(name) == 3
    assert world.learns_nothing(goes, 3, name)
    assert len(world.lines(stays, 3, name) or []) == 3
    world.newest_part(stays, name)
    assert len(world.guessed(stays, 3, name)) == 3
    assert len(world.lines(goes, 1, name) or []) == 2


def test_who_is_new_opens_the_next_version_and_is_told_its_keys(world: SealedList, name: str) -> None:
    first = world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    late = world.holder(name)
    assert world.lines(late, 1, name) is None
    assert world.publish(name) == 2
    assert world.lines(late, 2, name) == world.lines(first, 2, name)
    assert world.newest_part(late, name)["match_keys"] == world.newest_part(first, name)["match_keys"]
    assert world.guessed(late, 2, name)
    later = world.holder()
    world.service.subscribe(later.organisation, name)
    suspended(world, later, name)
    assert world.publish(name) == 2
    world.does(lambda s: identity.suspend_organisation(s, later.organisation, False, world.service.clock()))
    assert world.publish(name) == 3
    assert world.lines(later, 3, name)


def test_a_new_recipient_opens_what_comes_and_the_old_one_until_it_is_ended(
    world: SealedList, name: str
) -> None:
    holder = world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    old = Holder(holder.organisation, list(holder.identities))
    world.add_recipient(holder)
    new = Holder(holder.organisation, holder.identities[1:])
    assert world.lines(new, 1, name) is None
    assert world.publish(name) == 2
    assert world.lines(new, 2, name) == world.lines(old, 2, name)
    assert world.newest_part(new, name) == world.newest_part(old, name)
    recipients_ended(world, old, name)
    assert world.publish(name) == 3
    assert world.learns_nothing(old, 3, name)
    assert world.lines(new, 3, name)


def test_nothing_makes_a_stream_of_versions(world: SealedList, name: str) -> None:
    holder = world.holder(name)
    for _ in range(2):
        assert world.publish(name) == 0
    world.list_some(1, name)
    assert world.publish(name) == 1
    world.take_off(holder, name)
    for _ in range(4):
        assert world.publish(name) == 2
    world.service.subscribe(holder.organisation, name)
    world.take_off(holder, name)
    assert world.publish(name) == 2


def test_one_list_says_nothing_of_another(world: SealedList, name: str) -> None:
    other = f"{name}-2"
    world.add_list(other)
    both, one = world.holder(name, other), world.holder(name)
    world.list_some(1, name)
    world.list_some(1, other)
    world.publish(name)
    assert world.lines(both, 1, other)
    assert world.learns_nothing(one, 1, other)
    world.own_parts(one, name)
    assert not world.guessed(one, 1, other)
    world.take_off(both, other)
    assert (world.publish(name), world.newest(other)) == (1, 2)


def test_sealed_to_nobody_nobody_opens_it(world: SealedList, name: str) -> None:
    world.list_some(1, name)
    assert world.publish(name) == 1
    outsider = world.holder()
    for file, path in world.files(1, name).items():
        assert outsider.opens(path) is None if file.endswith(age.SUFFIX) else file.endswith(".hashes")
    assert not list(world.home(name).glob("*.subscribers.json"))
    world.service.subscribe(outsider.organisation, name)
    assert world.publish(name) == 2
    assert world.lines(outsider, 2, name)


def test_a_list_with_no_entry_left_is_sealed_too(world: SealedList, name: str) -> None:
    holder = world.holder(name)
    (only,) = world.list_some(1, name)
    world.publish(name)
    world.hotline.request("POST", f"/v1/entries/{only}/withdrawal")
    assert world.publish(name) == 2
    assert (world.lines(holder, 2, name), world.manifest(2, name).entry_count) == ([], 0)
    assert world.manifest(2, name).content_sha256 == hashlib.sha256(b"").hexdigest()
    delta = holder.opens(next(path for file, path in world.files(2, name).items() if "delta" in file))
    assert delta == b'{"entry":"%s","op":"remove"}\n' % only.encode()


def test_taken_off_while_a_brake_holds_the_next_version_brings_nothing_else(
    world: SealedList, name: str
) -> None:
    world.change_policy(name, brake_changes=3, brake_free=3)
    stays, goes = world.holder(name), world.holder(name)
    world.list_some(1, name)
    assert world.publish(name) == 1
    world.list_some(5, name)
    assert world.publish(name) == 1
    world.take_off(goes, name)
    assert (world.publish(name), world.publish(name)) == (2, 2)
    assert world.learns_nothing(goes, 2, name)
    assert world.lines(stays, 2, name) == world.lines(stays, 1, name)
    assert world.operator.request("GET", f"/v1/lists/{name}/brake").json()["added"] != []


def test_with_canaries_the_new_sealing_goes_to_them_first(world: SealedList, name: str) -> None:
    canary, goes, later = world.holder(name), world.holder(name), world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    world.change_policy(name, canaries=[canary.organisation])
    world.take_off(goes, name)
    assert world.publish(name) == 1
    assert world.learns_nothing(goes, 2, name)
    assert world.lines(canary, 2, name) == world.lines(later, 2, name)
    world.take_off(later, name)
    assert (world.publish(name), world.publish(name)) == (3, 3)
    assert world.learns_nothing(later, 3, name)
    assert world.lines(canary, 3, name)


def test_only_an_address_that_age_writes_is_a_recipient_and_only_of_one_provider(
    world: SealedList, name: str
) -> None:
    one, other = world.holder(name), world.holder(name)
    taken = age.recipient_of(one.identities[0])
    body, add = world.service.organisation(Kind.REVIEW_BODY), partial(identity.add_recipient, now=NOW)
    cases = (
        (other.organisation, taken),
        (other.organisation, "age1nonsense"),
        (other.organisation, one.identities[0]),
        (body, age.generate()[1]),
    )
    for organisation, recipient in cases:
        with pytest.raises(Problem) as refused:
            world.does(partial(add, organisation_id=organisation, recipient=recipient))
        assert refused.value.code == "invalid-input"
        assert "AGE-SECRET" not in str(refused.value.document())
    recipients_ended(world, one, name)
    again = partial(add, organisation_id=one.organisation, recipient=taken)
    for act in (partial(identity.end_recipient, recipient=taken, now=NOW), again):
        with pytest.raises(Problem, match="invalid-input"):
            world.does(act)
    for _ in range(identity.MOST_RECIPIENTS - 1):
        world.add_recipient(other)
    with pytest.raises(Problem, match="invalid-input"):
        world.add_recipient(other)


def test_every_recipient_that_came_or_went_is_in_the_log(world: SealedList, name: str) -> None:
    holder = world.holder(name, recipients=2)
    recipients_ended(world, holder, name)
    with world.service.database.reading() as session:
        found = [leaf for leaf in leaves(session) if leaf.get("organisation") == holder.organisation]
    told = [(leaf["type"], leaf["recipient"]) for leaf in found if leaf["type"].startswith("recipient.")]
    public = [age.recipient_of(secret) for secret in holder.identities]
    assert told == [("recipient.added", one) for one in public] + [("recipient.ended", one) for one in public]
    assert not any("AGE-SECRET" in str(leaf) for leaf in found)
