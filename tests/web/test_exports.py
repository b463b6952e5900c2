"""An auditor in the console: asks for an export, sees how far it is, and takes it home."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from typer.testing import CliRunner

from app.cli.main import app
from app.core.note import ED25519, Signer
from app.core.terms import Kind
from tests.programs.browser import needs_chromium, signed_in, window
from tests.programs.service import Service, approve, new_entry, running
from tests.programs.webclient import signed_in_client


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(Service(tmp_path_factory.mktemp("exports") / "home")) as found:
        found.add_list()
        with found.connect(Kind.HOTLINE) as hotline, found.connect(Kind.REVIEW_BODY) as reviewer:
            approve(reviewer, hotline.request("POST", "/v1/entries", json=new_entry()).json())
        found.publish()
        yield found


@needs_chromium
def test_an_auditor_takes_an_export_home_and_it_verifies(
    service: Service, browser: Browser, tmp_path: Path
) -> None:
    with window(browser, service, accept_downloads=True) as view:
        signed_in(view, Kind.AUDITOR)
        page = view.open("/console/exports")
        page.get_by_role("button", name="Ask for an export").click()
        page.get_by_role("progressbar").wait_for()
        service.publish()
        service.exporter.round()
        with page.expect_download() as started:
            page.get_by_role("link", name="Download").click()
        file = tmp_path / started.value.suggested_filename
        started.value.save_as(file)
    key = Signer(service.settings.log_origin, ED25519, service.keyring.log).verifier
    done = CliRunner().invoke(app, ["audit", "verify", str(file), "--json", "--log-vkey", str(key)])
    assert json.loads(done.stdout)["verified"] is True
    assert file.name.endswith(".tar.zst")


def test_an_export_is_its_organisations_alone(service: Service) -> None:
    one, other = signed_in_client(service, Kind.AUDITOR), signed_in_client(service, Kind.AUDITOR)
    where = one.post("/console/exports").headers["location"]
    assert one.get(where).status_code == 200
    assert one.get(f"{where}/file").status_code == 410
    service.publish()
    service.exporter.round()
    taken = one.get(f"{where}/file").headers
    assert taken["content-type"] == "application/zstd"
    assert taken["content-disposition"] == f'attachment; filename="{where.rpartition("/")[2]}.tar.zst"'
    assert taken["cache-control"] == "no-store"
    for path in (where, f"{where}/file"):
        assert other.get(path).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"list": "nowhere"}, 422),
        ({"from": "soon"}, 422),
        ({"from": "2026-02-01", "to": "2026-01-01"}, 422),
        ({"reveal": "yes"}, 403),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(service: Service, fields: dict[str, str], status: int) -> None:
    client = signed_in_client(service, Kind.AUDITOR)
    assert client.post("/console/exports", fields).status_code == status
    assert "None was asked for yet" in client.get("/console/exports").text


def test_no_more_than_three_wait(service: Service) -> None:
    client = signed_in_client(service, Kind.AUDITOR)
    assert [client.post("/console/exports").status_code for _ in range(4)] == [303, 303, 303, 429]
