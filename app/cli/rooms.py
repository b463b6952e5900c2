"""Commands that are imported when they are asked for: `wardlist isp match` starts without the server."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from app.cli.output import fail

ROOMS: dict[str, str] = {
    "publisher": "alone:publisher",
    "worker": "alone:worker",
    "org": "operator:org",
    "client": "operator:client",
    "person": "people:person",
    "list": "lists:lists",
    "emergency": "operator:emergency",
    "erase": "erasing:erase",
    "hold": "erasing:hold",
    "submit": "hotline:submit",
    "withdraw": "hotline:withdraw",
    "recheck": "hotline:recheck",
    "due": "hotline:due",
    "review": "reviewer:review",
    "appeal": "appeals:appeals",
    "takedown": "takedown:takedown",
    "contact": "contacts:contact",
    "mail": "mail:mail",
    "register": "register:app",
    "isp": "provider:isp",
    "peer": "peers:peer",
    "log": "log:log",
    "audit": "audit:audit",
    "witness": "witness:app",
    "keys": "keyring:keys",
    "tuf": "root:tuf",
    "db": "db:db",
    "backup": "backup:backup",
    "restore": "restore:restore",
}
"""The first word, and where its command or group of commands is: module of app.cli, then the name there."""

JOINED: dict[str, dict[str, str]] = {
    "list": {
        "show": "participants:lists_there",
        "coverage": "coverage:coverage",
        "trace": "tracing:trace",
        "reader": "readers:reader",
    },
    "org": {
        "list": "participants:organisations",
        "admit": "admission:admit",
        "recipient": "admission:recipient",
    },
    "client": {"list": "participants:clients"},
    "audit": {"report": "report:report"},
    "isp": {
        "onboard": "onboarding:onboard",
        "accept": "onboarding:accept",
        "new-identity": "onboarding:new_identity",
        "match": "matching:match",
        "squid-helper": "matching:squid_helper",
        "watch": "watching:watch",
        "release": "watching:release",
        "webhook": "webhooks:webhook",
    },
}
"""Commands of a group that stand in a module of their own."""


class Later(TyperGroup):
    """A group of commands, some of which are imported when they are asked for."""

    later: Mapping[str, str] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Every word, in the order of the help."""
        return [*super().list_commands(ctx), *self.later]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a word, None when there is none."""
        place = self.later.get(cmd_name)
        return _built(cmd_name, place) if place else super().get_command(ctx, cmd_name)


class Rooms(Later):
    """The top of the command: what is defined there, and ROOMS."""

    later = ROOMS

    def invoke(self, ctx: Any) -> Any:
        """Do what is asked; an everyday failure ends it with one sentence, whichever the command."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except Exception as failure:
            from app.cli import mishaps

            if (said := mishaps.sentence(failure)) is None:
                raise
            from app.platform import logs

            logs.log_end(failure)
            fail(said, as_json)


@cache
def _built(name: str, place: str) -> Any:
    found = _at(place)
    if isinstance(found, typer.Typer):
        found.info.cls = Later
        group = get_group(found)
        group.name = name
        group.later = JOINED.get(name, {})  # type: ignore[attr-defined]
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


def _at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"app.cli.{module}"), name)
