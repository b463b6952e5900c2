"""A publisher that leads and gets nothing done says so where it is asked whether it is ready."""

from dataclasses import replace
from pathlib import Path

from app.log import mark
from tests.programs.conditions import until
from tests.programs.parts import part
from tests.programs.service import Service


def test_a_leader_whose_rounds_fail_is_not_ready_and_says_since_when_and_how(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    service.add_list()
    service.publish()
    service.database.close()
    with part(service, tmp_path, "publisher") as publisher:
        until(lambda: "publisher: leading" in publisher.get("/readyz").text)
        head = mark.read(service.settings.mark)
        assert head is not None
        mark.write(service.settings.mark, replace(head, size=head.size + 10))
        until(lambda: not publisher.is_ready())
        (error,) = publisher.get("/readyz").json()["errors"]
        assert error["field"] == "publisher"
        assert error["detail"].startswith("its rounds fail since 20")
        assert error["detail"].endswith("Z (Forked)")
        mark.write(service.settings.mark, head)
        until(publisher.is_ready)
