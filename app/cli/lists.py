"""Commands of the operator about lists: policies, subscribers, protected hosts and brakes."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from sqlmodel import Session

from app.cli.connection import CredentialFile, connected
from app.cli.installation import read_settings, writing
from app.cli.output import AsJson, err, fail, show
from app.cli.tables import show_table
from app.core.policy import Policy
from app.core.terms import Confidentiality, EntryScope
from app.entries import collateral
from app.lists import brakes, protection, service, snapshots
from app.lists.models import ListPolicy
from app.lists.schemas import NewList, NewTitle, PolicyChange
from app.platform.keyring import Keyring
from app.platform.problems import at_field

lists = typer.Typer(help="Lists, their policies and subscribers.", no_args_is_help=True)
Shape = TypeVar("Shape", bound=BaseModel)
Name = Annotated[str, typer.Argument(metavar="LIST")]
Knobs = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KNOB=VALUE", help="A knob of the policy; repeat. Lists: words and commas."
    ),
]
_SEVERAL = ("scopes", "formats", "reserved_grounds", "canaries")


@lists.command("add")
def add(
    name: Annotated[str, typer.Argument()],
    title: Annotated[str, typer.Option()],
    scope: Annotated[list[EntryScope], typer.Option(help="Repeat for each scope the list takes.")],
    quorum: Annotated[list[str] | None, typer.Option(help="SCOPE=N, repeated.")] = None,
    confidentiality: Annotated[Confidentiality, typer.Option()] = Confidentiality.SEALED,
    recheck_days: Annotated[int, typer.Option()] = 30,
    retention_days: Annotated[int, typer.Option()] = 180,
    min_poll_seconds: Annotated[int, typer.Option()] = 60,
    jurisdiction: Annotated[str | None, typer.Option(help="ISO 3166-1 alpha-2.")] = None,
    knobs: Knobs = None,
    as_json: AsJson = False,
) -> None:
    """Create a list with its policy."""
    pairs = [word.partition("=") for word in quorum or []]
    if not all(needed.isascii() and needed.isdigit() for _, _, needed in pairs):
        fail("--quorum: write SCOPE=N, url=1 for instance", as_json)
    given = {
        "scopes": scope,
        "quorum": {key: int(needed) for key, _, needed in pairs},
        "confidentiality": confidentiality,
        "recheck_days": recheck_days,
        "retention_days": retention_days,
        "min_poll_seconds": min_poll_seconds,
        "jurisdiction": jurisdiction,
    }
    new = _shaped(NewList, {"name": name, "title": title, **given, **_read(knobs, as_json)}, as_json)
    with writing(as_json) as (session, now):
        created = service.create(session, new, now)
    result = {"name": created.name, "quorum": new.model_dump(mode="json")["quorum"]}
    show(result, as_json, f"list {created.name}")


@lists.command("title")
def title(name: Name, text: Annotated[str, typer.Argument(metavar="TITLE")], as_json: AsJson = False) -> None:
    """Give a list another title, for those who read it. Its name stays."""
    given = _shaped(NewTitle, {"title": text}, as_json).title
    with writing(as_json) as (session, _):
        service.rename(session, name, given)
    show({"list": name, "title": given}, as_json, f"list {name}: {given}")


@lists.command("policy")
def policy(name: Name, knobs: Knobs = None, as_json: AsJson = False) -> None:
    """Show a list's policy, or put its next version in force: what --set does not name stays."""
    wanted = _read(knobs, as_json)
    with writing(as_json) as (session, now):
        _known(session, name)
        found = service.policy_version(session, name, None)
        if wanted:
            whole = {**_kept(found, wanted), **wanted, "base_version": found.version}
            found = service.change_policy(session, None, name, _shaped(PolicyChange, whole, as_json), now)
    _show_policy(found, as_json)


