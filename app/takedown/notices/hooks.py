"""Notices by webhook: one signed POST to the contact's address. Source: Standard Webhooks 1.0.

A receiver knows a repeated notice by its `webhook-id`, which is the notice's. What is signed with is derived
from the contact's id and never stored.
"""

from collections.abc import Callable

from standardwebhooks import Webhook

import app
from app.core.terms import NoticeOutcome
from app.platform.clock import Clock
from app.platform.outgoing import Outgoing, Refused, Unreachable
from app.takedown.notices.parcels import Parcel, Sent

_GONE = 410
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "gaierror")
"""Kinds of failure after which nobody can have it."""


class Hooks:
    """A `parcels.Channel`. `secret` gives a contact's by its id, `body` what a parcel says."""

    def __init__(
        self,
        clock: Clock,
        outgoing: Outgoing,
        secret: Callable[[str], str],
        body: Callable[[Parcel], bytes],
    ) -> None:
        self._clock, self._outgoing, self._secret, self._body = clock, outgoing, secret, body

    def __call__(self, parcel: Parcel, at_risk: Callable[[], None]) -> Sent:
        """Tell one contact. A host that is not called, or an address that is gone, is a failure for good."""
        now, body = self._clock(), self._body(parcel)
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "user-agent": f"wardlist/{app.__version__}",
            "webhook-id": parcel.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self._secret(parcel.contact_id)).sign(parcel.id, now, body.decode()),
        }
        at_risk()
        try:
            status = self._outgoing.post(parcel.address, headers, body)
        except Refused:
            return Sent(NoticeOutcome.FAILED, "refused", is_refused=True)
        except Unreachable as failure:
            return Sent(None, str(failure), is_refused=str(failure) in _NEVER_SENT)
        if 200 <= status < 300:
            return Sent(NoticeOutcome.SENT)
        return Sent(NoticeOutcome.FAILED if status == _GONE else None, f"http-{status}")
