"""The online keys of TUF's roles: from a file, a variable, or a device through securesystemslib.

A role may have several keys at hand while one replaces another. Which of them signs is not said here: it is
the one that the metadata in force delegates to. The first is the one that is wanted. By default a role has a
file `<role>.pem` in `keys/tuf/next`, if there is one there, in `keys/tuf`, and in `keys/tuf/leaving`.

`WARDLIST_KEY_<ROLE>` names other places, the wanted one first, separated by commas: `file:` and `env:` (PEM
of PKCS 8, or 32 bytes of Ed25519 in hex), `hsm:` (PKCS#11, ECDSA on P-256 or P-384; its library in
PYKCS11LIB, its PIN where `WARDLIST_KEY_PIN` says), or what else securesystemslib signs with, as `awskms:`.
For those the public half lies beside, as `keys/public/<role>.pem`: not every service gives it out.
"""

from collections.abc import Container
from pathlib import Path
from urllib.parse import parse_qsl

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, HSMSigner, Signer, SSlibKey

from app.platform.files import private_folder, write_atomically
from app.platform.key_files import FILE, VARIABLE, KeyUnusable, Source, missing, source, stated, variable_of
from app.platform.key_forms import LIST as LIST
from app.platform.key_forms import ONLINE as ONLINE
from app.platform.key_forms import PIN
from app.platform.public_keys import FOLDER

TUF, NEXT, LEAVING = "tuf", "next", "leaving"
HSM = HSMSigner.SCHEME
_CURVES = ("secp256r1", "secp384r1")


class Signers:
    """The keys of all roles of a folder of keys. Each is read anew when its file changed."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys
        self._known: dict[str, tuple[object, Signer]] = {}

    def file(self, role: str, folder: str = "") -> Path:
        """Where a role's key lies by default; the next one and the one that goes in their folder."""
        return self._keys / TUF / folder / f"{role}.pem"

    def sources(self, role: str) -> list[Source]:
        """Where a role's keys are, the wanted one first. Raises KeyUnusable."""
        own = [Source(role, FILE, str(self.file(role, folder))) for folder in (NEXT, "", LEAVING)]
        return stated(role) or [one for one in own if one.is_here]

    def at_hand(self, role: str) -> list[Signer]:
        """A role's keys, the wanted one first. Raises KeyUnusable when there is none, or one is none."""
        found = [self.one(one) for one in self.sources(role)]
        if not found:
            raise missing(self.file(role), role)
        return found

    def wanted(self, role: str) -> Signer:
        """The key that a role is to have; made as a file when there is none anywhere."""
        if not self.sources(role):
            make(self.file(role))
        return self.at_hand(role)[0]

    def of(self, role: str, required: Container[str], welcome: Container[str] = ()) -> list[Signer]:
        """Those of a role's keys whose key ids are required or welcome.

        Raises KeyUnusable when no required one is here.
        """
        here = self.at_hand(role)
        if not any(one.public_key.keyid in required for one in here):
            raise KeyUnusable(
                f"no key of {role} that is here is the one that the signed metadata names: "
                f"restore {self.file(role)} from a backup, or name its place in {variable_of(role)}",
                role,
            )
        return [one for one in here if one.public_key.keyid in required or one.public_key.keyid in welcome]

    def require_online(self) -> None:
        """Raises KeyUnusable when the roles that root names have no keys here."""
        for role in ONLINE:
            self.at_hand(role)

    def one(self, at: Source) -> Signer:
        """The key in one place. Raises KeyUnusable."""
        mark, known = at.mark(), self._known.get(str(at))
        if known is None or known[0] != mark:
            made = _from_text(at) if at.scheme in (FILE, VARIABLE) else self._from_device(at)
            known = self._known[str(at)] = mark, made
        return known[1]

    def _from_device(self, at: Source) -> Signer:
        if at.scheme not in SIGNER_FOR_URI_SCHEME:
            raise KeyUnusable(f"{variable_of(at.role)}: nothing here signs with {at.scheme}:")
        if at.scheme == HSM:
            return _in_hsm(at)
        try:
            return Signer.from_priv_key_uri(str(at), self._public_beside(at), _pin)
        except UnsupportedLibraryError as missing:
            raise KeyUnusable(f"{variable_of(at.role)}: {missing}") from None
        except (ValueError, OSError) as wrong:
            raise KeyUnusable(f"{variable_of(at.role)}: {at.scheme}: gives no key: {wrong}") from None

    def _public_beside(self, at: Source) -> SSlibKey:
        path = self._keys / FOLDER / f"{at.role}.pem"
        try:
            return SSlibKey.from_crypto(serialization.load_pem_public_key(path.read_bytes()))
        except OSError:
            raise KeyUnusable(
                f"{path} is missing: the public half (PEM) of what {at.scheme}: signs"
            ) from None


def make(path: Path) -> None:
    """A fresh Ed25519 key as a file of mode 0600; one that exists stays, and so does a folder that does."""
    if path.exists():
        return
    if not path.parent.exists():
        private_folder(path.parent)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomically(path, pem, mode=0o600)


def make_next(keys: Path, role: str) -> None:
    """Make the key that is to follow a role's file. Raises KeyUnusable for one that lies elsewhere."""
    if stated(role):
        raise KeyUnusable(
            f"put the new key's place in front in {variable_of(role)}, and leave the old one behind it"
        )
    make(Signers(keys).file(role, NEXT))


def offline_signer(place: str) -> Signer:
    """An offline key: a file, or `hsm:NUMBER?label=TOKEN`. Raises KeyUnusable."""
    scheme, colon, rest = place.partition(":")
    if colon and scheme == HSM:
        return _in_hsm(Source("root", HSM, rest))
    return _from_text(Source("root", FILE, place))


def public_pem(path: Path) -> bytes:
    """The public half of a key's file. Raises KeyUnusable."""
    private = _private(Source("root", FILE, str(path)))
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _from_text(at: Source) -> Signer:
    return CryptoSigner(_private(at))


def _private(at: Source) -> Ed25519PrivateKey | EllipticCurvePrivateKey:
    text = at.read().strip()
    try:
        if not text.startswith("-----BEGIN"):
            return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
        private = serialization.load_pem_private_key(text.encode(), password=None)
        if isinstance(private, Ed25519PrivateKey) or (
            isinstance(private, EllipticCurvePrivateKey) and private.curve.name in _CURVES
        ):
            return private
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise KeyUnusable(f"the key of {at.role} in {at} is neither Ed25519 nor ECDSA on P-256 or P-384")


def _in_hsm(at: Source) -> Signer:
    number, _, query = at.place.partition("?")
    if not number.isdigit():
        raise KeyUnusable("write hsm:NUMBER?label=TOKEN")
    label = dict(parse_qsl(query)).get("label")
    try:
        public = HSMSigner.import_(int(number), label, _pin)[1]
        return HSMSigner(int(number), public, _pin, label)
    except UnsupportedLibraryError as missing:
        raise KeyUnusable(f"{at}: {missing}") from None
    except KeyUnusable:
        raise
    except Exception as failure:
        # A library of the device's maker is behind this: what it raises is its own.
        raise KeyUnusable(f"{at} gives no key: {type(failure).__name__} {failure}") from None


def _pin(_what: str) -> str:
    if not stated(PIN):
        raise KeyUnusable(f"set {variable_of(PIN)} to where the device's PIN is: file:PATH or env:NAME")
    return source(PIN, Path()).read().strip()
