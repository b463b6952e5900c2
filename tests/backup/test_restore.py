"""A backup brings an installation back as it was."""

from pathlib import Path

from app.core.lifecycle import Status
from tests.backup.drill import Drill, Rebuilt
from tests.programs.service import LIST


def test_a_backup_comes_back_whole(drill: Drill, rebuilt: Rebuilt) -> None:
    kept, gone = drill.listed(), drill.listed()
    drill.service.publish()
    drill.withdraw(gone)
    drill.service.publish()
    before = drill.sync()
    assert before["version"] == 2
    backup = drill.backup()
    said = drill.restore(backup, rebuilt, "--published", str(drill.service.settings.home))
    assert (said["stepped"], said["notes"]) == (None, [])
    assert drill.statuses(rebuilt) == {kept: Status.LISTED.name, gone: Status.DELISTED.name}
    checked = drill.run("restore", "--check", "--json", **rebuilt.environment)
    assert checked.exit_code == 0, checked.output
    for path in (rebuilt.home / "keys").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path.name
    lacking = _targets(drill.service.settings.home) - _targets(rebuilt.home)
    assert [path.parent.as_posix() for path in lacking] == [f"lists/{LIST}"], "the pointer of version 1 alone"
    assert not _targets(rebuilt.home) - _targets(drill.service.settings.home)


def _targets(home: Path) -> set[Path]:
    folder = home / "tuf" / "targets"
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
