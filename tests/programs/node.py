"""A package of tests/foreign, installed by npm as its lock says, in a temporary folder."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

NPM, NODE = shutil.which("npm"), shutil.which("node")
_FOREIGN = Path(__file__).parents[1] / "foreign"


class Package:
    """One package. `install` needs the registry, or npm's cache."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder / name
        shutil.copytree(_FOREIGN / name, self.folder)

    def install(self) -> None:
        """Exactly what is locked, by its digests; no package's own script is run."""
        command = [str(NPM), "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]

    def run(self, script: str, *arguments: str, **environment: str) -> dict[str, Any]:
        """What the script says, a JSON object."""
        command = [str(NODE), script, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | environment, capture_output=True, text=True, timeout=60
        )
        assert done.stdout, done.stderr[-2000:]
        found: dict[str, Any] = json.loads(done.stdout)
        return found
