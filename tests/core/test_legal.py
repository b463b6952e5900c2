"""The closed codes and their treaty counterparts."""

from app.core.legal import GROUNDS, MATERIALS, Ground, Material, reserved_by


def test_codes_are_the_conventions_letters() -> None:
    assert [ground.value for ground in Ground] == [f"lanzarote-20-1-{letter}" for letter in "abcdef"]
    assert [m.value.removeprefix("lanzarote-20-2-") for m in Material] == [
        "conduct-real",
        "conduct-simulated",
        "organs",
    ]


def test_every_code_has_its_text_and_budapest_article() -> None:
    assert set(GROUNDS) == set(Ground)
    assert set(MATERIALS) == set(Material)
    assert [GROUNDS[ground].budapest for ground in Ground] == [
        "budapest-9-1-a",
        "budapest-9-1-b",
        "budapest-9-1-c",
        "budapest-9-1-d",
        "budapest-9-1-e",
        None,
    ]


def test_reservations_are_read_from_recorded_declarations() -> None:
    declared = {"AA": frozenset({"lanzarote-20-1-f"}), "ZZ": frozenset({"lanzarote-20-1-e"})}
    assert reserved_by(Ground.ACCESSING, declared) == {"AA"}
    assert reserved_by(Ground.OFFERING, declared) == frozenset()
    assert reserved_by(Ground.ACCESSING) == frozenset()
