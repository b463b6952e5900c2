"""A backup brings an installation back, whole or not at all."""

from pathlib import Path

from tests.backup.drill import Drill, Rebuilt


def test_a_backup_comes_back_whole(drill: Drill, rebuilt: Rebuilt) -> None:
    kept, gone = drill.listed(), drill.listed()
    drill.service.publish()
    drill.withdraw(gone)
    drill.service.publish()
    assert drill.sync()["version"] == 2
    backup = drill.backup()
    said = drill.restore(backup, rebuilt, "--published", str(drill.service.settings.home))
    assert said["stepped"] is None
    checked = drill.run("restore", "--check", "--json", **rebuilt.environment)
    assert checked.exit_code == 0, checked.output
    assert kept
    assert Path(rebuilt.home, "keys", "log.hex").stat().st_mode & 0o777 == 0o600
