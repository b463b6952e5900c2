"""Every route by every kind of caller, as docs/authorisation.md declares it."""

import re
from collections.abc import Iterator

import pytest

from app.core.terms import Kind
from app.identity.permissions import MAY_HOLD, Scope
from app.platform.context import Platform
from app.web.edge import PageRoute
from tests.attacks import authorisation
from tests.attacks.authorisation import Open, Part, Route, Row
from tests.attacks.matrix import World
from tests.programs.service import Service

API, PUBLIC = authorisation.api(), authorisation.public()
LET_IN = frozenset({200, 201, 202, 204, 304, 409, 422})
"""409 and 422 come after the caller was let in: the rows test the door, not what is behind it."""
_PASSING = re.compile(r"^(date|x-request-id|ratelimit.*)$")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(Service(tmp_path_factory.mktemp("matrix") / "home"))
    yield made
    made.close()
    made.service.database.close()


def expected(row: Row, kind: Kind, scopes: frozenset[Scope], *, is_own: bool) -> frozenset[int]:
    part = row.part(kind, scopes)
    if part is Part.ALL or (part in (Part.OWN, Part.HOLDER) and is_own):
        return LET_IN
    return frozenset({404 if part is Part.OWN else 403})


def names(world: World, kind: Kind) -> dict[str, str]:
    """What is this kind's own."""
    return world.names | ({"export": world.exports[kind]} if kind in world.exports else {})


def subsets(kind: Kind) -> set[frozenset[Scope]]:
    """Every scope the kind may hold, each alone, and all but each."""
    held = MAY_HOLD[kind]
    return {held, *(frozenset({one}) for one in held), *(held - {one} for one in held if len(held) > 1)}


def test_every_route_has_a_row_and_every_row_a_route(world: World) -> None:
    found, routes = set(), list(world.service.app.router.routes)
    while routes:
        route = routes.pop()
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if inner is not None and hasattr(inner, "routes") and not hasattr(route, "methods"):
            routes += inner.routes
        elif getattr(route, "methods", None) and not isinstance(route, PageRoute):
            found |= {f"{method} {route.path}" for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
    rows: list[Route] = [*API, *PUBLIC]
    declared = [row.name for row in rows]
    assert found == set(declared)
    assert len(declared) == len(set(declared))


def test_no_row_names_a_kind_that_may_hold_none_of_its_scopes() -> None:
    for row in API:
        may = {kind for kind in Kind if MAY_HOLD[kind] & row.scopes}
        assert {kind for kind, _ in row.parts} == may, row.name


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: row.name)
def test_what_is_open_answers_whoever_brings_nothing(world: World, row: Open) -> None:
    assert world.call(row, None).status_code == row.status


def test_nobody_comes_in_without_a_token_in_force(world: World) -> None:
    bad = {kind: world.bad_tokens(kind) for kind in Kind}
    for number, row in enumerate(API):
        # Each row from an address of its own: one that sends too much that does not verify gets 429.
        world.inside.address = f"2001:db8:0:{number:x}::1"
        silent = world.call(row, None)
        assert silent.status_code == 401, row.name
        assert silent.headers["www-authenticate"].startswith("Bearer"), row.name
        kind = row.parts[0][0]
        for what, token in bad[kind].items():
            answer = world.call(row, token)
            assert answer.status_code == 401, f"{row.name} {what}"
            assert answer.json()["type"] == "urn:wardlist:problem:unauthenticated", f"{row.name} {what}"


@pytest.mark.parametrize("kind", Kind)
def test_each_caller_gets_what_its_row_says(world: World, kind: Kind) -> None:
    wrong = []
    callers = [(True, scopes) for scopes in sorted(subsets(kind), key=sorted)] + [(False, MAY_HOLD[kind])]
    for is_own, scopes in callers:
        token = world.token((world.own if is_own else world.other)[kind], scopes)
        for row in API:
            answer = world.call(row, token, names(world, kind))
            if answer.status_code not in expected(row, kind, scopes, is_own=is_own):
                who = f"{'own' if is_own else 'other'} {kind} {' '.join(sorted(scopes))}"
                wrong.append(f"{row.name} {who}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


@pytest.mark.parametrize("kind", Kind)
def test_a_refusal_does_not_tell_what_is_there(world: World, kind: Kind) -> None:
    """Who is refused learns nothing from the answer: it is that to a name of nothing, byte for byte."""
    token = world.token(world.other[kind], MAY_HOLD[kind])
    lists = next(row for row in API if row.name == "GET /v1/lists/{list}")
    knows_lists = lists.part(kind, MAY_HOLD[kind]) is Part.ALL
    for row in (row for row in API if "{" in row.path):
        if knows_lists and ("{list}" in row.path or "{path:path}" in row.path):
            continue
        there = world.call(row, token, names(world, kind))
        if there.status_code not in (403, 404) or row.part(kind, MAY_HOLD[kind]) is Part.HOLDER:
            continue
        nothing = world.call(row, token, world.nothing)
        assert there.status_code == nothing.status_code, row.name
        assert there.content == nothing.content, row.name
        assert kept(there.headers.multi_items()) == kept(nothing.headers.multi_items()), row.name


def kept(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if not _PASSING.match(name)]


def test_calls_leave_the_world_as_it_was(world: World) -> None:
    """Without this, one caller's success could be the reason for the next one's refusal."""
    before = world.service.state()
    token = world.token(world.own[Kind.HOTLINE], MAY_HOLD[Kind.HOTLINE])
    row = next(row for row in API if row.name == "POST /v1/entries/{entry}/withdrawal")
    assert world.call(row, token).status_code == 200
    assert world.service.state() == before
    platform: Platform = world.service.app.state.platform
    assert platform.database is world.service.database
