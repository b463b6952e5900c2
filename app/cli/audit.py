"""Commands of an auditor: take an export and verify it offline; and of the operator: who may see more."""

import gc
import json
import multiprocessing
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import pyrage
import typer
import zstandard

from app.audit import service as exports
from app.cli.connection import CredentialFile, connected
from app.cli.installation import writing
from app.cli.output import AsJson, WitnessKeys, WitnessQuorum, fail, progress, show, without_collector
from app.client.follow import Witnesses
from app.client.session import Failed
from app.core import audit as offline
from app.core import note
from app.core.replay import Deviation
from app.platform.files import write_atomically

audit = typer.Typer(help="Exports that prove themselves.", no_args_is_help=True)
_LARGEST = 64 * 1024 * 1024
SMALL = 4 * 1024 * 1024
"""Bytes of an export below which a second process costs more than it saves."""


@audit.command("key")
def key(
    out: Annotated[Path, typer.Option(help="Identity file to write, mode 0600; keep it offline.")],
    as_json: AsJson = False,
) -> None:
    """Make an auditor's age key; give the operator the printed recipient."""
    if out.exists():
        fail(f"--out: {out} exists; a key is never replaced", as_json)
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
            wanted = offline.Wanted(log_key, witnesses.verifiers, witnesses.quorum)
            report = _verify(file, wanted, opened, step)
    except note.Malformed as wrong:
        fail(f"--log-vkey, --witness-vkey: {wrong}", as_json)
    except Deviation as found:
        members = {"verified": False, "leaf": found.index, "expected": found.expected, "entry": found.entry}
        fail(f"the export does not verify: {found}", as_json, **members)
    except (OSError, tarfile.TarError, zstandard.ZstdError) as failure:
        fail(f"{file} cannot be read as an export ({type(failure).__name__})", as_json, verified=False)
    _print(report, opened is not None, vkey is not None, as_json)


def _verify(
    file: Path, wanted: offline.Wanted, openings: dict[str, bytes] | None, step: offline.Step
) -> offline.Report:
    """Tree and history; of a large export side by side. What the tree says comes first."""
    with_history = replace(wanted, openings=openings, step=step)
    blank = offline.Report("", "", 0, "", [])
    if file.stat().st_size < SMALL:
        verified = offline.verify_tree(_members(file), wanted)
        return offline.verify_history(_members(file), with_history, verified)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        tree = pool.submit(_verify_tree, file, wanted)
        deviation = None
        try:
            history = offline.verify_history(_members(file), with_history, blank)
        except Deviation as found:
            deviation = found
        found_by_tree = tree.result()
    if isinstance(found_by_tree, tuple):
        raise Deviation(*found_by_tree)
    if deviation:
        raise deviation
    names = ("origin", "log_key", "size", "root", "witnesses")
    return replace(history, **{name: getattr(found_by_tree, name) for name in names})


def _verify_tree(file: Path, wanted: offline.Wanted) -> offline.Report | tuple[int, str, str | None]:
    """In a process of its own; a deviation comes back as its parts."""
    gc.disable()
    try:
        return offline.verify_tree(_members(file), wanted)
    except Deviation as found:
        return found.index, found.expected, found.entry


def _print(report: offline.Report, is_opened: bool, is_pinned: bool, as_json: bool) -> None:
    versions = ", ".join(f"{name}: {count} versions" for name, count in report.versions.items()) or "no list"
    lines = [
        f"verified: {report.size} leaves of {report.origin}, {report.entries} entries; {versions}",
        f"root {report.root}, cosigned by {', '.join(report.witnesses) or 'no witness'}",
        f"{report.manifests} manifests are what the log says",
    ]
    if is_opened:
        lines.append(
            f"{report.openings} entries opened; the content of {report.contents} versions re-computed"
        )
    if not is_pinned:
        lines.append(f"the log's key was taken from the export, compare it: {report.log_key}")
    show({"verified": True, **asdict(report)}, as_json, "\n".join(lines))


def _members(file: Path) -> Iterator[tuple[str, bytes]]:
    """Raises Deviation for a member of no sensible size, OSError, TarError or ZstdError."""
    with (
        file.open("rb") as raw,
        zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|") as archive,
    ):
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or member.size > _LARGEST:
                raise Deviation(
                    0, f"expected plain members of at most {_LARGEST} bytes, found {member.name!r}"
                )
            yield member.name, content.read()


def _openings(file: Path, identity_file: Path) -> dict[str, bytes]:
    """The opened lines, by entry. Raises OSError or Deviation."""
    try:
        identity = pyrage.x25519.Identity.from_str(identity_file.read_text().strip())
        sealed = next(content for name, content in _members(file) if name == "openings.age")
        return offline.openings_of(pyrage.decrypt(sealed, [identity]))
    except StopIteration:
        raise Deviation(0, "expected openings; this export was asked for without") from None
    except (pyrage.IdentityError, pyrage.DecryptError):
        raise Deviation(0, "expected openings sealed to this key") from None
    except (ValueError, KeyError, TypeError, json.JSONDecodeError):
        raise Deviation(0, "expected openings, one RFC 8785 object a line") from None
