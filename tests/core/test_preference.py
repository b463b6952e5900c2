"""The `wait` preference as RFC 7240 writes it, and everything that only looks like it."""

import pytest

from app.core.preference import wait_seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["wait=30"], 30),
        (["Wait = 7"], 7),
        (['wait="5"'], 5),
        (["wait=61"], 60),
        (["wait=999999999"], 60),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=3, wait=9"], 3),
        (["wait=3; strict"], 3),
        (['note="a, wait=8", wait=4'], 4),
        ([], None),
        (["wait"], None),
        (["wait=0"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=soon"], None),
        (["wait=soon, wait=5"], None),
        (['wait="5'], None),
        (["waiting=5"], None),
        (["note; wait=5"], None),
        (['note="wait=5"'], None),
        (['note="a, wait=8"'], None),
        ([',;=,"\\'], None),
    ],
)
def test_only_a_readable_preference_counts(headers: list[str], seconds: int | None) -> None:
    assert wait_seconds(headers) == seconds
