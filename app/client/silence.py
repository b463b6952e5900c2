"""How long a list is in force while the service gives no verified word: for ever, or as the provider chose.

Otherwise what is taken off the list meanwhile stays blocked here for as long as the service is silent. A list
that is dropped is installed still, as the base of the next version; no filter's file has its entries, and no
helper answers by them.
"""

from datetime import timedelta

from app.client.state import State
from app.client.store import Store

_REMEMBERED_SECONDS = 600.0
"""A word that came so shortly after the last one that was remembered is not written down."""


class Silence:
    """Of one list. `limit` None: it is never dropped."""

    def __init__(self, store: Store, name: str, limit: timedelta | None) -> None:
        self._store, self._name, self._limit = store, name, limit

    @property
    def is_dropped(self) -> bool:
        """Whether the list is out of force now."""
        return self._store.is_dropped(self._name)

    def hear(self, state: State, now: float) -> bool:
        """The service gave its word. True when `state` is another now. Raises OSError."""
        self._store.take_back(self._name)
        is_noted = state.heard_at is not None and 0 <= now - state.heard_at < _REMEMBERED_SECONDS
        if is_noted and state.unheard_since is None:
            return False
        state.heard_at, state.unheard_since = now, None
        return True

    def reckon(self, state: State, now: float) -> bool:
        """Drop the list, or take it back, as the silence asks. True when `state` is another now.

        Where nothing is remembered, or the clock was set back, it begins at this look: until the clock is
        where it was, as with a machine that starts before it knows the time. Raises OSError.
        """
        known = [one for one in (state.heard_at, state.unheard_since) if one is not None and one <= now]
        is_new = not known
        if is_new:
            state.unheard_since = now
        is_too_long = self._limit is not None and now - max(known, default=now) >= self._limit.total_seconds()
        if not is_too_long:
            self._store.take_back(self._name)
        elif not self.is_dropped and self._name in self._store.names():
            self._store.drop(self._name)
        return is_new
