"""Every route by every kind of organisation and every scope: who gets in, who is turned away, and how.

A route without a row fails `test_every_route_has_a_row`. Pages have theirs in tests/web/test_strangers.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.client.session import Connection
from app.core.terms import Kind
from app.distribution.stix import TLP_AMBER
from app.identity.permissions import MAY_HOLD, Scope
from app.platform.problems import Problem
from app.web.edge import PageRoute
from tests.programs.service import LIST, Service, approve, new_entry, running

EVERYONE = frozenset(Kind)
LIST_READERS = frozenset(kind for kind in Kind if Scope.LISTS_READ in MAY_HOLD[kind])
H, R, I, A, L, O = Kind  # noqa: E741 - the six kinds, in the order of the design


@dataclass(frozen=True)
class Row:
    """A route's rule. `enter` get in with `scope`; `hidden` get 404, `turned` 403 though they hold it."""

    method: str
    path: str
    scope: Scope | None
    enter: frozenset[Kind] = frozenset()
    hidden: frozenset[Kind] = frozenset()
    turned: frozenset[Kind] = frozenset()
    success: frozenset[int] = frozenset({200, 304})
    body: dict[str, Any] | None = field(default=None, hash=False)
    is_public: bool = False
    also: frozenset[Scope] = frozenset()
    """Scopes that let in just as well."""


def row(method: str, path: str, scope: Scope, enter: set[Kind], **more: Any) -> Row:
    return Row(method, path, scope, frozenset(enter), **more)


def public(method: str, path: str, success: int = 200, body: dict[str, Any] | None = None) -> Row:
    return Row(method, path, None, EVERYONE, success=frozenset({success}), body=body, is_public=True)


