"""What a list's policy makes of its sealed files: keys by age, plain or sealed, which formats, how long."""

import hashlib
import json
from datetime import timedelta

from app.core import age
from app.core.terms import Confidentiality
from tests.lists.sealed import SealedList

MINUTES = timedelta(minutes=10)


def test_match_keys_change_by_age_and_old_ones_are_destroyed(world: SealedList, name: str) -> None:
    holder = world.holder(name)
    world.change_policy(name, match_key_days=1)
    world.list_some(1, name)
    world.publish(name)
    folder = world.service.settings.keys / "match" / name
    for version in (2, 3, 4):
        world.service.clock.ahead += timedelta(days=1)
        assert world.publish(name) == version
        told = world.newest_part(holder, name)["match_keys"]
        assert [(one["number"], one["first_version"]) for one in told] == [
            (version, version),
            (version - 1, version - 1),
        ]
        assert sorted(path.name for path in folder.iterdir()) == [f"{version - 1}.hex", f"{version}.hex"]
        kept = {path.read_text() for path in folder.iterdir()}
        assert kept == {one["key"] for one in told}
    assert world.guessed(holder, 4, name)


def test_a_plain_list_s_hashes_have_keys_that_travel_sealed(world: SealedList, name: str) -> None:
    world.change_policy(name, confidentiality=Confidentiality.PLAIN)
    stays, goes = world.holder(name), world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    assert len(world.locate(1, "jsonl", name).read_bytes().splitlines()) == 1
    world.own_parts(goes, name)
    assert world.guessed(goes, 1, name)
    world.take_off(goes, name)
    assert world.publish(name) == 2
    world.own_parts(goes, name)
    assert not world.guessed(goes, 2, name)
    world.own_parts(stays, name)
    assert world.guessed(stays, 2, name)


def test_a_change_of_confidentiality_is_a_new_version_at_once(world: SealedList, name: str) -> None:
    holder = world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    for version, kind in ((2, Confidentiality.PLAIN), (3, Confidentiality.SEALED)):
        world.change_policy(name, confidentiality=kind)
        assert (world.publish(name), world.publish(name)) == (version, version)
        path = world.locate(version, "jsonl", name)
        assert (path.suffix == age.SUFFIX) == (kind is Confidentiality.SEALED)
        body = path.read_bytes() if kind is Confidentiality.PLAIN else holder.opens(path)
        assert hashlib.sha256(body or b"").hexdigest() == world.manifest(1, name).content_sha256


def test_other_formats_and_another_garden_are_a_new_version_and_other_knobs_are_not(
    world: SealedList, name: str
) -> None:
    world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    world.change_policy(name, formats=["jsonl"])
    assert world.publish(name) == 2
    assert set(world.manifest(2, name).artefacts) == {"jsonl"}
    world.change_policy(name, walled_garden="garden.example")
    assert world.publish(name) == 3
    world.change_policy(name, retention_days=20, match_key_days=20)
    assert world.publish(name) == 3


def test_old_deltas_go_after_the_policy_s_number_of_versions(world: SealedList, name: str) -> None:
    world.holder(name)
    world.change_policy(name, delta_versions=2)
    for version in range(1, 5):
        world.list_some(1, name)
        world.service.clock.ahead += MINUTES
        assert world.publish(name) == version
    world.service.clock.ahead += 2 * MINUTES
    world.list_some(1, name)
    world.publish(name)
    with_delta = [n for n in range(1, 6) if any("delta" in file for file in world.files(n, name))]
    assert with_delta == [4, 5]


def test_erasure_takes_the_sealed_files_of_every_version_that_held_it(world: SealedList, name: str) -> None:
    holder = world.holder(name)
    world.list_some(1, name)
    world.publish(name)
    (entry,) = world.list_some(1, name)
    world.publish(name)
    world.take_off(world.holder(name), name)
    world.list_some(1, name)
    assert world.publish(name) == 3
    body = {"reason": "victim_request"}
    world.operator.request("POST", f"/v1/entries/{entry}/erasure", json=body)
    assert world.publish(name) == 4
    kept = {n: sorted(file.split(".", 1)[1] for file in world.files(n, name)) for n in range(1, 5)}
    assert kept[2] == []
    assert [kind for kind in kept[3] if kind.startswith("list.")] == []
    assert "list.jsonl.age" in kept[1]
    assert "list.jsonl.age" in kept[4]
    opened = [
        holder.opens(path) or b""
        for version in range(1, 5)
        for file, path in world.files(version, name).items()
        if file.endswith(age.SUFFIX)
    ]
    lines = [json.loads(line) for body in opened for line in body.splitlines() if line.startswith(b"{")]
    assert len(lines) > 3
    assert {one.get("op") for one in lines if one["entry"] == entry} == {"remove"}
