"""The operator says which authorities read a list as indicators."""

from app.core.terms import Kind
from tests.cli.terminal import Terminal
from tests.programs.service import LIST, replay


def test_a_reader_is_added_shown_and_removed(terminal: Terminal) -> None:
    police = terminal.service.organisation(Kind.LAW_ENFORCEMENT, "Police [b]")
    for _ in range(2):
        said = terminal.json("list", "reader", "add", LIST, "--org", police)
        assert said == {"list": LIST, "org": police, "reads": True}
    (found,) = terminal.json("list", "reader", "list", LIST)["readers"]
    assert (found["organisation"], found["name"]) == (police, "Police [b]")
    assert terminal.rows("list", "reader", "list", LIST)[1] == [police, found["since"], "Police", "[b]"]
    assert terminal.json("list", "reader", "remove", LIST, "--org", police)["reads"] is False
    assert terminal.json("list", "reader", "list", LIST)["readers"] == []
    replay(terminal.service)


def test_only_law_enforcement_on_a_list_there_is(terminal: Terminal) -> None:
    police = terminal.service.organisation(Kind.LAW_ENFORCEMENT)
    provider = terminal.service.organisation(Kind.ISP)
    before = terminal.service.state()
    for words, said in (
        (("add", LIST, "--org", provider), "only law_enforcement"),
        (("add", LIST, "--org", "nobody"), "no such organisation"),
        (("add", "nope", "--org", police), "create the list first"),
        (("remove", LIST, "--org", police), "does not read"),
        (("list", "nope"), "create the list first"),
    ):
        assert said in terminal.run("list", "reader", *words, code=1)[1]
    assert terminal.service.state() == before
