"""Processes that want to lead, for tests: each says when it does."""

import time
from pathlib import Path
from typing import Any

from app.platform.database import Database
from app.platform.leader import Leadership

AGAIN_SECONDS = 0.05


def lead(file: Path, address: str, says: Any) -> None:
    """Try until this process leads, say so once, and keep on leading until killed."""
    leadership = Leadership("publisher", file, Database(address))
    while not leadership.take():
        time.sleep(AGAIN_SECONDS)
    says.send_bytes(b"leading")
    while leadership.is_held():
        time.sleep(AGAIN_SECONDS)
    says.send_bytes(b"lost")
