"""Schemathesis over the OpenAPI document: no 5xx, and no answer that is not documented."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.core.terms import Kind
from app.distribution.stix import TLP_AMBER
from tests.openapi_file import FILE, described
from tests.programs.service import LIST, Service, approve, new_entry, running
from tests.test_routes import NAMES

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

DOCUMENTED = [name for name in NAMES if name not in ("GET /docs", "GET /openapi.json")]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("openapi") / "home")) as up:
        up.add_list()
        with up.connect(Kind.HOTLINE) as hotline, up.connect(Kind.REVIEW_BODY) as reviewer:
            approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
            hotline.request("POST", "/v1/entries", json=new_entry("https://b.example.test/"))
        up.publish()
        yield up


@pytest.fixture(scope="module")
def tokens(published: Service) -> dict[str, str]:
    isp = published.organisation(Kind.ISP)
    published.subscribe(isp)
    found = {}
    for kind in Kind:
        organisation = isp if kind is Kind.ISP else published.organisation(kind)
        if kind is Kind.LAW_ENFORCEMENT:
            published.let_read(organisation)
        with published.connect(kind, organisation) as connection:
            found[kind.value] = connection.token()
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", DOCUMENTED)
def test_no_undocumented_answer(published: Service, tokens: dict[str, str], name: str) -> None:
    method, path = name.split(" ", 1)
    schema = schemathesis.openapi.from_url(f"{published.address}/openapi.json")
    operation = schema[path.replace(":path", "")][method]

    real = {
        "list": LIST,
        "version": 1,
        "format": "jsonl",
        "entry": _entry(published),
        "file": "timestamp.json",
        "collection": LIST,
        "object": TLP_AMBER["id"],
    }

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(), kind=st.sampled_from(sorted(tokens)), is_real=st.booleans())
    def conforms(case: schemathesis.Case[Any], kind: str, is_real: bool) -> None:
        if is_real:
            case.path_parameters |= {name: real[name] for name in case.path_parameters if name in real}
        response = case.call(headers={"Authorization": f"Bearer {tokens[kind]}"})
        case.validate_response(response, checks=CHECKS)

    conforms()


def test_the_file_of_the_documents_is_what_the_service_says(published: Service) -> None:
    """`make openapi` writes it anew."""
    assert FILE.read_text() == described(published)


def _entry(service: Service) -> str:
    with service.connect(Kind.REVIEW_BODY) as reviewer:
        found: list[dict[str, str]] = reviewer.request("GET", "/v1/entries").json()["entries"]
    return found[0]["id"]
