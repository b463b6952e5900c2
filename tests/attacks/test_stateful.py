"""Schemathesis in stateful mode: chains of calls in which one answer's ids are the next one's parameters.

Links are those that Schemathesis infers from the OpenAPI document, and those of MADE. Each operation is
called as a kind of organisation that docs/authorisation.md lets in. No answer may be a failure, or other than
documented.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any
from unittest import mock

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation.stateful.state_machine import APIStateMachine
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.core.terms import Kind
from tests.attacks import authorisation
from tests.attacks.authorisation import Part
from tests.attacks.matrix import BODIES
from tests.programs.service import LIST, Service, approve, new_entry, running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SEEDS, LEAST_FOLLOWED = 12, 10
SETTINGS = settings(
    max_examples=6,
    stateful_step_count=8,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
MADE = {
    "POST /v1/entries": ("201", "entry", "/id"),
    "POST /v1/lists": ("201", "list", "/name"),
    "POST /v1/contacts": ("201", "contact", "/id"),
    "POST /v1/webhooks": ("201", "webhook", "/id"),
    "POST /v1/audit/exports": ("202", "export", "/id"),
    "POST /v1/appeals": ("201", "appeal", "/reference"),
}
"""What makes something, the parameter that names it elsewhere, and where the answer has that."""
UNIQUE: dict[str, Callable[[int], dict[str, str]]] = {
    "POST /v1/entries": lambda number: {"url": f"https://{number}.example.test/"},
    "POST /v1/lists": lambda number: {"name": f"list-{number}"},
}
"""What makes a body one that was not sent before."""
CALLED = {row.name: row for row in authorisation.api()}
_LET_IN = (Part.ALL, Part.OWN, Part.HOLDER)


class World:
    """A service with a published list, tokens of every kind, and what was called of it."""

    def __init__(self, service: Service) -> None:
        self.service, self.number, self.turn = service, itertools.count(), itertools.count()
        service.add_list()
        organisations = {kind: service.organisation(kind) for kind in Kind}
        service.subscribe(organisations[Kind.ISP])
        service.let_read(organisations[Kind.LAW_ENFORCEMENT])
        self.tokens: dict[Kind, str] = {}
        for kind, organisation in organisations.items():
            with service.connect(kind, organisation) as connection:
                self.tokens[kind] = connection.token()
        with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
            approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
        service.publish()
        self.statuses: dict[str, list[int]] = {}
        self.wrong: list[str] = []

    def machine(self) -> type[APIStateMachine]:
        """The state machine over this service."""
        world = self
        schema = schemathesis.openapi.from_dict(linked(self.service.app.openapi()))

        with mock.patch("schemathesis.specs.openapi.stateful.is_likely_root_transition", _begins_a_chain):
            base = schema.as_state_machine()

        class Machine(base):  # type: ignore[misc,valid-type]
            """Calls with tokens, and with bodies that hold, every other time."""

            def before_call(self, case: schemathesis.Case[Any]) -> None:
                world.prepare(case)

            def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
                return {"headers": world.headers(case), "base_url": world.service.address}

            def validate_response(
                self, response: Response, case: schemathesis.Case[Any], *_: Any, **__: Any
            ) -> None:
                world.statuses.setdefault(_name(case), []).append(response.status_code)
                try:
                    case.validate_response(response, checks=CHECKS)
                except FailureGroup as failed:
                    world.wrong += [f"{_name(case)}: {one}" for one in failed.exceptions]

        return Machine

    def prepare(self, case: schemathesis.Case[Any]) -> None:
        """Name the list that there is; every other body is one that holds."""
        number = next(self.number)
        for name in [name for name in case.headers if name.lower() == "authorization"]:
            del case.headers[name]
        if "list" in case.path_parameters and number % 3:
            case.path_parameters["list"] = LIST
        body = BODIES.get(_name(case))
        if body is not None and number % 2:
            case.body = body | (UNIQUE[_name(case)](number) if _name(case) in UNIQUE else {})

    def headers(self, case: schemathesis.Case[Any]) -> dict[str, str]:
        """The token of a kind that may call it, in turn where there are several."""
        row = CALLED.get(_name(case))
        kinds = [kind for kind, part in row.parts if part in _LET_IN] if row else []
        return (
            {"Authorization": f"Bearer {self.tokens[kinds[next(self.turn) % len(kinds)]]}"} if kinds else {}
        )


def linked(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with a link from each answer that makes something to each address of it."""
    document = deepcopy(document)
    operations = [
        (path, operation) for path, methods in document["paths"].items() for operation in methods.values()
    ]
    for name, (status, parameter, where) in MADE.items():
        method, path = name.split()
        document["paths"][path][method.lower()]["responses"][status]["links"] = {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {parameter: f"$response.body#{where}"},
            }
            for place, operation in operations
            if f"{{{parameter}}}" in place
        }
    return document


def _begins_a_chain(operation: Any, *_: object) -> bool:
    return operation.label in MADE or operation.label in ("GET /v1/lists", "GET /v1/takedowns")


def _name(case: schemathesis.Case[Any]) -> str:
    return f"{case.method} {case.path}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(Service(tmp_path_factory.mktemp("stateful") / "home")) as up:
        yield World(up)


def test_chains_of_calls_are_answered_as_documented(world: World) -> None:
    machine = world.machine()
    for number in range(SEEDS):
        # What a chain finds depends on those before it, which Hypothesis calls flaky. What is wrong with an
        # answer was noted when it came.
        with suppress(Flaky):
            seed(number)(machine).run(settings=SETTINGS)
    assert world.wrong == []
    for name, (status, *_) in MADE.items():
        assert int(status) in world.statuses.get(name, []), f"{name} made nothing"
    followed = {name for name, statuses in world.statuses.items() if "{" in name and min(statuses) < 300}
    assert len(followed) >= LEAST_FOLLOWED, followed
