"""Token buckets, many of them in bounded memory: how often somebody may do something.

In memory only; each process counts for itself.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar


class Bucket:
    """Holds `burst` tokens when full, and gets one each `seconds_each`. Times are seconds since 1970."""

    __slots__ = ("at", "burst", "tokens")

    def __init__(self, burst: int, now: float) -> None:
        self.burst, self.tokens, self.at = burst, float(burst), now

    def take(self, seconds_each: float, now: float) -> bool:
        """Take a token; False when there is none."""
        self.fill(seconds_each, now)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def fill(self, seconds_each: float, now: float) -> None:
        """Let in what time has brought."""
        if now > self.at:
            tokens = self.tokens + (now - self.at) / seconds_each
            self.tokens = tokens if tokens < self.burst else float(self.burst)
        self.at = now

    def wait_seconds(self, seconds_each: float) -> float:
        """Until there is a token, as of the last look; 0 when there is."""
        return max(0.0, (1 - self.tokens) * seconds_each)


B = TypeVar("B", bound=Bucket)


class Buckets(Generic[B]):
    """By key; past `most` the one unused for longest goes, and with it what was counted. For one thread."""

    def __init__(self, make: Callable[[float], B], most: int) -> None:
        self._make, self._most = make, most
        self._held: OrderedDict[object, B] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def of(self, key: object, now: float) -> B:
        """The bucket of this key, a full one when it is new."""
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = self._make(now)
            if len(self._held) > self._most:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end(key)
        return found
