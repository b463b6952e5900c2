"""`wardlist isp watch`: options that say nothing are refused before anything is asked or written."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app


@pytest.mark.parametrize("option", ["--hold-hours", "--drop-after-hours"])
@pytest.mark.parametrize("hours", ["inf", "1e300"])
def test_hours_are_a_number_of_hours(tmp_path: Path, option: str, hours: str) -> None:
    words = ["--credentials", str(tmp_path / "c.json"), "--list", "l", "--dir", str(tmp_path / "lists")]
    done = CliRunner().invoke(app, ["isp", "watch", *words, option, hours])
    assert done.exit_code == 1
    assert f"{option}: this is no number of hours" in done.output
    assert not list(tmp_path.iterdir())


def test_a_list_is_not_dropped_within_a_day(tmp_path: Path) -> None:
    words = ["--credentials", str(tmp_path / "c.json"), "--list", "l", "--dir", str(tmp_path / "lists")]
    done = CliRunner().invoke(app, ["isp", "watch", *words, "--drop-after-hours", "23"])
    assert done.exit_code == 2
