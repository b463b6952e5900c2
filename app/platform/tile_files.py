"""The log's tiles and bundles as files: a partial one is kept until the full one is public.

Each checkpoint adds a partial tile and bundle, and a year has hundreds of thousands of checkpoints. Whoever
still asks for a partial one is given the beginning of the full one, which is the same bytes.
Source: C2SP tlog-tiles, on partial tiles.
"""

import shutil
from pathlib import Path

from app.core import merkle
from app.core.merkle import TILE

_HASH = 32


def read(log: Path, path: str) -> bytes:
    """A file of the log by its path there. Raises FileNotFoundError, or another OSError."""
    try:
        return (log / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        full, _, width = path.partition(".p/")
        if not width:
            raise
        return _cut((log / full).read_bytes(), int(width), "/entries/" in path)


def widest(log: Path, level: int, index: int) -> list[bytes]:
    """The hashes of the widest tile in that place. Raises FileNotFoundError when there is none."""
    full = log / merkle.tile_path(level, index)
    try:
        data = full.read_bytes()
    except FileNotFoundError:
        partial = full.with_name(f"{full.name}.p").glob("[0-9]*")
        path = max(partial, key=lambda one: int(one.name) if one.name.isdigit() else 0, default=full)
        # By now the full one may have come and the partial ones gone.
        data = path.read_bytes() if path.is_file() else full.read_bytes()
    return [data[at : at + _HASH] for at in range(0, len(data), _HASH)]


def forget_partial(log: Path, old: int, new: int) -> bool:
    """Delete partial files of what growing from `old` to `new` leaves filled; whether there were any."""
    is_any = False
    for level, index, width in merkle.tiles_between(old, new):
        if width < TILE:
            continue
        for place in (level, "entries") if level == 0 else (level,):
            full = log / merkle.tile_path(place, index)
            partial = full.with_name(f"{full.name}.p")
            if partial.is_dir():
                shutil.rmtree(partial)
                is_any = True
    return is_any


def _cut(full: bytes, width: int, is_bundle: bool) -> bytes:
    return merkle.bundle(merkle.unbundle(full)[:width]) if is_bundle else full[: width * _HASH]
