"""Shapes of contacts: what one says, checked as far as that needs no database, and the API's answers."""

import ipaddress
import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from app.core import suffixes, url
from app.core.terms import Channel, ContactKind, ProviderClass
from app.entries.schemas import COUNTRIES

LONGEST_MAIL = 254
"""Characters of a mail address (RFC 5321, section 4.5.3.1)."""
_WIDEST = {4: 8, 6: 16}
"""Shortest prefix of a network, by IP version: nobody is responsible for more."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?P<domain>[A-Za-z0-9.-]+)")
_OF_A_COUNTRY = (ContactKind.PARTNER_HOTLINE, ContactKind.LAW_ENFORCEMENT)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ID = re.compile(r"[0-9a-f]{32}")


class ContactContent(BaseModel):
    """Whom to tell, what it is found by, and how it is told; `address` fits the channel.

    Partner hotlines and law enforcement are found by their country, providers by name and host suffix,
    networks by address. The country of a provider or a network, where it has one, limits it to what is
    hosted there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ContactKind
    name: Annotated[str, Field(min_length=1, max_length=200)]
    country: Annotated[str | None, Field(validate_default=True)] = None
    """ISO 3166-1 alpha-2."""
    host_suffix: Annotated[str, Field(max_length=255)] | None = None
    """A host: itself, and whatever is below it."""
    network: Annotated[str | None, Field(max_length=49, validate_default=True)] = None
    """CIDR, of IPv4 or IPv6."""
    provider_class: ProviderClass = ProviderClass.OTHER
    language: Literal["en", "fr", "de"] = "en"
    channel: Channel
    address: Annotated[str, Field(min_length=1, max_length=2000)]
    """A mail address, a webhook's, or of a peer its organisation's id."""
    rank: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """Of several that fit alike the lowest is told first."""

    @field_validator("name")
    @classmethod
    def _a_line(cls, name: str) -> str:
        line = " ".join(name.split())
        if not line.isprintable() or not name_key(line):
            raise ValueError("write one line of visible characters")
        return line

    @field_validator("country")
    @classmethod
    def _a_country(cls, code: str | None, info: ValidationInfo) -> str | None:
        if code is not None and code not in COUNTRIES:
            raise ValueError("not an ISO 3166-1 alpha-2 code")
        if code is None and info.data.get("kind") in _OF_A_COUNTRY:
            raise ValueError("give the country that a partner hotline or law enforcement is found by")
        return code

    @field_validator("host_suffix")
    @classmethod
    def _a_host(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None and info.data.get("kind") is not ContactKind.PROVIDER:
            raise ValueError("only a provider is found by it")
        return None if text is None else _canonical_host(text)

    @field_validator("network")
    @classmethod
    def _a_network(cls, text: str | None, info: ValidationInfo) -> str | None:
        if (text is not None) != (info.data.get("kind") is ContactKind.NETWORK):
            raise ValueError("give a network its range, such as 192.0.2.0/24, and nobody else one")
        return None if text is None else _canonical_network(text)

    @field_validator("channel")
    @classmethod
    def _a_channel(cls, channel: Channel, info: ValidationInfo) -> Channel:
        if channel is Channel.OWN:
            raise ValueError("write mail, webhook or peer")
        if channel is Channel.PEER and info.data.get("kind") is not ContactKind.PARTNER_HOTLINE:
            raise ValueError("only a partner hotline is a peer")
        return channel

    @field_validator("address")
    @classmethod
    def _an_address(cls, address: str, info: ValidationInfo) -> str:
        match info.data.get("channel"):
            case Channel.MAIL:
                _check_mail(address)
            case Channel.PEER if not _ID.fullmatch(address):
                raise ValueError("write the id of the peer's organisation")
        return address

    def to_json(self) -> dict[str, Any]:
        """Every field, as a version of the contact keeps it."""
        return self.model_dump(mode="json")


class ContactChange(ContactContent):
    """The whole contact as it is to be; `base_version` is the version you read."""

    base_version: Annotated[int, Field(ge=1, strict=True)]

    def content(self) -> ContactContent:
        """What the contact is to say."""
        return ContactContent.model_validate(self.model_dump(exclude={"base_version"}))


class ContactSaid(BaseModel):
    """What a contact said in one of its versions, as it was taken in then."""

    kind: ContactKind
    name: str
    country: str | None
    host_suffix: str | None
    network: str | None
    provider_class: ProviderClass
    language: str
    channel: Channel
    address: str
    rank: int


class ContactView(ContactSaid):
    """A contact as of its newest version."""

    id: str
    version: int
    changed_at: datetime
    ended_at: datetime | None


class ContactMade(ContactView):
    """A contact that is new, or has a webhook since: with what messages to that are signed with."""

    secret: str | None
    """`whsec_...` of Standard Webhooks, shown this once; null where no webhook is called."""


class Contacts(BaseModel):
    """Contacts by id. `next_cursor` continues."""

    contacts: list[ContactView]
    next_cursor: str | None


class ContactVersionView(BaseModel):
    """What a contact was from that moment on; `client` is who changed it by the API."""

    version: int
    changed_at: datetime
    client: str | None
    content: ContactSaid


class ContactVersions(BaseModel):
    """Every version, oldest first. `ended_at` is since when nobody is told there."""

    contact: str
    ended_at: datetime | None
    versions: list[ContactVersionView]


def name_key(name: str) -> str:
    """What names are compared by: neither case nor spaces nor ways to write a letter make them different."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(one for one in folded if not one.isspace() and unicodedata.category(one) != "Cf")


def mail_domain(address: str) -> str:
    """The host of a mail address, in small letters."""
    return address.rpartition("@")[2].lower()


def _canonical_host(text: str) -> str:
    host = url.named_host(text)
    if host is None or not all(_LABEL.fullmatch(label.replace("_", "a")) for label in host.split(".")):
        raise ValueError("write a host name")
    if suffixes.icann().publicsuffix(host) == host:
        raise ValueError("nobody hosts a whole public suffix; name what is below it")
    return host


def _canonical_network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("write a network as 192.0.2.0/24, with no bit set behind the prefix") from None
    if isinstance(network, ipaddress.IPv6Network) and (
        network.network_address.scope_id or network.network_address.ipv4_mapped
    ):
        raise ValueError("write it without a zone, and an IPv4 network as such")
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError(f"at least /{_WIDEST[network.version]}")
    return str(network)


def _check_mail(address: str) -> None:
    """One plain address (RFC 5321 dot-string), its domain in ASCII or punycode. Raises ValueError."""
    found = _MAIL.fullmatch(address) if len(address) <= LONGEST_MAIL else None
    labels = found["domain"].lower().split(".") if found else []
    if len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("write one mail address, its domain in ASCII or punycode")
