"""What Prometheus is told of late takedowns agrees with what is listed as late."""

from app.client.session import Connection
from app.takedown.metrics import of_takedowns
from tests.programs.service import Service
from tests.takedown.told import Post, answer, approved, contact, pass_time, token_of


def late(service: Service) -> dict[str, float]:
    with service.database.reading() as session:
        (family,) = of_takedowns(session, service.clock())
        return {sample.labels["late"]: sample.value for sample in family.samples}


def listed(hotline: Connection) -> int:
    return len(hotline.request("GET", "/v1/takedowns", params={"overdue": True}).json()["takedowns"])


def test_a_late_answer_and_a_late_removal_are_counted_until_it_is_removed(
    service: Service, hotline: Connection, reviewer: Connection, post: Post
) -> None:
    contact(service)
    approved(hotline, reviewer)
    token = token_of(post.deliver()[0])
    assert (late(service), listed(hotline)) == ({"answer": 0, "removal": 0}, 0)
    pass_time(service, hours=100)
    found = late(service)
    assert found["answer"] == found["removal"] == listed(hotline) == 1
    answer(service, token, "removed")
    assert (late(service), listed(hotline)) == ({"answer": 0, "removal": 0}, 0)
