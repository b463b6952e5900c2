"""Register ceremonies on one machine, while the offline keys still lie there: for trying things out.

Once the folder of offline keys is moved away, as `wardlist init` asks, nothing here does anything, and the
same steps are taken by hand with `wardlist register`.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

from app.core import jose, register
from app.core.register import EVERY_LIST, Body
from app.identity import register as taking_in
from app.platform.clock import instant
from app.platform.files import private_folder, write_atomically


def enrol(session: Session, offline: Path, organisation: str, now: datetime) -> bool:
    """Make a body's key and put the body on the register. False when the register keys are not here."""
    pems = sorted(offline.glob("register-*.pem"))
    if len(pems) < 2:
        return False
    path = _body_key(offline, organisation)
    private_folder(path.parent)
    key = jose.generate()
    write_atomically(path, json.dumps(key).encode(), mode=0o600)
    in_force = taking_in.current(session)
    body = Body(organisation, jose.public_part(key), (EVERY_LIST,), instant(now))
    proposal = register.propose(
        [*in_force.bodies.values(), body], in_force.version + 1, now, in_force.authority
    )
    for pem in pems:
        proposal = register.sign(proposal, pem.read_bytes())
    taking_in.publish(session, proposal, now)
    return True


def certify(
    session: Session, offline: Path, organisation: str, client: str, jwk: dict[str, Any], now: datetime
) -> bool:
    """Certify a reviewer's key with its body's key. False when that key is not here."""
    path = _body_key(offline, organisation)
    if not path.exists():
        return False
    key = json.loads(path.read_text())
    token = register.certify(key, organisation=organisation, client=client, jwk=jwk, since=instant(now))
    taking_in.admit(session, token, now)
    return True


def _body_key(offline: Path, organisation: str) -> Path:
    return offline / "bodies" / f"{organisation}.jwk.json"
