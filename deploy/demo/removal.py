"""The demonstration's mail server: a hosting provider's abuse desk gets a notice and answers by its link."""

import re
import time
from email import message_from_bytes, policy
from typing import Any

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

_LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+/takedown/(\S+)")


class AbuseDesk:
    """Keeps what arrives; a port of its own on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.arrived: list[bytes] = []
        self._server = Controller(self, hostname="127.0.0.1", port=port)

    def start(self) -> None:
        """Begin to listen."""
        self._server.start()

    def stop(self) -> None:
        """End."""
        self._server.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd with each message."""
        self.arrived.append(envelope.original_content or b"")
        return "250 taken"

    def notice(self, seconds: float = 30) -> Any:
        """The first message, parsed. Raises TimeoutError when none arrives in time."""
        end = time.monotonic() + seconds
        while not self.arrived:
            if time.monotonic() > end:
                raise TimeoutError("no notice arrived")
            time.sleep(0.1)
        return message_from_bytes(self.arrived[0], policy=policy.default)


def answer(notice: Any, service: str, said: str) -> int:
    """Answer by the notice's link; the status."""
    text = notice.get_body(("plain",)).get_content()
    found = _LINK.search(text)
    token = found[1] if found else ""
    return httpx.post(f"{service}/v1/takedown-answers/{token}", json={"answer": said}, timeout=30).status_code
