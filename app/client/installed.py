"""What is installed of one list, read and verified once, and then kept in memory.

The file is read again when another program installed a version, or when somebody wrote to it.
"""

from app.client.content import Content
from app.client.store import Store
from app.core.manifest import Manifest


class Installed:
    """Of one list. A command uses it once, the daemon for as long as it runs."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._content: Content | None = None
        self._known: tuple[object, ...] | None = None

    @property
    def manifest(self) -> Manifest | None:
        """The current version's. Raises Damaged."""
        return self._store.current(self._name)

    @property
    def is_whole(self) -> bool:
        """Whether the current version still is what was installed. Raises Damaged."""
        manifest = self.manifest
        if manifest is None or self._state(manifest) == self._known:
            return manifest is not None
        return self._store.is_whole(self._name, manifest)

    @property
    def content(self) -> Content | None:
        """What the current version holds; None without one, or when it is not whole. Raises Damaged."""
        manifest = self.manifest
        if manifest is None:
            return None
        state = self._state(manifest)
        if self._content is None or state != self._known:
            self._content, self._known = self._store.installed(self._name, manifest), state
        return self._content

    def keep(self, manifest: Manifest, content: Content) -> None:
        """This is current now."""
        self._content, self._known = content, self._state(manifest)

    def _state(self, manifest: Manifest) -> tuple[object, ...]:
        return (manifest.version, manifest.content_sha256, self._store.stamp(self._name))
