"""Every page of the application and who looks at it.

A new page without a visit fails tests/web/test_accessible.py.
"""

from dataclasses import dataclass

from app.core.terms import Kind
from app.web.routes import ROUTERS
from tests.web.seeded import Seeded

H, R, I, A, L, O = Kind  # noqa: E741 - the six kinds, in the order of the design


@dataclass(frozen=True)
class Visit:
    """A page as somebody sees it. `path` is its route, `at` its address with names of the seeded service."""

    name: str
    path: str
    who: Kind | None = None
    at: str = ""
    status: int = 200

    def address(self, world: Seeded) -> str:
        """Where it is."""
        return (self.at or self.path).format(**world.names)


VISITS = (
    Visit("transparency", "/transparency"),
    Visit("stop", "/stop/{reference}"),
    Visit("stop-french", "/stop/{reference}", at="/stop/{reference}?in=fr"),
    Visit("appeal", "/appeal"),
    Visit("appeal-german", "/appeal", at="/appeal?in=de"),
    Visit("appeal-status", "/appeal/status"),
    Visit("docs", "/docs"),
    Visit("sign-in", "/console/sign-in"),
    Visit("enrol", "/console/enrol"),
    Visit("account", "/console/account", R),
    Visit("queue", "/console/queue", R),
    Visit("entry", "/console/entries/{entry}", R),
    Visit("entry-listed", "/console/entries/{entry}", H, "/console/entries/{listed}"),
    Visit("address", "/console/entries/{entry}/address", R),
    Visit("appeals", "/console/appeals", R),
    Visit("appeal-decision", "/console/appeals/{appeal}", R),
    Visit("appeal-address", "/console/appeals/{appeal}/address", R),
    Visit("pace", "/console/pace", R),
    Visit("submissions", "/console/submissions", H),
    Visit("due", "/console/due", H),
    Visit("withdrawal", "/console/due/{entry}/withdrawal", H, "/console/due/{listed}/withdrawal"),
    Visit("takedowns", "/console/takedowns", H),
    Visit("takedown", "/console/takedowns/{entry}", H, "/console/takedowns/{listed}"),
    Visit("lists", "/console/lists", I),
    Visit("brakes", "/console/brakes", O),
    Visit("brake", "/console/brakes/{list}", O, "/console/brakes/{held_list}"),
    Visit("organisations", "/console/organisations", O),
    Visit("organisation", "/console/organisations/{organisation}", O),
    Visit("people", "/console/people", O),
    Visit("invitation", "/console/people/new/{organisation}", O),
    Visit("conflicts", "/console/conflicts", O),
    Visit("published", "/console/published", O),
    Visit("policy", "/console/published/{list}", O),
    Visit("removal", "/console/removal", O),
    Visit("exports", "/console/exports", A),
    Visit("export", "/console/exports/{export}", A),
    Visit("refusal", "/console/entries/{entry}", H, "/console/entries/nothing-here", status=404),
)
NO_PAGES = frozenset(
    {
        "/console",
        "/console/exports/{export}/file",
        "/console/live",
        "/console/queue/next",
        "/transparency/{period}.jws",
    }
)
"""What answers with a redirect, a file, a part of a page or a stream."""


def pages() -> set[str]:
    """The routes that somebody can look at."""
    every = [route for router in ROUTERS for route in router.routes]
    return {route.path for route in every if "GET" in route.methods}  # type: ignore[attr-defined]
