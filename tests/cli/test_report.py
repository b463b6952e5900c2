"""`wardlist audit report`: anybody reads it, and can see that it was signed and logged."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from sqlmodel import col

from app.audit.report import document
from app.audit.report.models import Report
from app.core.terms import Kind
from tests.audit.report.months import begun, go_to, two_months
from tests.cli.terminal import Terminal
from tests.programs.service import LIST


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal beside a service with two closed months."""
    folder = tmp_path_factory.mktemp("told")
    before = structlog.get_config()
    with (folder / "service.log").open("w") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        with begun(folder / "home") as service:
            two_months(service)
            yield Terminal(service, folder)
        structlog.configure(**before)


def test_a_table_for_people(told: Terminal) -> None:
    rows = told.rows("audit", "report", told.service.address)
    assert rows[1][:7] == ["2026-03", "closed", "9", "7", "1", "7", "2"]
    assert rows[1][9:11] == ["3600", "s"]
    assert [row[:3] for row in rows[2:4]] == [["2026-04", "closed", "1"], ["2026-05", "open", "0"]]


def test_signature_and_leaf_are_checked(told: Terminal) -> None:
    out, _ = told.run("audit", "report", told.service.address, "--verify")
    assert out == "2 months closed, signed and logged\n"
    found = told.json("audit", "report", told.service.address, "--verify", "--from", "2026-04")
    assert (found["verified"], [one["period"] for one in found["reports"]]) == (True, ["2026-04"])


def test_every_number_on_a_line(told: Terminal) -> None:
    out, _ = told.run("audit", "report", told.service.address, "--csv", "--verify")
    assert f"2026-03,closed,{LIST},submitted,,,9" in out.splitlines()


def test_a_wrong_date_is_said_by_its_option(told: Terminal) -> None:
    _, said = told.run("audit", "report", told.service.address, "--from", "never", code=1)
    assert "--from: write 2026-10" in said
    _, said = told.run("audit", "report", "http://127.0.0.1:9", code=1)
    assert "does not answer" in said


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (
            lambda own, _: {"document": own.document.replace(b'"rejected":1', b'"rejected":0')},
            "another document",
        ),
        (lambda own, _: {"sha256": own.sha256.replace(own.sha256[:4], "beef")}, "another document"),
        (lambda _, other: {"jws": other.jws}, "another document"),
        (lambda own, _: {"jws": own.jws.replace(own.jws[-8:-4], "AAAA")}, "not by a key"),
        (lambda own, _: {"leaf_id": own.leaf_id - 1}, "names another report"),
    ],
    ids=["document", "digest", "signature of another", "signature", "leaf"],
)
def test_a_report_that_was_changed_since_is_not_believed(
    told: Terminal, change: Callable[[Report, Report], dict[str, Any]], word: str
) -> None:
    database = told.service.database
    with database.reading() as session:
        own, other = (session.get_one(Report, period) for period in ("2026-03", "2026-04"))
    changed = change(own, other)
    honest = {name: getattr(own, name) for name in changed}
    assert changed != honest
    write = sa.update(Report).where(col(Report.period) == own.period)
    with database.writing() as session:
        session.execute(write.values(**changed))
    found = told.json("audit", "report", told.service.address, "--verify", code=1)
    assert found["verified"] is False
    assert word in found["error"]
    with database.writing() as session:
        session.execute(write.values(**honest))


def test_a_month_that_was_closed_before_a_figure_was_counted_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = document.make

    def before(*given: Any) -> SimpleNamespace:
        told = made(*given).model_dump(mode="json")
        del told["appeals"]["lapsed"]
        return SimpleNamespace(model_dump=lambda mode: told)

    with begun(tmp_path / "home") as service:
        with monkeypatch.context() as patch:
            patch.setattr(document, "make", before)
            go_to(service, 4, 2)
        service.publish()
        Terminal(service, tmp_path).run("audit", "report", service.address, "--verify")


def test_an_export_holds_every_report_and_verifies(told: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "export.tar.zst"
    service = told.service
    with service.connect(Kind.AUDITOR) as auditor:
        made = auditor.request("POST", "/v1/audit/exports", json={}).json()
        service.publish()
        service.exporter.round()
        file.write_bytes(auditor.request("GET", f"/v1/audit/exports/{made['id']}").content)
    out, _ = told.run("audit", "verify", str(file), "--json")
    assert json.loads(out)["reports"] == 2
