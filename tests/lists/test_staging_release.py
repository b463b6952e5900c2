"""A brake that a canary's failure engaged, released for something that then is withdrawn: the log replays."""

import pytest

from app.core.terms import Kind
from tests.lists.test_staging import Stage, stage
from tests.lists.test_staging_urgency import content
from tests.programs.service import LIST, replay

__all__ = ["stage"]


@pytest.mark.parametrize("is_looked_at", [True, False], ids=["seen empty first", "joined before a look"])
def test_a_release_whose_entry_was_withdrawn_before_its_use_replays(stage: Stage, is_looked_at: bool) -> None:
    (failed,) = stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "failed")
    assert stage.seen() == (3, 3)
    with stage.service.connect(Kind.OPERATOR) as second:
        for operator in (stage.operator, second):
            operator.request("POST", f"/v1/lists/{LIST}/brake/release")
    stage.hotline.request("POST", f"/v1/entries/{failed}/withdrawal")
    if is_looked_at:
        stage.service.publish()
        assert stage.brake() == (False, None)
    (later,) = stage.submit("https://c.example.test/")
    stage.service.publish()
    if not is_looked_at:
        assert stage.brake() == (True, "canary_failed")
        assert replay(stage.service).size > 20
        return
    assert stage.seen() == (4, 3)
    stage.report(stage.canary, 4, "applied")
    assert later in content(stage.other)
    assert not replay(stage.service).lists[LIST].engaged


def test_a_failure_of_what_had_to_leave_anyway_holds_nothing_and_replays(stage: Stage) -> None:
    """Then no release is asked for: one of nothing would end a brake that no version follows."""
    (gone,) = stage.list_them("https://b.example.test/")
    body = {"entries": [gone]}
    stage.operator.request("POST", "/v1/entries/emergency-delisting", json=body)
    stage.report(stage.canary, 2, "failed")
    assert stage.seen() == (3, 3)
    assert stage.brake() == (False, None)
    with stage.service.connect(Kind.OPERATOR) as second:
        for operator in (stage.operator, second):
            refused = operator.send("POST", f"/v1/lists/{LIST}/brake/release")
            assert (refused.status_code, refused.json()["type"]) == (409, "urn:wardlist:problem:no-brake")
    (later,) = stage.submit("https://c.example.test/")
    stage.service.publish()
    stage.report(stage.canary, 4, "applied")
    assert later in content(stage.other)
    assert not replay(stage.service).lists[LIST].engaged


def test_a_brake_of_which_nothing_is_left_is_not_released_and_replays(stage: Stage) -> None:
    (failed,) = stage.list_them("https://b.example.test/")
    stage.report(stage.canary, 2, "failed")
    stage.hotline.request("POST", f"/v1/entries/{failed}/withdrawal")
    with stage.service.connect(Kind.OPERATOR) as second:
        for operator in (stage.operator, second):
            assert operator.send("POST", f"/v1/lists/{LIST}/brake/release").status_code == 409
    (later,) = stage.submit("https://c.example.test/")
    stage.service.publish()
    assert stage.brake() == (True, "canary_failed")
    with stage.service.connect(Kind.OPERATOR) as second:
        for operator in (stage.operator, second):
            operator.request("POST", f"/v1/lists/{LIST}/brake/release")
    stage.service.publish()
    stage.report(stage.canary, 4, "applied")
    assert later in content(stage.other)
    assert not replay(stage.service).lists[LIST].engaged
