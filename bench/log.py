"""The log's speed: sequencing, proofs and the verification of a million leaves, beside plain SHA-256."""

import hashlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rfc8785
import sqlalchemy as sa

from app.core import decision, jose, merkle, register
from app.log import service as log
from app.log.models import Leaf
from app.log.tiles import PublicLog, public_log
from app.platform.clock import instant, system_clock
from bench import verification
from tests.programs.service import LIST, Service

MILLION = 1_000_000
LEGAL = {
    "hosting_country": "NL",
    "legal_ground": "lanzarote-20-1-b",
    "material": "lanzarote-20-2-conduct-real",
}


def openssl_rate() -> float:
    """The machine's SHA-256 of 64-byte blocks, per second (`openssl speed`)."""
    words = ["openssl", "speed", "-seconds", "1", "-bytes", "64", "-evp", "sha256"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1].split()[-1].rstrip("k")) * 1000 / 64


def measure(folder: Path, signed: bool) -> dict[str, float]:
    """A log of a million legal leaves; `signed`: every fourth a reviewer's signature. Seconds and rates."""
    service = Service(folder / "home")
    service.add_list()
    found: dict[str, float] = {}
    _append(service, list(history(service, signed)))
    published = public_log(service.settings, service.keyring)
    started = time.monotonic()
    while _sequence(service):
        pass
    found["sequenced"] = MILLION / (time.monotonic() - started)
    started = time.monotonic()
    with service.database.reading() as session:
        published.publish(session, service.clock())
    found["tiles"] = MILLION / (time.monotonic() - started)
    keys = {"log_vkey": str(published.verifier), "witness_vkeys": []}
    (published.folder / "keys.json").write_text(json.dumps(keys))
    found["proof"] = _proof_seconds(published)
    packed = folder / "export.tar.zst"
    verification.pack(published.folder, packed)
    for what in ("hashing", "signing", "verifying"):
        found |= _apart(what, packed)
    service.database.close()
    return found


def history(service: Service, signed: bool) -> Iterator[bytes]:
    """Leaves of a hotline that submits, and with `signed` of a reviewer who approves each entry."""
    at = instant(system_clock())
    hotline, body, reviewer, owner = "h" * 32, "b" * 32, jose.generate(), jose.generate()

    def leaf(kind: str, /, **members: Any) -> bytes:
        return rfc8785.dumps({"at": at, "type": kind, **members})

    yield leaf("organisation.added", organisation=hotline, kind="hotline", country="NL")
    yield leaf("client.added", organisation=hotline, client="c" * 32, scopes=[])
    if signed:
        yield leaf("organisation.added", organisation=body, kind="review_body", country="NL")
        yield leaf("client.added", organisation=body, client="r" * 32, scopes=[])
        entry = register.Body(body, jose.public_part(owner), ("*",), at)
        proposal = register.propose([entry], 1, system_clock())
        for key in sorted(service.settings.offline.glob("register-*.pem"))[:2]:
            proposal = register.sign(proposal, key.read_bytes())
        yield leaf("register.published", version=1, **proposal)
        token = register.certify(owner, organisation=body, client="r" * 32, jwk=reviewer, since=at)
        yield leaf("reviewer.certified", certificate=token, client="r" * 32, organisation=body)
    count = MILLION // 4 if signed else MILLION
    for number in range(count):
        entry_id, digest = f"{number:036d}", hashlib.sha256(str(number).encode()).hexdigest()
        common = {"entry": entry_id, "list": LIST}
        yield leaf(
            "entry.submitted",
            client="c" * 32,
            commitment=digest,
            digest=digest,
            measures=["takedown", "blocking"],
            organisation=hotline,
            scope="url",
            **common,
            **LEGAL,
        )
        if signed:
            statement = decision.statement(
                criteria=dict.fromkeys(decision.CRITERIA, True),
                decision="approve",
                entry=entry_id,
                entry_digest=digest,
                iat=int(system_clock().timestamp()),
                in_list=LIST,
                reason_digest=digest,
            )
            yield leaf(
                "entry.reviewed",
                client="r" * 32,
                decision="approve",
                entry=entry_id,
                organisation=body,
                signature=jose.sign(statement, reviewer),
            )
            yield leaf("entry.approved", recheck_by=at, **common)
            yield leaf("entry.listed", commitment=digest, version=1, **common)


def _append(service: Service, leaves: list[bytes]) -> None:
    for start in range(0, len(leaves), 50_000):
        with service.database.writing() as session:
            session.execute(sa.insert(Leaf), [{"body": one} for one in leaves[start : start + 50_000]])


def _sequence(service: Service) -> bool:
    with service.database.writing() as session:
        before = log.head(session).size
        return log.sequence(session, limit=256).size > before


def _proof_seconds(published: PublicLog) -> float:
    checkpoint = published.checkpoint()
    assert checkpoint
    chosen = random.Random(1).sample(range(checkpoint.size), 200)
    started = time.monotonic()
    for index in chosen:
        merkle.inclusion_proof(index, checkpoint.size, published.nodes())
    return (time.monotonic() - started) / len(chosen)


def _apart(what: str, file: Path) -> dict[str, float]:
    """In a process of its own, so that the peak of memory is its own; medians of five runs."""
    code = f"import json, bench.verification as b; print(json.dumps(b.{what}({str(file)!r})))"
    top, runs = Path(__file__).parent.parent, []
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=top
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {f"{what}_{name}": statistics.median(run[name] for run in runs) for name in runs[0]}


def report(folder: Path) -> list[str]:
    """The lines of bench/results.md."""
    lines = [
        "",
        "## The log at 1,000,000 leaves",
        f"Raw SHA-256 of 64 bytes (`openssl speed -evp sha256`): {openssl_rate():,.0f} a second.",
        "",
        "| what | submissions only | every fourth leaf a reviewer's signature |",
        "|---|---|---|",
    ]
    plain, signed = (measure(folder / str(kind), kind) for kind in (False, True))
    for found, signatures in ((plain, 0), (signed, MILLION // 4)):
        found["proof"] *= 1000
        found["crypto"] = found["hashing_seconds"] + signatures * found["signing_seconds"]
        found["ratio"] = found["verifying_seconds"] / found["hashing_seconds"]
        found["ratio_whole"] = found["verifying_seconds"] / found["hashing_whole"]
        found["ratio_crypto"] = found["verifying_seconds"] / found["crypto"]
    rows = [
        ("sequenced, 256 a transaction, leaves a second", "sequenced", "{:,.0f}"),
        ("tiles and bundles written, each fsynced, leaves a second", "tiles", "{:,.0f}"),
        ("inclusion proof from the tiles, ms", "proof", "{:.2f}"),
        ("peer 1: hashing leaves and tree in Python, leaves in memory, s", "hashing_seconds", "{:.2f}"),
        ("peer 2: the same with reading the leaves from the export, s", "hashing_whole", "{:.2f}"),
        ("peer 3: peer 1 and each signature by OpenSSL, one process, s", "crypto", "{:.2f}"),
        ("verifying the export on every core, s", "verifying_seconds", "{:.2f}"),
        ("verifying, peak MB of all processes", "verifying_peak", "{:.0f}"),
        ("verifying / peer 1", "ratio", "{:.2f}"),
        ("verifying / peer 2", "ratio_whole", "{:.2f}"),
        ("verifying / peer 3", "ratio_crypto", "{:.2f}"),
    ]
    for title, name, form in rows:
        lines.append(f"| {title} | {form.format(plain[name])} | {form.format(signed[name])} |")
    return lines
