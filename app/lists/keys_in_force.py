"""Whether the keys in force are here: a process whose key is not could only fail, round after round."""

from collections.abc import Sequence

from app.lists.key_change import is_asked_for, lists_of
from app.lists.key_inventory import NOT_HERE, KeyInfo, Standing
from app.lists.repository import Repository
from app.platform.key_files import variable_of
from app.platform.key_forms import LOG
from app.platform.signers import LIST, ONLINE

EPOCH = "epoch"
_OF_PUBLISHER = (*ONLINE, "canary")


def require(repository: Repository) -> None:
    """Raises KeyUnusable for the first TUF role that nothing here can sign, and tuf's errors."""
    signers = repository.signers
    for role in ONLINE:
        signers.of(role, repository.roots.may_sign(role))
    for name, delegated in lists_of(repository).items():
        role = f"{LIST}{name}"
        if is_asked_for(signers, role):
            signers.at_hand(role)
        else:
            signers.of(role, delegated.keyids)


def missing(keys: Sequence[KeyInfo]) -> dict[KeyInfo, str]:
    """What to do about each key in force that a process of this machine needs and that is not here.

    Where nothing here signs the log or a list, another machine publishes, and its keys are not missed; nor is
    `fingerprint` where no key of tokens is.
    """
    here = {one.role for one in keys if one.source != NOT_HERE}
    coming = {one.role for one in keys if one.standing is Standing.ANNOUNCED and one.role.startswith(LIST)}
    needed = {EPOCH, *(["fingerprint"] if "token" in here else [])}
    if any(role in (LOG, *ONLINE) or role.startswith(LIST) for role in here):
        needed |= {one.role for one in keys if one.role in _OF_PUBLISHER or one.role.startswith(LIST)}
    return {
        one: _what_to_do(one.role)
        for one in keys
        if one.standing is Standing.SIGNS and one.source == NOT_HERE and one.role in needed - coming
    }


def _what_to_do(role: str) -> str:
    restore = "the key in force is not here: restore it from a backup"
    if role == EPOCH:
        return restore
    return f"{restore}, or run this with {variable_of(role)} as the service has it"
