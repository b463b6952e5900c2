"""Running a witness: one key, one small file, no account with the service."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import AsJson, err, fail, show
from app.core import note
from app.platform.files import write_atomically

app = typer.Typer(help="A witness cosigns the log only if it never went back.", no_args_is_help=True)


@app.command("key")
def key(
    name: Annotated[str, typer.Option(help="The witness's name, a host name of its owner for instance.")],
    out: Annotated[Path, typer.Option(help="Key file to write, mode 0600.")],
    as_json: AsJson = False,
) -> None:
    """Make a witness's key; give the printed verifier key to the log and to whoever verifies it."""
    if not note.is_name(name):
        fail("--name: no spaces and no plus", as_json)
    if out.exists():
        fail(f"--out: {out} exists; a key is never replaced", as_json)
    made = note.Signer.generate(name, note.COSIGNATURE)
    try:
        write_atomically(out, f"{made.to_text()}\n".encode(), mode=0o600)
    except OSError as failure:
        fail(f"--out: {failure.strerror}", as_json)
    show({"vkey": str(made.verifier), "out": str(out)}, as_json, str(made.verifier))


@app.command("serve")
def serve(
    key: Annotated[Path, typer.Option(help="Key file from `witness key`.")],
    log: Annotated[list[str], typer.Option(help="Verifier key of a log to watch; repeat for more.")],
    state: Annotated[Path, typer.Option(help="What was seen; must survive restarts.")] = Path("witness.db"),
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8081,
) -> None:
    """Answer add-checkpoint (C2SP tlog-witness) until stopped."""
    import uvicorn

    from app.platform.listening import Unavailable, listening
    from app.witness import Witness, create_witness

    try:
        signer = note.Signer.parse(key.read_text())
        logs = [note.Verifier.parse(text) for text in log]
    except OSError as failure:
        fail(f"--key: {failure.strerror}")
    except note.Malformed as wrong:
        fail(f"--key, --log: {wrong}")
    if signer.algorithm != note.COSIGNATURE:
        fail("--key: a witness needs a cosignature key, from `witness key`")
    try:
        sockets = listening(host, port)
    except Unavailable as taken:
        fail(str(taken))
    service = create_witness(Witness(state, signer, logs))
    config = uvicorn.Config(service, access_log=False, log_level="warning", server_header=False)
    err.print(f"witness {signer.name} listens on http://{host}:{port}", markup=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets)
