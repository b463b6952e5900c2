"""`make openapi`: the API as the running service describes it, written to docs/openapi.json."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.programs.service import Service, running

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"


def described(service: Service) -> str:
    """What a running service answers at /openapi.json, laid out for people and for diffs."""
    answer = httpx.get(f"{service.address}/openapi.json")
    answer.raise_for_status()
    return json.dumps(answer.json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file anew."""
    with TemporaryDirectory() as folder, running(Service(Path(folder) / "home")) as service:
        FILE.write_text(described(service))


if __name__ == "__main__":
    main()