READ_LIST = {"hidden": frozenset(), "turned": frozenset({H, R, A, L, O})}
NEW_LIST = {"name": "other", "title": "T", "scopes": ["url"], "confidentiality": "plain"}
RECEIPT = {
    "version": 1,
    "content_sha256": "0" * 64,
    "applied_at": "2026-01-02T03:04:05Z",
    "outcome": "applied",
    "signature": "a.b.c",
}
APPEAL = {"url": "https://x.example.test/", "statement": "This page is mine and harmless."}
CONTACT = {
    "kind": "provider",
    "name": "Provider",
    "channel": "mail",
    "address": "abuse@provider.example",
    "base_version": 1,
}
DECISION = {"outcome": "denied", "reason": "Nothing is wrong.", "signature": "a.b.c"}
# 409 and 422 come after the caller was let in: the rows test the door, not what is behind it.
BEHIND = frozenset({200, 201, 409, 422})
ROWS = [
    public("GET", "/healthz"),
    public("GET", "/readyz"),
    public("GET", "/metrics"),
    public("GET", "/openapi.json"),
    public("GET", "/.well-known/oauth-authorization-server"),
    public("GET", "/.well-known/jwks.json"),
    public("GET", "/tuf/metadata/{file}"),
    public("GET", "/log/checkpoint"),
    public("GET", "/log/tile/{level}/{index:path}"),
    public("GET", "/v1/log/entries/{entry}/proof"),
    public("GET", "/v1/transparency/report"),
    public("POST", "/oauth/token", 400),
    public("POST", "/v1/exchange", 403),
    public("POST", "/v1/appeals", 201, APPEAL),
    public("GET", "/v1/appeals/{appeal}", 404),
    row("GET", "/v1/appeals", Scope.APPEALS_DECIDE, {R}),
    row(
        "POST",
        "/v1/appeals/{appeal}/decision",
        Scope.APPEALS_DECIDE,
        set(),
        hidden=frozenset({R}),
        body=DECISION,
    ),
    row("POST", "/v1/entries", Scope.ENTRIES_WRITE, {H}, success=BEHIND, body=new_entry()),
    row("POST", "/v1/entries/batch", Scope.ENTRIES_WRITE, {H}, success=BEHIND, body={"entries": []}),
    row("POST", "/v1/entries/{entry}/withdrawal", Scope.ENTRIES_WRITE, set(), hidden=frozenset({H})),
    row(
        "POST",
        "/v1/entries/{entry}/erasure",
        Scope.ERASURE_WRITE,
        {O},
        success=BEHIND,
        body={"reason": "retention"},
    ),
    row("POST", "/v1/entries/{entry}/legal-hold", Scope.HOLDS_WRITE, {L}, success=BEHIND, body={}),
    row("DELETE", "/v1/entries/{entry}/legal-hold", Scope.HOLDS_WRITE, set(), hidden=frozenset({L})),
    row(
        "POST",
        "/v1/entries/{entry}/rechecks",
        Scope.ENTRIES_WRITE,
        set(),
        hidden=frozenset({H}),
        body={"outcome": "unreachable", "checked_at": "2026-01-02T03:04:05Z"},
    ),
    row("POST", "/v1/entries/emergency-delisting", Scope.ADMIN, {O}, success=BEHIND, body={}),
    row("GET", "/v1/entries/due", Scope.ENTRIES_READ, {H, R}),
    row("GET", "/v1/lists/{list}/policy", Scope.LISTS_READ, set(LIST_READERS)),
    row("PUT", "/v1/lists/{list}/policy", Scope.ADMIN, {O}, success=BEHIND, body={}),
    row("GET", "/v1/lists/{list}/keys", Scope.LISTS_READ, {I}, **READ_LIST, success=frozenset({200, 404})),
    row("GET", "/v1/lists/{list}/protected-hosts", Scope.ADMIN, {O}),
    row("PUT", "/v1/lists/{list}/protected-hosts", Scope.ADMIN, {O}, success=BEHIND, body={"hosts": [""]}),
    row("GET", "/v1/lists/{list}/brake", Scope.ADMIN, {O}),
    row("POST", "/v1/lists/{list}/brake/release", Scope.ADMIN, {O}, success=BEHIND),
    row("GET", "/v1/referrals", Scope.ENTRIES_READ, {H}, turned=frozenset({R})),
    row("GET", "/v1/conflicts", Scope.ADMIN, {O}),
    row(
        "PUT",
        "/v1/conflicts/{one}/{other}",
        Scope.ADMIN,
        {O},
        success=BEHIND,
        body={"reason": "funding"},
    ),
    row("DELETE", "/v1/conflicts/{one}/{other}", Scope.ADMIN, set(), hidden=frozenset({O})),
    row("GET", "/v1/entries", Scope.ENTRIES_READ, {H, R}),
    row("GET", "/v1/entries/{entry}", Scope.ENTRIES_READ, {R}, hidden=frozenset({H})),
    row(
        "GET",
        "/v1/entries/{entry}/statement-of-reasons",
        Scope.ENTRIES_READ,
        {R},
        hidden=frozenset({H}),
        success=BEHIND,
    ),
    row("GET", "/v1/reviews/queue", Scope.REVIEWS_WRITE, {R}),
    row("POST", "/v1/entries/{entry}/reviews", Scope.REVIEWS_WRITE, {R}, success=BEHIND, body={}),
    row("POST", "/v1/audit/exports", Scope.AUDIT_READ, {A, O}, success=BEHIND, body={"reveal": 1}),
    row("GET", "/v1/audit/exports/{export}", Scope.AUDIT_READ, set(), hidden=frozenset({A, O})),
    row("GET", "/v1/quality", Scope.AUDIT_READ, {A, O}),
    row("POST", "/v1/lists", Scope.ADMIN, {O}, success=BEHIND, body=NEW_LIST),
    row("GET", "/v1/lists", Scope.LISTS_READ, set(LIST_READERS)),
    row("GET", "/v1/lists/{list}", Scope.LISTS_READ, set(LIST_READERS)),
    row("GET", "/v1/lists/{list}/snapshots", Scope.LISTS_READ, set(LIST_READERS)),
    row("GET", "/v1/lists/{list}/snapshots/latest", Scope.LISTS_READ, set(LIST_READERS)),
    row("GET", "/v1/lists/{list}/snapshots/{version}", Scope.LISTS_READ, set(LIST_READERS)),
    row("GET", "/v1/lists/{list}/snapshots/{version}/manifest.jws", Scope.LISTS_READ, set(LIST_READERS)),
    row("GET", "/v1/lists/{list}/snapshots/{version}/{format}", Scope.LISTS_READ, {I}, **READ_LIST),
    row("POST", "/v1/lists/{list}/receipts", Scope.RECEIPTS_WRITE, {I}, success=BEHIND, body=RECEIPT),
    row("GET", "/v1/lists/{list}/access", Scope.LISTS_READ, {I}, **READ_LIST, success=frozenset({204})),
    row("GET", "/v1/lists/{list}/coverage", Scope.AUDIT_READ, {A, O}, also=frozenset({Scope.ADMIN})),
    row("GET", "/v1/webhooks", Scope.LISTS_READ, {I}, turned=frozenset({H, R, A, L, O})),
    row("POST", "/v1/webhooks", Scope.LISTS_READ, {I}, success=BEHIND, body={"url": "https://isp.example/"}),
    row("DELETE", "/v1/webhooks/{webhook}", Scope.LISTS_READ, set(), hidden=frozenset({I})),
    row("GET", "/v1/contacts", Scope.ADMIN, {O}),
    row("POST", "/v1/contacts", Scope.ADMIN, {O}, success=BEHIND, body={}),
    row("GET", "/v1/contacts/{contact}", Scope.ADMIN, set(), hidden=frozenset({O})),
    row("PUT", "/v1/contacts/{contact}", Scope.ADMIN, set(), hidden=frozenset({O}), body=CONTACT),
    row("DELETE", "/v1/contacts/{contact}", Scope.ADMIN, set(), hidden=frozenset({O})),
    row("GET", "/v1/contacts/{contact}/versions", Scope.ADMIN, set(), hidden=frozenset({O})),
    public("GET", "/takedown/{token}", 404),
    public("POST", "/takedown/{token}", 404),
    public("POST", "/v1/takedown-answers/{token}", 404, {"answer": "removed"}),
    row(
        "GET",
        "/v1/takedowns",
        Scope.ENTRIES_READ,
        {H, R, L, O},
        also=frozenset({Scope.ADMIN, Scope.HOLDS_WRITE}),
    ),
    row(
        "GET",
        "/v1/takedowns/figures",
        Scope.ENTRIES_READ,
        {H, R, A, O},
        also=frozenset({Scope.ADMIN, Scope.AUDIT_READ}),
    ),
    row(
        "GET",
        "/v1/takedowns/{entry}",
        Scope.ENTRIES_READ,
        {R, O},
        hidden=frozenset({H, L}),
        also=frozenset({Scope.ADMIN, Scope.HOLDS_WRITE}),
    ),
    row(
        "POST",
        "/v1/takedowns/{entry}/events",
        Scope.ENTRIES_WRITE,
        set(),
        hidden=frozenset({H}),
        body={"event": "notified"},
    ),
    row("POST", "/v1/takedowns/{entry}/hold", Scope.HOLDS_WRITE, {L}, success=BEHIND, body={}),
    row("DELETE", "/v1/takedowns/{entry}/hold", Scope.HOLDS_WRITE, set(), hidden=frozenset({L})),
    *(
        row("GET", f"/taxii2/{below}", Scope.INDICATORS_READ, {L})
        for below in (
            "",
            "lists/",
            "lists/collections/",
            "lists/collections/{collection}/",
            "lists/collections/{collection}/objects/",
            "lists/collections/{collection}/objects/{object}/",
            "lists/collections/{collection}/objects/{object}/versions/",
            "lists/collections/{collection}/manifest/",
        )
    ),
    row("GET", "/v1/lists/{list}/deltas/{version}", Scope.LISTS_READ, {I}, **READ_LIST),
    row("GET", "/tuf/targets/{path:path}", Scope.LISTS_READ, {I}, **READ_LIST),
]
PROTECTED = [one for one in ROWS if not one.is_public]
NAMES = [f"{one.method} {one.path}" for one in ROWS]


