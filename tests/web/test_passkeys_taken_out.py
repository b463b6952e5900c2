"""Passkeys that are taken out of use end with all that they began; an answer signs in once, however late."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select
from typer.testing import CliRunner

from app.cli.main import app
from app.core.terms import Kind
from app.identity.people import models
from app.identity.people import service as people
from tests.programs.beside import beside
from tests.programs.service import Service
from tests.programs.webclient import Passkey, WebClient, signed_in_client

_QUEUED_SECONDS = 0.5


def newest_kid(service: Service) -> str:
    """Of the passkey that was enrolled last."""
    with service.database.reading() as session:
        found = session.exec(select(models.Passkey)).all()
    return max(found, key=lambda one: one.created_at).kid


def invitation(client: WebClient) -> str:
    """The token of an invitation for one more passkey of the client's own."""
    return client.signed_post("/console/account/passkeys").headers["location"].partition("#")[2]


@pytest.mark.parametrize("by", ["its owner", "an operator"])
def test_a_passkey_that_is_taken_out_takes_its_invitations_with_it(service: Service, by: str) -> None:
    """Whoever held it could have begun one more enrolment, and come back."""
    own = signed_in_client(service, Kind.OPERATOR)
    thief = WebClient(service)
    service.clock.ahead += timedelta(seconds=1)
    assert thief.enrol(invitation(own)).status_code == 200
    assert thief.sign_in().status_code == 303
    left, stolen = invitation(thief), newest_kid(service)
    if by == "its owner":
        assert own.signed_post(f"/console/account/passkeys/{stolen}/removal").status_code == 303
    else:
        revoked = CliRunner().invoke(app, ["client", "revoke-key", stolen], env=service.environment)
        assert revoked.exit_code == 0
    assert thief.get("/console/account").status_code in (303, 401)
    assert WebClient(service).enrol(left).status_code == 404


@pytest.mark.parametrize("by", ["its owner", "an operator", "who has it leaves", "its client ends"])
def test_what_a_stolen_passkey_invited_others_to_ends_with_it(service: Service, by: str) -> None:
    """An operator invites anybody; whoever stole the passkey could keep such a link for later."""
    own, reviewer = signed_in_client(service, Kind.OPERATOR), signed_in_client(service, Kind.REVIEW_BODY)
    assert own.invited is not None
    assert reviewer.invited is not None
    thief = WebClient(service)
    service.clock.ahead += timedelta(seconds=1)
    assert thief.enrol(invitation(own)).status_code == 200
    assert thief.sign_in().status_code == 303
    stolen = newest_kid(service)
    again = thief.signed_post(f"/console/people/{reviewer.invited.person}/again").text
    (left,) = re.findall(r"enrol#([A-Za-z0-9_-]+)", again)
    if by == "its owner":
        assert own.signed_post(f"/console/account/passkeys/{stolen}/removal").status_code == 303
    else:
        with service.database.reading() as session:
            client = people.member(session, own.invited.person).caller.client_id
        words = {
            "an operator": ["client", "revoke-key", stolen],
            "who has it leaves": ["person", "end", own.invited.person],
            "its client ends": ["client", "revoke", client],
        }[by]
        assert CliRunner().invoke(app, words, env=service.environment).exit_code == 0
    assert WebClient(service).enrol(left).status_code == 404


def test_an_answer_signs_in_once_though_it_waited_for_its_turn(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A synced passkey counts nothing, so that only the row says that it was answered."""
    honest = Passkey.asserted

    def synced(self: Passkey, options: dict[str, Any], **said: Any) -> str:
        self.count = -1
        return honest(self, options, **said)

    monkeypatch.setattr(Passkey, "asserted", synced)
    own, somebody = signed_in_client(service, Kind.OPERATOR), signed_in_client(service, Kind.HOTLINE)
    own.cookies.clear()
    somebody.cookies.clear()
    fields = own.signed_fields(own.options("/console/sign-in"))
    kept = dict(own.cookies)
    assert own.post("/console/sign-in", fields).status_code == 303
    own.cookies = dict(kept)
    with beside(service) as other, ThreadPoolExecutor(2) as pool:
        somebody._http = httpx.Client(base_url=f"http://127.0.0.1:{other._port}", timeout=30)
        service.clock.ahead += timedelta(minutes=4, seconds=50)
        with service.database.writing():
            again = pool.submit(lambda: own.post("/console/sign-in", fields))
            time.sleep(_QUEUED_SECONDS)
            service.clock.ahead += timedelta(seconds=30)
            elsewhere = pool.submit(somebody.sign_in)
            time.sleep(_QUEUED_SECONDS)
        assert elsewhere.result().status_code == 303
        assert again.result().status_code == 422
