"""The words of the command are found where they are listed, and one word's code is all that is imported."""

import json
import subprocess
import sys

from typer.main import get_command

from app.cli.main import app
from app.cli.rooms import JOINED, ROOMS


def test_every_word_leads_to_a_command() -> None:
    top = get_command(app)
    context = top.make_context("wardlist", [], resilient_parsing=True)
    names = top.list_commands(context)  # type: ignore[attr-defined]
    assert names == ["init", "serve", *ROOMS]
    for name in names:
        found = top.get_command(context, name)  # type: ignore[attr-defined]
        assert found.name == name
        assert found.get_short_help_str()
        below = found.list_commands(context) if hasattr(found, "list_commands") else []
        assert len(below) == len(set(below))
        assert set(JOINED.get(name, ())) <= set(below)
    assert top.get_command(context, "nothing") is None  # type: ignore[attr-defined]


def test_a_provider_s_command_starts_without_the_server() -> None:
    asked = (
        "import json, sys; from app.cli.main import app\n"
        "try: app(['isp', 'match', '--help'])\n"
        "except SystemExit: print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "app.cli.matching" in loaded
    assert not loaded & {"sqlalchemy", "fastapi", "app.lists", "app.cli.operator", "app.cli.watching"}
