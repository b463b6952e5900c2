"""Settings from WARDLIST_* variables, and where things lie under WARDLIST_HOME."""

import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.note import Verifier
from app.platform import setting_forms

UNFINISHED = "UNFINISHED-RESTORE"
"""A file of the home while `wardlist restore` is under way: nothing else works on it."""


class Settings(BaseSettings):
    """Read once at start. A wrong value stops the program with the variable's name."""

    model_config = SettingsConfigDict(env_prefix="WARDLIST_", extra="ignore", frozen=True)

    home: Path = Path("var")
    """Folder of all state: database, keys, published files."""
    database_url: str | None = None
    """SQLAlchemy address; by default SQLite in `home`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    issuer: str | None = None
    """Public base address, no trailing slash: token issuer and audience."""
    log_origin: str = Field(default="wardlist.example/log", min_length=1, max_length=200)
    """Name of the transparency log (C2SP tlog-checkpoint)."""
    log_mark: Path | None = None
    """High-water mark of the log, outside database and backups; by default `home`/mark/log.json."""
    erasure_journal: Path | None = None
    """Ids of destroyed entries, outside database and backups; by default `erasures.jsonl` beside the mark."""
    witnesses: str = ""
    """Witnesses that cosign checkpoints: `VERIFIERKEY ADDRESS`, separated by commas."""
    witness_quorum: int | None = Field(default=None, ge=0)
    """How many of them a checkpoint needs; by default all."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    keep_artefacts: int = Field(default=5, ge=2)
    """How many newest versions of a list keep their files; older ones keep manifest only."""
    sign_ins_per_minute: int = Field(default=300, ge=1, le=1_000_000_000)
    """How many sign-ins an address may try; as many may come at once. So with the four that follow."""
    public_per_minute: int = Field(default=3_000, ge=1, le=1_000_000_000)
    """How much an address may ask without a token, pages of the console included."""
    log_per_minute: int = Field(default=12_000, ge=1, le=1_000_000_000)
    """How many files of the public log an address may ask for."""
    reads_per_minute: int = Field(default=6_000, ge=1, le=1_000_000_000)
    """How much a client or person may read; polls and files of lists have limits of their own."""
    writes_per_minute: int = Field(default=3_000, ge=1, le=1_000_000_000)
    """How much a client or person may write; a batch is one."""
    head_seconds: float = Field(default=20, gt=0, le=3600)
    """How long a connection may take to bring a request's headers."""
    body_seconds: float = Field(default=30, gt=0, le=3600)
    """How long a request's body may take, besides a second for each 16 KiB of it."""
    reading_seconds: float = Field(default=60, gt=0, le=3600)
    """How long whoever asked may read nothing of what he is sent."""
    connections: int = Field(default=20_000, ge=1)
    """How many a process holds at once, and how many of one address; of trusted proxies, all it can."""
    connections_per_address: int = Field(default=2_000, ge=1)
    trusted_hosts: str = ""
    """Names besides those of `issuer` that requests may be addressed to, separated by commas."""
    key_days: str = Field(default="", pattern=r"^([a-z]+=[0-9]{1,5}(,|$))*$")
    """After how many days a role's key is to be changed: `token=30,list=180`; the others keep theirs."""
    key_warn_days: int = Field(default=30, ge=1, le=1000)
    """How many days before a key is to be changed, or root or register end, that is said."""
    poll_burst: int = Field(default=10, ge=1, le=1_000_000_000)
    """How many polls in a row a client may make for nothing before a list's `min_poll_seconds` holds."""
    store: str = ""
    """Object store that gets a copy of all that is published: `s3://BUCKET/PREFIX` or `file:///FOLDER`."""
    store_endpoint: str | None = None
    """Address of an S3 service other than Amazon's."""
    store_region: str | None = None
    """Region of the bucket; by default that of AWS_REGION. Credentials are those of AWS_* variables."""
    store_allow_http: bool = False
    """Whether the store may be spoken to without TLS."""
    store_follow: bool = False
    """Whether machines share this store and no folder: each brings what others published from it."""
    canary_suffixes: str = ""
    """Names the operator owns, separated by commas: below them lie canary entries, other ones a provider."""
    webhook_allow_private: bool = False
    """Whether webhooks and peers may be called at private addresses, on any port and without TLS."""
    smtp_host: str | None = None
    """Mail server that notices are handed to; without one, none goes by mail."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` sends addresses of material in clear: for a server on this machine only."""
    smtp_user: str | None = None
    smtp_password_file: Path | None = None
    mail_from: str | None = None
    """Address that notices come from; its domain is that of the DKIM signature."""
    dkim_selector: str = Field(default="wardlist", pattern=r"^[a-z0-9-]{1,63}$")
    notice_link_days: int = Field(default=14, ge=1, le=90)
    """How long the link in a notice can be answered."""
    appeals_per_hour: int = Field(default=20, ge=1, le=1_000_000)
    """How many appeals are taken from one address in an hour; from all together 50 times that."""
    peer_referrals_per_day: int = Field(default=1000, ge=1, le=1_000_000)
    """How many referrals are taken from one peer in a day: each asks reviewers here for their time."""
    help_page: str | None = Field(default=None, pattern=r"^https?://[^\s\"<>]{1,500}$")
    """Address of a page about help near the reader, where the stop page leads those who click."""
    trusted_proxies: str = ""
    """Addresses or networks of reverse proxies, separated by commas, whose X-Forwarded-For is believed."""

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'wardlist.db'}"

    @property
    def address(self) -> str:
        """The public base address in force: the setting, or where the last `serve` listened."""
        if self.issuer:
            return self.issuer.rstrip("/")
        served = self.home / "address"
        if not {"host", "port"} & self.model_fields_set and served.exists():
            return served.read_text().strip()
        return f"http://{self.host}:{self.port}"

    @property
    def console(self) -> str:
        """The console's origin: that of the public address, with a name where that has this machine's.

        A passkey is bound to a host name, never to an IP address.
        """
        place = urlsplit(self.address)
        name = "localhost" if place.hostname in ("127.0.0.1", "::1", "0.0.0.0") else place.hostname  # noqa: S104 - compared
        return f"{place.scheme}://{name}" + (f":{place.port}" if place.port else "")

    @property
    def canary_names(self) -> list[str]:
        """The names below which canary entries lie."""
        return [part.strip().strip(".").lower() for part in self.canary_suffixes.split(",") if part.strip()]

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str) -> str:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return ",".join(
            str(ipaddress.ip_network(part)).removesuffix("/32").removesuffix("/128") for part in parts
        )

    @field_validator("store")
    @classmethod
    def _store_address(cls, text: str) -> str:
        place = urlsplit(text)
        is_bucket = place.scheme == "s3" and place.netloc and "@" not in place.netloc
        is_folder = place.scheme == "file" and not place.netloc and place.path.strip("/")
        if text and not (is_bucket or is_folder):
            raise ValueError("write s3://BUCKET/PREFIX or file:///FOLDER")
        return text

    _database = field_validator("database_url")(setting_forms.database)
    _issuer = field_validator("issuer")(setting_forms.origin)
    _key_days = field_validator("key_days")(setting_forms.key_days)

    @field_validator("store_follow")
    @classmethod
    def _has_store(cls, follows: bool, others: ValidationInfo) -> bool:
        if follows and not others.data.get("store", "unread"):
            raise ValueError("set WARDLIST_STORE to the store that is followed")
        return follows

    @field_validator("witness_quorum")
    @classmethod
    def _can_be_reached(cls, quorum: int | None, others: ValidationInfo) -> int | None:
        there = len(_witnesses(others.data.get("witnesses", "")))
        if "witnesses" in others.data and quorum is not None and quorum > there:
            raise ValueError(f"{quorum} is more than the {there} witnesses of WARDLIST_WITNESSES")
        return quorum

    @field_validator("witnesses")
    @classmethod
    def _pairs(cls, text: str) -> str:
        _witnesses(text)
        return text

    @property
    def witnesses_configured(self) -> list[tuple[Verifier, str]]:
        """(key, base address) of each witness."""
        return _witnesses(self.witnesses)

    @property
    def keys(self) -> Path:
        """Folder of the online private keys, mode 0700."""
        return self.home / "keys"

    @property
    def offline(self) -> Path:
        """Folder where `wardlist init` leaves the root keys, to be moved away."""
        return self.home / "offline"

    @property
    def exports(self) -> Path:
        """Folder of auditors' exports, each kept for a day."""
        return self.home / "exports"

    @property
    def log(self) -> Path:
        """Folder of the public log."""
        return self.home / "log"

    @property
    def mark(self) -> Path:
        """Where the log's high-water mark is kept."""
        return self.log_mark or self.home / "mark" / "log.json"

    @property
    def key_days_by_role(self) -> dict[str, int]:
        """`key_days` as numbers."""
        pairs = (pair.partition("=") for pair in self.key_days.split(",") if pair)
        return {role: int(days) for role, _, days in pairs}

    @property
    def erasures(self) -> Path:
        """Where the journal of erasures is kept."""
        return self.erasure_journal or self.mark.with_name("erasures.jsonl")

    @property
    def public(self) -> Path:
        """Folder of the TUF repository."""
        return self.home / "tuf"


def _witnesses(text: str) -> list[tuple[Verifier, str]]:
    found = []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, address = pair.partition(" ")
        if not address.strip().startswith(("http://", "https://")):
            raise ValueError("write VERIFIERKEY ADDRESS, with commas between witnesses")
        found.append((Verifier.parse_witness(key), address.strip()))
    return found
