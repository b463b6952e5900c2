"""Putting a verified version in force at the filter, in an order that a crash at any line does not break.

Files beside, the filter's check, the intention to reload stored, the swap, the current link, the reload, the
receipt. The next start finds in the state what is not done, and does it.
"""

from datetime import UTC, datetime, timedelta

from app.client import opened, receipts, state
from app.client.brake import Brake
from app.client.content import Damaged
from app.client.installed import Installed
from app.client.newest import Candidate
from app.client.opened import Opened
from app.client.outputs import CommandFailed, Outputs
from app.client.session import Connection, Failed
from app.client.silence import Silence
from app.client.state import Held, Rejected, State
from app.client.store import Store
from app.client.trusted import Refused
from app.core.manifest import Manifest
from app.core.terms import Format, ReceiptOutcome
from app.lists.formats.sheet import Sheet

_FIRST_RETRY_SECONDS, _LAST_RETRY_SECONDS = 60.0, 3600.0


class CheckFailed(Exception):
    """The filter's own checker did not pass the new files; the old ones stay."""


class ReloadFailed(Exception):
    """The new files are in place, and the filter could not be told."""


class Force:
    """What is in force of one list: the store's current version, the filter's files, and their state."""

    def __init__(
        self,
        connection: Connection,
        store: Store,
        name: str,
        outputs: Outputs,
        brake: Brake,
        drop_after: timedelta | None,
    ) -> None:
        self._connection, self._store, self._name = connection, store, name
        self._outputs, self._brake = outputs, brake
        self._silence = Silence(store, name, drop_after)
        self.installed = Installed(store, name)
        self.state = State.read(store.folder / "lists" / name / "watch.json")
        # Who starts it may have mended the check; the tries stay, so that the wait still grows.
        self.try_again()

    def try_again(self) -> None:
        """What the filter's check did not pass is tried at the next step, not later."""
        if self.state.rejected:
            self.state.rejected.again_at = 0.0

    @property
    def is_dropped(self) -> bool:
        """Whether the service was silent for so long that nothing is in force."""
        return self._silence.is_dropped

    def hear(self) -> None:
        """The service gave a verified word of what is newest. Raises OSError."""
        if self._silence.hear(self.state, self._connection.clock()):
            self._remember()

    def reckon_silence(self) -> None:
        """Nothing is in force any more once the service was silent for too long. Raises OSError."""
        if self._silence.reckon(self.state, self._connection.clock()):
            self._remember()

    def is_held(self, found: Candidate) -> bool:
        """Whether the brake keeps a version out; says so to the service, once. Raises OSError."""
        before, held, now = found.before, self.state.held, self._connection.clock()
        if before is None or before.version == found.manifest.version:
            return False
        if state.approved(self._store, self._name) == found.manifest.content_sha256:
            return False
        since = held.since if held else now
        held_for = timedelta(seconds=now - since)
        if not self._brake.holds(before.entry_count, found.added, found.removed, held_for):
            return False
        version, digest = found.manifest.version, found.manifest.content_sha256
        self.state.held = Held(version, digest, since, found.added, found.removed)
        self._tell(found.manifest, ReceiptOutcome.HELD)
        self._remember()
        return True

    def take(self, found: Candidate) -> None:
        """Put a new version in force, but for the reload. Raises CheckFailed, Refused or OSError."""
        manifest = found.manifest
        own = opened.read(found.subscriber[1]) if found.subscriber else self._store.subscriber(self._name)
        made_from = self._made_from(manifest, own)
        self._refuse_rejected(made_from)
        self._store.put(manifest, found.content, found.subscriber)
        self._render(manifest, found.content.lines, own, made_from)
        self._store.point(self._name, manifest.version)
        self.installed.keep(manifest, found.content)
        state.forget_approval(self._store, self._name)
        self.nothing_new()

    def nothing_new(self) -> None:
        """What is offered is in force. Raises OSError."""
        if self.state.held:
            self.state.held = None
            self._remember()

    def keep_rendered(self) -> bool:
        """Write the files of the current version again when they are not as they were made.

        True when something was written. Raises CheckFailed, Refused or OSError.
        """
        manifest = self.installed.manifest
        if manifest is None:
            return False
        own = self._own()
        made_from = self._made_from(manifest, own)
        lines = None
        if not self._outputs.are_current(self.state.rendered, made_from):
            lines = self._lines()
        if lines is None:
            return False
        self._refuse_rejected(made_from)
        self._render(manifest, lines, own, made_from)
        return True

    def tell_filter(self) -> None:
        """Reload where that is due, and make the receipt. Raises ReloadFailed or OSError."""
        manifest = self.installed.manifest
        if self.state.reload_due:
            try:
                self._outputs.tell_filter()
            except CommandFailed as failure:
                self._reload_failed(manifest)
                raise ReloadFailed(f"{failure}; the files are new and the filter is old") from None
            self.state.reload_due, self.state.reload_due_since = False, None
            self.state.reload_failures = 0
            self._remember()
        if manifest and not self.state.is_told(manifest.version, ReceiptOutcome.APPLIED):
            self._tell(manifest, ReceiptOutcome.APPLIED)
            self._remember()

    def send_receipts(self) -> list[str]:
        """Empty the outbox in order; words of receipts that the service refused. Raises Failed or OSError."""
        refusals = []
        while self.state.outbox:
            try:
                receipts.post(self._connection, self._name, self.state.outbox[0])
            except Failed as failure:
                if not receipts.is_refused(failure):
                    raise
                refusals.append(str(failure))
                if receipts.is_untimely(failure):
                    self.state.untell(self.state.outbox[0])
            self.state.outbox = self.state.outbox[1:]
            self._remember()
        return refusals

    def _reload_failed(self, manifest: Manifest | None) -> None:
        """Told the second time: a canary's word takes a version back, and filters restart now and then."""
        self.state.reload_failures += 1
        is_lasting = self.state.reload_failures > 1
        if manifest and is_lasting and not self.state.is_told(manifest.version, ReceiptOutcome.FAILED):
            self._tell(manifest, ReceiptOutcome.FAILED)
        self._remember()

    def _render(self, manifest: Manifest, lines: list[bytes], own: Opened | None, made_from: str) -> None:
        try:
            self._outputs.write_beside(self._sheet(manifest, lines, own))
            self._outputs.check()
            self._make_reload_due()
        except CommandFailed as failure:
            self._outputs.forget()
            self._reject(manifest, made_from)
            raise CheckFailed(str(failure)) from None
        except BaseException:
            self._outputs.forget()
            raise
        self.state.rendered = self._outputs.swap(made_from)
        self.state.rejected = None
        self._remember()

    def _make_reload_due(self) -> None:
        since = self.state.reload_due_since or self._connection.clock()
        self.state.reload_due = self._outputs.reload is not None
        self.state.reload_due_since = since if self.state.reload_due else None
        self._remember()

    def _own(self) -> Opened | None:
        """What goes along with the current version. Raises Damaged, unless nothing is in force."""
        try:
            return self._store.subscriber(self._name)
        except Damaged:
            if self.is_dropped:
                return None
            raise

    def _lines(self) -> list[bytes] | None:
        """Of what is in force; None when it is not whole any more. Raises Damaged."""
        if self.is_dropped:
            return []
        content = self.installed.content
        return content.lines if content else None

    def _sheet(self, manifest: Manifest, lines: list[bytes], own: Opened | None) -> Sheet:
        key = own.match_key(manifest.version) if own else None
        if key is None and any(one.format is Format.HASHES for one in self._outputs.wanted):
            raise Refused("hashes need a match key, and the list's are sealed to none of these identities")
        if own and own.canary_lines and not self.is_dropped:
            lines = sorted([*lines, *own.canary_lines])
        return Sheet(manifest.list, manifest.version, lines, key or bytes(32), self._outputs.walled_garden)

    def _made_from(self, manifest: Manifest, own: Opened | None) -> str:
        content = "" if self.is_dropped else manifest.content_sha256
        return self._outputs.made_from(content, manifest.version, own.digest if own else "")

    def _refuse_rejected(self, made_from: str) -> None:
        rejected = self.state.rejected
        if rejected is None or rejected.made_from != made_from:
            return
        # A longer wait than the longest was reckoned by a clock that has been set right since.
        if 0 < rejected.again_at - self._connection.clock() <= _LAST_RETRY_SECONDS:
            again = datetime.fromtimestamp(rejected.again_at, UTC).strftime("%H:%M UTC")
            raise CheckFailed(f"the filter's check did not pass this version; not tried again before {again}")

    def _reject(self, manifest: Manifest, made_from: str) -> None:
        rejected = self.state.rejected
        tries = rejected.tries if rejected and rejected.made_from == made_from else 0
        wait = min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2**tries)
        self.state.rejected = Rejected(made_from, tries + 1, self._connection.clock() + wait)
        self._tell(manifest, ReceiptOutcome.FAILED)
        self._remember()

    def _tell(self, manifest: Manifest, outcome: ReceiptOutcome) -> None:
        """Make a receipt that was not made before. Of files without entries, which are no version's, none."""
        if not self.is_dropped and not self.state.is_told(manifest.version, outcome):
            now = datetime.fromtimestamp(self._connection.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            body = receipts.made(self._connection.credentials, manifest, outcome, now)
            self.state.tell(manifest.version, outcome, body)

    def _remember(self) -> None:
        self.state.write(state.path_of(self._store, self._name))
