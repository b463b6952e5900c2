"""The rule of transparency reports: each month after its end, with totals that the leaves bear out."""

from app.core import tally
from app.core.replay.state import Leaf, Reported, World


def note(world: World, leaf: Leaf) -> None:
    """Count a leaf that kept its rule. Of an entry's list its submission's word is taken, not the leaf's."""
    if not world.tally.open:
        world.tally.open = tally.month(leaf["at"])
    if tally.is_counted(leaf["type"]):
        entry = leaf.get("entry")
        world.tally.count(leaf, world.entries[entry].list.name if entry else tally.APPEALS)


def published(world: World, leaf: Leaf) -> None:
    """The next month's report, once that month is over, with the totals of the leaves so far."""
    period = leaf["period"]
    if not period or period != world.tally.open:
        world.fail(f"the report of {world.tally.open or 'no month'}: each month once, in order")
    if tally.month(leaf["at"]) <= period:
        world.fail(f"a report after the end of {period}")
    if len(bytes.fromhex(leaf["sha256"])) != 32:
        world.fail("a digest of 64 hex digits")
    counted = world.tally.close()
    if leaf["counts"] != counted:
        world.fail(f"the totals of {period} as the leaves give them: {counted}")
    world.reports.append(Reported(world.size, period, leaf["sha256"]))


RULES = {"report.published": published}
