"""Every state by every event, written out by hand and compared with the machine."""

import itertools

import pytest

from app.core.lifecycle import Event, NotAllowed, Status, Takedown, TakedownEvent, after, takedown_after

ENTRY = """
submitted  approve->approved reject->rejected withdraw->withdrawn
approved   list->listed withdraw->withdrawn delist->delisted reopen->submitted
rejected   erase->erased
withdrawn  erase->erased
listed     delist->delisted take_back->approved
delisted   erase->erased reinstate->approved
erased
"""
TAKEDOWN = """
not_started  notify->notified lose_contact->unreachable remove->removed
notified     acknowledge->acknowledged remove->removed refuse->refused lose_contact->unreachable
acknowledged remove->removed refuse->refused lose_contact->unreachable
removed      reopen->notified
refused      notify->notified acknowledge->acknowledged remove->removed lose_contact->unreachable
unreachable  notify->notified acknowledge->acknowledged refuse->refused remove->removed
"""


def table(text: str) -> dict[tuple[str, str], str]:
    found = {}
    for line in text.strip().splitlines():
        state, *moves = line.split()
        for move in moves:
            event, target = move.split("->")
            found[state, event] = target
    return found


@pytest.mark.parametrize(("state", "event"), list(itertools.product(Status, Event)))
def test_entry_machine_is_exactly_the_table(state: Status, event: Event) -> None:
    expected = table(ENTRY).get((state.value, event.value))
    if expected:
        assert after(state, event).value == expected
        return
    with pytest.raises(NotAllowed) as refused:
        after(state, event)
    assert (refused.value.state, refused.value.event) == (state, event)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(Takedown, TakedownEvent)))
def test_takedown_machine_is_exactly_the_table(state: Takedown, event: TakedownEvent) -> None:
    expected = table(TAKEDOWN).get((state.value, event.value))
    if expected:
        assert takedown_after(state, event).value == expected
        return
    with pytest.raises(NotAllowed):
        takedown_after(state, event)
