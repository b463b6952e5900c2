"""A TUF client that keeps what it saw: it refuses whatever goes back."""

from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, TargetFile, Updater

from app.core.manifest import Manifest, latest_path


class FromFolder(FetcherInterface):
    """Downloads out of a folder: an installation's, or one that is an object store."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield Path(url.removeprefix("file://")).read_bytes()
        except FileNotFoundError:
            raise DownloadHTTPError("not there", 404) from None


class Reader:
    """Of the published files below `base`, an address or `file://` and a folder."""

    def __init__(self, base: str, root: bytes, folder: Path) -> None:
        self._base, self._root, self._folder = base, root, folder
        for name in ("metadata", "targets"):
            (folder / name).mkdir(parents=True)

    def updater(self) -> Updater:
        """One use of the client."""
        return Updater(
            metadata_dir=str(self._folder / "metadata"),
            metadata_base_url=f"{self._base}/tuf/metadata/",
            target_dir=str(self._folder / "targets"),
            target_base_url=f"{self._base}/tuf/targets/",
            fetcher=FromFolder() if self._base.startswith("file://") else None,
            bootstrap=self._root,
        )

    def installed(self, name: str) -> Manifest | None:
        """The newest version of a list, with all its files; None before the first. Raises what tuf does."""
        updater = self.updater()
        updater.refresh()
        pointer = updater.get_targetinfo(latest_path(name))
        if pointer is None:
            return None
        manifest = Manifest.model_validate_json(_read(updater, pointer))
        for one in (manifest.delta, *manifest.artefacts.values()):
            target = updater.get_targetinfo(one.path)
            assert target
            _read(updater, target)
        return manifest


def _read(updater: Updater, target: TargetFile) -> bytes:
    return Path(updater.download_target(target)).read_bytes()