class World:
    """A service with a published list, and a client of every kind with every scope, or only one."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.add_list()
        self.organisations = {kind: service.organisation(kind) for kind in Kind}
        self.stranger = service.organisation(Kind.ISP)
        service.subscribe(self.organisations[Kind.ISP])
        service.let_read(self.organisations[Kind.LAW_ENFORCEMENT])
        with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
            listed = hotline.request("POST", "/v1/entries", json=new_entry("https://x.example.test/")).json()
            approve(reviewer, listed)
            waiting = new_entry("https://y.example.test/")
            self.entry = hotline.request("POST", "/v1/entries", json=waiting).json()["id"]
        service.publish()
        target = next((service.settings.public / "targets").rglob("*.list.jsonl"))
        self.target = str(target.relative_to(service.settings.public / "targets"))
        bundle = next((service.settings.log / "tile" / "entries").rglob("*.p/*"))
        self.bundle = str(bundle.relative_to(service.settings.log / "tile" / "entries"))
        self._tokens: dict[tuple[str, frozenset[Scope]], str] = {}

    def token(self, organisation: str, scopes: frozenset[Scope]) -> str:
        if (organisation, scopes) not in self._tokens:
            with Connection(self.service.credentials(organisation, set(scopes))) as connection:
                self._tokens[organisation, scopes] = connection.token()
        return self._tokens[organisation, scopes]

    def call(self, one: Row, token: str | None) -> httpx.Response:
        path = one.path.replace("{entry}", self.entry).replace("{list}", LIST).replace("{version}", "1")
        path = path.replace("{format}", "jsonl").replace("{path:path}", self.target)
        path = path.replace("{collection}", LIST).replace("{object}", str(TLP_AMBER["id"]))
        path = path.replace("{file}", "timestamp.json").replace("{level}", "entries")
        path = path.replace("{index:path}", self.bundle)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.request(one.method, self.service.address + path, headers=headers, json=one.body)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(tmp_path_factory.mktemp("routes") / "home")) as up:
        yield World(up)


def test_every_route_has_a_row(world: World) -> None:
    found = set()
    routes = list(world.service.app.router.routes)
    while routes:
        route = routes.pop()
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if inner is not None and hasattr(inner, "routes") and not hasattr(route, "methods"):
            routes += inner.routes
        elif getattr(route, "methods", None) and not isinstance(route, PageRoute):
            found |= {f"{method} {route.path}" for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
    assert found == set(NAMES)
    assert len(NAMES) == len(set(NAMES))
    documented = world.service.app.openapi()["paths"]
    for name in NAMES:
        method, path = name.split(" ", 1)
        if path != "/openapi.json":
            assert method.lower() in documented[path.replace(":path", "")], name


@pytest.mark.parametrize("one", ROWS, ids=NAMES)
def test_without_a_token(world: World, one: Row) -> None:
    answer = world.call(one, None)
    if one.is_public:
        assert answer.status_code in one.success
        return
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "urn:wardlist:problem:unauthenticated"
    assert world.call(one, "nonsense").status_code == 401


@pytest.mark.parametrize("one", PROTECTED, ids=lambda one: f"{one.method} {one.path}")
@pytest.mark.parametrize("kind", Kind)
def test_with_every_scope_its_kind_may_hold(world: World, one: Row, kind: Kind) -> None:
    answer = world.call(one, world.token(world.organisations[kind], MAY_HOLD[kind]))
    if kind in one.enter:
        assert answer.status_code in one.success
    elif kind in one.hidden:
        assert answer.status_code == 404
    else:
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("one", PROTECTED, ids=lambda one: f"{one.method} {one.path}")
@pytest.mark.parametrize(
    ("kind", "scope"), [(kind, scope) for kind in Kind for scope in sorted(MAY_HOLD[kind])]
)
def test_with_a_single_scope(world: World, one: Row, kind: Kind, scope: Scope) -> None:
    answer = world.call(one, world.token(world.organisations[kind], frozenset({scope})))
    if scope not in {one.scope, *one.also}:
        assert answer.status_code == 403
    elif kind in one.enter:
        assert answer.status_code in one.success
    else:
        assert answer.status_code == (404 if kind in one.hidden else 403)


@pytest.mark.parametrize("kind", Kind)
def test_no_client_can_hold_a_scope_beyond_its_kind(world: World, kind: Kind) -> None:
    for scope in set(Scope) - MAY_HOLD[kind]:
        with pytest.raises(Problem) as refused:
            world.service.credentials(world.organisations[kind], {scope})
        assert refused.value.errors[0]["field"] == "scope"


@pytest.mark.parametrize(
    "one",
    [
        one
        for one in PROTECTED
        if one.scope in MAY_HOLD[Kind.ISP] and ("{list}" in one.path or "path}" in one.path)
    ],
    ids=lambda one: f"{one.method} {one.path}",
)
def test_a_provider_without_subscription_does_not_learn_of_the_list(world: World, one: Row) -> None:
    answer = world.call(one, world.token(world.stranger, MAY_HOLD[Kind.ISP]))
    assert answer.status_code == 404


def test_a_provider_without_subscription_sees_no_list(world: World) -> None:
    token = world.token(world.stranger, MAY_HOLD[Kind.ISP])
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{world.service.address}/v1/lists", headers=headers).json() == {"lists": []}


@pytest.mark.parametrize(
    "path",
    [
        "/tuf/targets/lists/national-url/../../../keys/token.jwk.json",
        "/tuf/targets/lists/national-url/%2e%2e/%2e%2e/x",
        "/tuf/targets/lists/national-url/.writing-1",
        "/tuf/targets/wardlist.db",
        "/tuf/metadata/..%2f..%2fkeys%2ftoken.jwk.json",
        "/tuf/metadata/root.pem",
        "/nowhere",
    ],
)
def test_nothing_outside_the_repository_is_served(world: World, path: str) -> None:
    headers = {"Authorization": f"Bearer {world.token(world.organisations[Kind.ISP], MAY_HOLD[Kind.ISP])}"}
    answer = httpx.get(world.service.address + path, headers=headers)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_docs_ask_no_other_host(world: World) -> None:
    page = httpx.get(world.service.address + "/docs").text
    assets = re.findall(r'(?:src|<link [^>]*href)="([^"]+)"', page)
    assert len(assets) >= 2
    for asset in assets:
        assert asset.startswith("/static/")
        assert httpx.get(world.service.address + asset).status_code == 200


def test_a_wrong_method_is_a_problem(world: World) -> None:
    answer = httpx.put(world.service.address + "/v1/entries")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
