"""A zero byte in any text of a body: PostgreSQL takes none, so it must be refused before it is asked."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.core.terms import Kind
from tests.programs.service import LIST, Service, new_entry, running, signed_review

NUL = "a\x00b"
SENT: dict[str, tuple[Kind, str, str, dict[str, Any]]] = {
    "list of an entry": (Kind.HOTLINE, "POST", "/v1/entries", new_entry(list=NUL)),
    "address of an entry": (Kind.HOTLINE, "POST", "/v1/entries", new_entry(f"https://{NUL}.example.test/")),
    "reference of an entry": (Kind.HOTLINE, "POST", "/v1/entries", new_entry(hotline_reference=NUL)),
    "list in a batch": (Kind.HOTLINE, "POST", "/v1/entries/batch", {"entries": [new_entry(list=NUL)]}),
    "entry of an emergency": (Kind.OPERATOR, "POST", "/v1/entries/emergency-delisting", {"entries": [NUL]}),
    "batch of an emergency": (Kind.OPERATOR, "POST", "/v1/entries/emergency-delisting", {"batch": NUL}),
    "list of an export": (Kind.AUDITOR, "POST", "/v1/audit/exports", {"list": NUL}),
    "address of a webhook": (Kind.ISP, "POST", "/v1/webhooks", {"url": f"https://hook.example/{NUL}"}),
    "address of an appeal": (
        Kind.HOTLINE,
        "POST",
        "/v1/appeals",
        {"url": NUL, "statement": "This page is mine and carries no such material."},
    ),
    "list of an appeal": (
        Kind.HOTLINE,
        "POST",
        "/v1/appeals",
        {"url": "https://a.example.test/", "list": NUL, "statement": "This page carries no such material."},
    ),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("zero") / "home")) as up:
        up.add_list()
        yield up


@pytest.mark.parametrize("name", SENT)
def test_it_is_a_fault_of_the_sender(service: Service, name: str) -> None:
    kind, method, path, body = SENT[name]
    with service.connect(kind) as sender:
        sender.token()
        before = service.state()
        answer = sender.send(method, path, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.state() == before


@pytest.mark.parametrize("field", ["reason", "signature"])
def test_in_a_decision_too(service: Service, field: str) -> None:
    with service.connect(Kind.HOTLINE) as hotline, service.connect(Kind.REVIEW_BODY) as reviewer:
        address = f"https://{field}.example.test/"
        entry = hotline.request("POST", "/v1/entries", json=new_entry(address, list=LIST)).json()
        sent = signed_review(entry, reviewer.credentials.private_jwk, sent={field: NUL})
        assert reviewer.send("POST", f"/v1/entries/{entry['id']}/reviews", json=sent).status_code == 422
