"""The ways out that this installation has, each as the courier needs it."""

from functools import partial

from app.core.terms import Channel
from app.platform.clock import Clock
from app.platform.keyring import Keyring, NotInitialised
from app.platform.outgoing import MayCall, Outgoing
from app.platform.settings import Settings
from app.takedown.contacts import service as contacts
from app.takedown.notices import bounces, dkim, parcels
from app.takedown.notices import content as notices
from app.takedown.notices.hooks import Hooks
from app.takedown.notices.mail import Mail
from app.takedown.notices.parcels import Parcel


def of(
    settings: Settings,
    keyring: Keyring,
    clock: Clock,
    outgoing: Outgoing,
    may_call: MayCall,
    peer: parcels.Channel,
) -> dict[Channel, parcels.Channel]:
    """By name; mail only with a mail server. Raises NotInitialised where its settings lack something."""
    hooks = Hooks(
        clock,
        outgoing,
        secret=partial(contacts.webhook_secret, keyring),
        body=partial(notices.body, settings=settings),
    )
    found: dict[Channel, parcels.Channel] = {Channel.WEBHOOK: hooks, Channel.PEER: peer}
    if settings.smtp_host:
        found[Channel.MAIL] = _mail(settings, keyring, may_call)
    return found


def _mail(settings: Settings, keyring: Keyring, may_call: MayCall) -> Mail:
    if settings.mail_from is None:
        raise NotInitialised("set WARDLIST_MAIL_FROM: the address that notices come from")
    address, key = settings.mail_from, dkim.load(settings.keys)

    def content(parcel: Parcel) -> bytes:
        return notices.mail(parcel, settings, key)

    def envelope_sender(notice_id: str) -> str:
        return bounces.sender(keyring.notice, notice_id, address)

    return Mail(settings, content, envelope_sender, may_call)
