"""Telling systemd how the daemon fares. Sources: sd_notify(3), systemd.service(5)."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Says nothing when no NOTIFY_SOCKET is set. A service manager that is gone is no fault of ours."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        self._address = found.get("NOTIFY_SOCKET", "")
        for_us = found.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = found.get("WATCHDOG_USEC", "") if for_us else ""
        self.watchdog_seconds = int(micros) / 1e6 if micros.isdecimal() else None
        """How often a sign of life is expected, None when none is."""

    def ready(self) -> None:
        """Every list was tried once."""
        self._send("READY=1")

    def alive(self) -> None:
        """Every list's watcher is at work."""
        self._send("WATCHDOG=1")

    def status(self, words: str) -> None:
        """A line for `systemctl status`."""
        self._send(f"STATUS={words}")

    def stopping(self) -> None:
        """The daemon ends."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        abstract = self._address.startswith("@")
        address = f"\0{self._address[1:]}" if abstract else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
            one.sendto(text.encode(), address)
