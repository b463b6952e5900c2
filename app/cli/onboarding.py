"""How an internet provider comes to take part: it makes its keys, the operator admits them, it accepts.

Private keys are made on the provider's machine and never leave it.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import AsJson, err, fail, show
from app.core import age, jose, signup
from app.core.signup import Signup, Welcome
from app.platform.files import private_folder, write_atomically

KEY, IDENTITY, SIGNUP = "client.jwk.json", "age.txt", "signup.json"
CREDENTIALS, ROOT = "credentials.json", "1.root.json"
Folder = Annotated[Path, typer.Option("--dir", help="The folder that `wardlist isp onboard` filled.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the files, mode 0700.")]
File = Annotated[Path, typer.Argument()]


def onboard(
    name: Annotated[str, typer.Option(help="The provider's name.")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2.")],
    out: Out,
    as_json: AsJson = False,
) -> None:
    """Make the provider's keys here, and a sign-up file for the operator."""
    _refuse_existing([out / file for file in (KEY, IDENTITY, SIGNUP)], as_json)
    private = jose.generate()
    identity, recipient = age.generate()
    try:
        request = Signup.made(name, country, private, [recipient])
    except signup.Invalid as wrong:
        fail(str(wrong), as_json)
    try:
        private_folder(out)
        write_atomically(out / KEY, json.dumps(private, indent=2).encode(), mode=0o600)
        write_atomically(out / IDENTITY, _identity_file(identity, recipient), mode=0o600)
        write_atomically(out / SIGNUP, request)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
    known_as = signup.fingerprint(private["kid"])
    if not as_json:
        err.print(
            f"Send {out / SIGNUP} to the operator, and read this fingerprint out when asked by telephone:"
        )
    result = {"signup": str(out / SIGNUP), "recipient": recipient, "fingerprint": known_as}
    show(result, as_json, known_as)


def accept(file: File, folder: Folder, as_json: AsJson = False) -> None:
    """Take the operator's answer: write the credential file and the pinned root."""
    credentials, root = folder / CREDENTIALS, folder / ROOT
    _refuse_existing([credentials, root], as_json)
    welcome, private = _welcome(file, as_json), _own_key(folder / KEY, as_json)
    if welcome.kid != private["kid"]:
        fail("this welcome is for another provider's key; nothing was written", as_json)
    content = {
        "issuer": welcome.issuer,
        "token_endpoint": welcome.token_endpoint,
        "client_id": welcome.client_id,
        "private_jwk": private,
    }
    try:
        write_atomically(root, welcome.root.encode())
        write_atomically(credentials, json.dumps(content, indent=2).encode(), mode=0o600)
    except OSError as failure:
        fail(f"--dir: {failure.strerror}", as_json)
    known_as = signup.grouped(welcome.root_sha256)
    following = _following(welcome, folder)
    if not as_json:
        err.print("Let the operator read out root and log key by telephone. They must be these:")
        err.print(
            f"{known_as}\n{welcome.log_vkey}\nThen keep the lists in force:", markup=False, soft_wrap=True
        )
    result = {"credentials": str(credentials), "root": str(root), "root_fingerprint": known_as}
    show({**result, "log_vkey": welcome.log_vkey, "next": following}, as_json, following)


def new_identity(out: Out, as_json: AsJson = False) -> None:
    """Make one more age identity, so that the one before can be retired without a gap."""
    identity, recipient = age.generate()
    number = 2
    while (path := out / f"age-{number}.txt").exists():
        number += 1
    try:
        private_folder(out)
        write_atomically(path, _identity_file(identity, recipient), mode=0o600)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
    if not as_json:
        err.print(
            f"Give `isp watch` both files with --identity; the new one is {path}. Then send the operator "
            "this recipient; it is used from the next version on.",
            markup=False,
            soft_wrap=True,
        )
    show({"identity": str(path), "recipient": recipient}, as_json, recipient)


def _following(welcome: Welcome, folder: Path) -> str:
    lists = "".join(f" --list {name}" for name in welcome.lists) or " --list LIST"
    return (
        f"wardlist isp watch --credentials {folder / CREDENTIALS}{lists} --dir lists --root {folder / ROOT} "
        f"--identity {folder / IDENTITY} --log-vkey '{welcome.log_vkey}'"
    )


def _welcome(file: Path, as_json: bool) -> Welcome:
    try:
        return Welcome.read(file.read_bytes())
    except OSError as failure:
        fail(f"{file}: {failure.strerror}", as_json)
    except signup.Invalid as wrong:
        fail(f"{file}: {wrong}", as_json)


def _own_key(file: Path, as_json: bool) -> dict[str, str]:
    try:
        private: dict[str, str] = json.loads(file.read_bytes())
        return {**private, "kid": jose.public_part(private)["kid"]}
    except OSError as failure:
        fail(f"{file}: {failure.strerror}; run `wardlist isp onboard` first", as_json)
    except (ValueError, TypeError, AttributeError):
        fail(f"{file}: not a private key of `wardlist isp onboard`", as_json)


def _identity_file(identity: str, recipient: str) -> bytes:
    """As age-keygen writes it."""
    return f"# public key: {recipient}\n{identity}\n".encode()


def _refuse_existing(files: list[Path], as_json: bool) -> None:
    there = [str(file) for file in files if file.exists() or file.is_symlink()]
    if there:
        fail(f"{', '.join(there)}: there already, and not overwritten", as_json)
