"""Commands of an auditor: take an export and verify it offline; and of the operator: who may see more."""

import json
import tarfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import pyrage
import typer
import zstandard

from app.audit import service as exports
from app.cli.connection import CredentialFile, connected
from app.cli.installation import writing
from app.cli.output import (
    AsJson,
    WitnessKeys,
    WitnessQuorum,
    fail,
    progress,
    refuse_existing,
    show,
    without_collector,
)
from app.client import export as export_file
from app.client.follow import Witnesses
from app.client.session import Failed
from app.core import audit as offline
from app.core import note
from app.core.replay import Deviation
from app.platform.files import write_atomically

audit = typer.Typer(help="Exports that prove themselves.", no_args_is_help=True)


@audit.command("key")
def key(
    out: Annotated[Path, typer.Option(help="Identity file to write, mode 0600; keep it offline.")],
    as_json: AsJson = False,
) -> None:
    """Make an auditor's age key; give the operator the printed recipient."""
    refuse_existing(out, as_json)
    identity = pyrage.x25519.Identity.generate()
    try:
        write_atomically(out, f"{identity}\n".encode(), mode=0o600)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
    recipient = str(identity.to_public())
    show({"recipient": recipient, "out": str(out)}, as_json, recipient)


@audit.command("allow")
def allow(
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    recipient: Annotated[str, typer.Option(help="The auditor's age recipient, age1...")],
    as_json: AsJson = False,
) -> None:
    """Operator: let an auditor have entries opened, sealed to its key. It is logged."""
    with writing(as_json) as (session, now):
        exports.allow_reveal(session, organisation, recipient, now)
    show({"org": organisation, "recipient": recipient}, as_json, "allowed")


@audit.command("deny")
def deny(
    organisation: Annotated[str, typer.Option("--org", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """Operator: take that right back. It is logged."""
    with writing(as_json) as (session, now):
        exports.end_reveal(session, organisation, now)
    show({"org": organisation, "recipient": None}, as_json, "no longer allowed")


@audit.command("export")
def export(
    credentials: CredentialFile,
    out: Annotated[Path, typer.Option(help="The .tar.zst to write.")],
    in_list: Annotated[str | None, typer.Option("--list")] = None,
    since: Annotated[str | None, typer.Option("--from", help="RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="RFC 3339.")] = None,
    reveal: Annotated[bool, typer.Option(help="With openings, sealed to your age key.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for an export, wait for it, and download it."""
    asked = {"list": in_list, "from": since, "to": until, "reveal": reveal}
    with connected(credentials, as_json) as connection, progress("exporting") as step:
        made = connection.request("POST", "/v1/audit/exports", json=asked).json()
        address = f"/v1/audit/exports/{made['id']}"
        while (
            answer := connection.request("GET", address, headers={"Range": "bytes=0-0"})
        ).status_code == 202:
            step(answer.json()["done"], answer.json()["total"])
            time.sleep(0.2)
        try:
            connection.download(address, out)
        except OSError as failure:
            raise Failed(f"--out: {failure.strerror}") from None
    size = out.stat().st_size
    show({"export": made["id"], "out": str(out), "bytes": size}, as_json, f"{out}: {size} bytes")


@audit.command("verify")
def verify(
    file: Annotated[Path, typer.Argument()],
    openings: Annotated[
        Path | None, typer.Option(help="Your age identity: check what was opened too.")
    ] = None,
    vkey: Annotated[
        str | None, typer.Option("--log-vkey", help="The log's verifier key; without, the export's own.")
    ] = None,
    witness_vkey: WitnessKeys = None,
    witness_quorum: WitnessQuorum = None,
    as_json: AsJson = False,
) -> None:
    """Verify an export offline: tree, witnesses, every transition, every version, every sign-off."""
    try:
        witnesses = Witnesses.parse(witness_vkey or (), witness_quorum)
        log_key = note.Verifier.parse(vkey) if vkey else None
        opened = _openings(file, openings) if openings else None
        with progress("verifying") as step, without_collector():
            wanted = offline.Wanted(log_key, witnesses.verifiers, witnesses.quorum, opened, step)
            is_small = file.stat().st_size < export_file.SMALL
            verify_with = export_file.verify if is_small else export_file.verify_on_every_core
            report = verify_with(partial(export_file.members, file), wanted)
    except note.Malformed as wrong:
        fail(f"--log-vkey, --witness-vkey: {wrong}", as_json)
    except Deviation as found:
        members = {"verified": False, "leaf": found.index, "expected": found.expected, "entry": found.entry}
        fail(f"the export does not verify: {found}", as_json, **members)
    except (OSError, tarfile.TarError, zstandard.ZstdError) as failure:
        why = getattr(failure, "strerror", None) or type(failure).__name__
        fail(f"{file} cannot be read as an export ({why})", as_json, verified=False)
    _print(report, opened is not None, vkey is not None, as_json)


def _print(report: offline.Report, is_opened: bool, is_pinned: bool, as_json: bool) -> None:
    versions = ", ".join(f"{name}: {count} versions" for name, count in report.versions.items()) or "no list"
    lines = [
        f"verified: {report.size} leaves of {report.origin}, {report.entries} entries; {versions}",
        f"root {report.root}, cosigned by {', '.join(report.witnesses) or 'no witness'}",
        f"{report.manifests} manifests and {report.reports} reports are what the log says",
    ]
    if is_opened:
        lines.append(
            f"{report.openings} entries opened; the content of {report.contents} versions re-computed"
        )
    if not is_pinned:
        lines.append(f"the log's key was taken from the export, compare it: {report.log_key}")
    show({"verified": True, **asdict(report)}, as_json, "\n".join(lines))


def _openings(file: Path, identity_file: Path) -> dict[str, bytes]:
    """The opened lines, by entry. Raises OSError or Deviation."""
    try:
        identity = pyrage.x25519.Identity.from_str(identity_file.read_text().strip())
        sealed = next(content for name, content in export_file.members(file) if name == "openings.age")
        return offline.openings_of(pyrage.decrypt(sealed, [identity]))
    except StopIteration:
        raise Deviation(0, "expected openings; this export was asked for without") from None
    except (pyrage.IdentityError, pyrage.DecryptError):
        raise Deviation(0, "expected openings sealed to this key") from None
    except (ValueError, KeyError, TypeError, json.JSONDecodeError):
        raise Deviation(0, "expected openings, one RFC 8785 object a line") from None