@lists.command("subscribe")
def subscribe(
    name: Annotated[str, typer.Argument()],
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """Let an internet provider read a list."""
    with writing(as_json) as (session, now):
        service.subscribe(session, name, organisation, now)
    show({"list": name, "org": organisation, "subscribed": True}, as_json, "subscribed")


@lists.command("unsubscribe")
def unsubscribe(
    name: Annotated[str, typer.Argument()],
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """End a subscription."""
    with writing(as_json) as (session, now):
        service.unsubscribe(session, name, organisation, now)
    show({"list": name, "org": organisation, "subscribed": False}, as_json, "unsubscribed")


@lists.command("protect")
def protect(
    file: Annotated[Path, typer.Argument(help="A host a line; *.SUFFIX for shared hosting; # comments.")],
    name: Annotated[str | None, typer.Option("--list", help="Not needed where there is one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replace what a list protects: host and domain entries that cover it need a third body."""
    hosts = _lines(file, as_json)
    with writing(as_json) as (session, now):
        name = _known(session, name or _only_one(session))
        protected = protection.replace(session, name, hosts, now)
        epochs = Keyring.load(read_settings().keys, []).epochs
        listed = collateral.protect(session, epochs, name, now)
    count = len(protected.hosts) + len(protected.shared)
    result = {"list": name, "hosts": count, "listed_entries": listed}
    show(result, as_json, f"{name} protects {count} hosts; entries on it that cover one: {len(listed)}")


@lists.command("brake")
def brake(name: Name, as_json: AsJson = False) -> None:
    """Show whether a version is held, why, and the exact difference that waits."""
    with writing(as_json) as (session, now):
        view = brakes.view(session, _known(session, name), now)
    _show_brake(view.model_dump(mode="json"), as_json)


@lists.command("release")
def release(
    name: Name,
    credentials: CredentialFile,
    difference: Annotated[
        str | None, typer.Option(help="Digest of the difference you saw, from `list brake`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give your word that the held version may go out; a person of another organisation gives the second."""
    with connected(credentials, as_json) as connection:
        seen = connection.request("GET", f"/v1/lists/{name}/brake").json()
        body = {"difference_sha256": difference or seen["difference_sha256"]}
        view = connection.request("POST", f"/v1/lists/{name}/brake/release", json=body).json()
    _show_brake(view, as_json)


def _known(session: Session, name: str) -> str:
    if service.policy(session, name) is None:
        raise at_field("list-unknown", "list", "create the list first")
    return name


def _only_one(session: Session) -> str:
    names = snapshots.names(session)
    if len(names) != 1:
        raise at_field("invalid-input", "--list", f"say which: there are {len(names)} lists")
    return names[0]


def _lines(file: Path, as_json: bool) -> list[str]:
    try:
        lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as failure:
        fail(f"{file}: {failure}", as_json)
    return [line for line in lines if line]


def _read(knobs: list[str] | None, as_json: bool) -> dict[str, Any]:
    """What --set says: numbers, true, false, null and objects as JSON, words as they stand."""
    found: dict[str, Any] = {}
    for word in knobs or []:
        knob, has_value, text = word.partition("=")
        if knob not in Policy.model_fields or not has_value:
            fail(f"--set: write KNOB=VALUE with a knob of {', '.join(Policy.model_fields)}", as_json)
        found[knob] = _value(knob, text)
    return found


def _value(knob: str, text: str) -> Any:
    if knob in _SEVERAL and not text.startswith("["):
        return [word for word in text.split(",") if word]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _kept(found: ListPolicy, wanted: dict[str, Any]) -> dict[str, Any]:
    """The policy in force. Where the scopes change, numbers of scopes that go are left out of the quorum."""
    scopes = wanted.get("scopes")
    if not isinstance(scopes, list):
        return found.policy
    quorum = {scope: needed for scope, needed in found.policy["quorum"].items() if scope in scopes}
    return {**found.policy, "quorum": quorum}


def _shaped(shape: type[Shape], given: dict[str, Any], as_json: bool) -> Shape:
    try:
        return shape.model_validate(given)
    except ValidationError as wrong:
        faults = (f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in wrong.errors())
        fail("; ".join(faults), as_json)


def _show_policy(found: ListPolicy, as_json: bool) -> None:
    if not as_json:
        rows = [(knob, json.dumps(value)) for knob, value in found.policy.items()]
        show_table(("knob", "value"), rows)
    result = found.model_dump(mode="json", include={"list", "version", "changed_at", "policy"})
    show(result, as_json, f"{found.list}: policy version {found.version}")


def _show_brake(view: dict[str, Any], as_json: bool) -> None:
    sentence = f"{view['list']}: no version is held"
    if view["reason"]:
        state = "held" if view["engaged"] else "released"
        sentence = (
            f"{view['list']}: {state} ({view['reason']}), +{len(view['added'])} -{len(view['removed'])}, "
            f"{len(view['releases'])} of 2 words given"
        )
        if not as_json:
            for sign, entries in (("+", view["added"]), ("-", view["removed"])):
                for entry in entries:
                    err.print(f"{sign} {entry}", markup=False)
    show(view, as_json, sentence)
