"""A measurement in a process of its own: nothing is in its memory that another left there."""

import json
import subprocess
import sys
from pathlib import Path


def measured(module: str, folder: Path, *words: str) -> dict[str, float]:
    """What `python -m MODULE FOLDER WORDS` says in its last line, a JSON object."""
    command = [sys.executable, "-m", module, str(folder), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
