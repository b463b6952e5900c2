"""What stands in the console's menu, for whom."""

from dataclasses import dataclass

from app.core.terms import Kind
from app.identity.people.sessions import Visitor
from app.identity.permissions import Scope


@dataclass(frozen=True)
class Item:
    """A line of the menu: shown to people of these kinds who hold one of these scopes."""

    title: str
    path: str
    kinds: frozenset[Kind]
    scopes: frozenset[Scope]


def _item(title: str, path: str, kinds: set[Kind], *scopes: Scope) -> Item:
    return Item(title, path, frozenset(kinds), frozenset(scopes))


_K, _S = Kind, Scope
MENU = (
    _item("Queue", "/console/queue", {_K.REVIEW_BODY}, _S.REVIEWS_WRITE),
    _item("Appeals", "/console/appeals", {_K.REVIEW_BODY}, _S.APPEALS_DECIDE),
    _item("Pace", "/console/pace", {_K.REVIEW_BODY}, _S.REVIEWS_WRITE),
    _item("Entries", "/console/submissions", {_K.HOTLINE}, _S.ENTRIES_READ),
    _item("Due", "/console/due", {_K.HOTLINE}, _S.ENTRIES_READ),
    _item("Takedowns", "/console/takedowns", {_K.HOTLINE}, _S.ENTRIES_READ),
    _item("Lists", "/console/lists", {_K.ISP}, _S.LISTS_READ),
    _item("Lists", "/console/published", {_K.OPERATOR}, _S.ADMIN),
    _item("Brakes", "/console/brakes", {_K.OPERATOR}, _S.ADMIN),
    _item("Organisations", "/console/organisations", {_K.OPERATOR}, _S.ADMIN),
    _item("People", "/console/people", {_K.OPERATOR}, _S.ADMIN),
    _item("Conflicts", "/console/conflicts", {_K.OPERATOR}, _S.ADMIN),
    _item("Removal", "/console/removal", {_K.OPERATOR}, _S.ADMIN, _S.ERASURE_WRITE),
    _item("Exports", "/console/exports", {_K.AUDITOR, _K.OPERATOR}, _S.AUDIT_READ),
)


def menu_of(visitor: Visitor | None) -> list[Item]:
    """The lines that this person sees."""
    if visitor is None:
        return []
    caller = visitor.member.caller
    return [item for item in MENU if caller.kind in item.kinds and caller.scopes & item.scopes]
