"""A console's user without a browser: a passkey in software, and forms over HTTP as a browser sends them.

Cookies are kept by hand, so that a test can steal, keep or plant one. What an honest passkey or browser would
not do is a named argument of `Passkey` and `WebClient`.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

from app.core import jose
from app.core.terms import Kind
from tests.programs.browser import Invited, certify, invite
from tests.programs.service import Service

PRESENT, VERIFIED, _ATTESTED = 0x01, 0x04, 0x40
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass
class Passkey:
    """One ES256 credential. Members are what it answers with; give others to have it answer falsely."""

    origin: str
    rp_id: str
    flags: int = PRESENT | VERIFIED
    count: int = 0
    more: bytes = b""
    """What stands behind the counter in its assertions."""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def made(self, options: dict[str, Any], **said: Any) -> str:
        """The answer to `navigator.credentials.create()`; `said` replaces members of the client data."""
        numbers = self.private.public_key().public_numbers()
        point = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        length = len(self.credential_id).to_bytes(2, "big")
        attested = bytes(16) + length + self.credential_id + encode_cbor({1: 2, 3: -7, -1: 1, **point})
        data = self._data(self.flags | _ATTESTED) + attested
        response = {
            "clientDataJSON": jose.encode(self._said("webauthn.create", options, said)),
            "attestationObject": jose.encode(encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal"],
        }
        return self._answer(response)

    def asserted(self, options: dict[str, Any], **said: Any) -> str:
        """The answer to `navigator.credentials.get()`; `said` replaces members of the client data."""
        self.count += 1
        client_data = self._said("webauthn.get", options, said)
        data, signature = self.over(client_data)
        response = {
            "clientDataJSON": jose.encode(client_data),
            "authenticatorData": jose.encode(data),
            "signature": jose.encode(signature),
        }
        return self._answer(response)

    def over(self, client_data: bytes) -> tuple[bytes, bytes]:
        """The authenticator's data, and its signature over that and what the browser says."""
        data = self._data(self.flags)
        signed = data + self.more + hashlib.sha256(client_data).digest()
        return data + self.more, self.private.sign(signed, ec.ECDSA(hashes.SHA256()))

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _said(self, kind: str, options: dict[str, Any], said: dict[str, Any]) -> bytes:
        members = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps({**members, "crossOrigin": False, **said}, separators=(",", ":")).encode()

    def _answer(self, response: dict[str, Any]) -> str:
        name = jose.encode(self.credential_id)
        return json.dumps(
            {
                "id": name,
                "rawId": name,
                "type": "public-key",
                "response": response,
                "clientExtensionResults": {},
            }
        )


class WebClient:
    """A browser of somebody invited: enrolled and signed in, or with `invited=None` a stranger's.

    `origin` and `fetch_site` are what the browser says of where a form was sent from; None leaves it out.
    """

    def __init__(
        self, service: Service, invited: Invited | None = None, passkey: Passkey | None = None
    ) -> None:
        site = urlsplit(service.settings.console)
        self.service, self.invited = service, invited
        self.origin: str | None = service.settings.console
        self.fetch_site: str | None = "same-origin"
        self.passkey = passkey or Passkey(service.settings.console, site.hostname or "")
        self.cookies: dict[str, str] = {}
        self._host, self._http = site.netloc, httpx.Client(base_url=service.address, timeout=30)
        self._csrf: tuple[str, str] = ("", "")
        if invited:
            assert self.enrol(invited.token).status_code == 200
            assert self.sign_in().status_code == 303

    def close(self) -> None:
        """Forget the connections."""
        self._http.close()

    def get(self, path: str, /, **headers: str) -> httpx.Response:
        """A page; a redirect is not followed."""
        return self._send("GET", path, None, headers)

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """A page whose body is not read yet, or never ends."""
        with self._http.stream("GET", path, headers=self._headers("GET", {})) as answer:
            yield answer

    def post(self, path: str, fields: dict[str, str] | None = None, /, **headers: str) -> httpx.Response:
        """Send a form of this session; `csrf` among the fields takes the place of the session's."""
        return self._send("POST", path, {"csrf": self.csrf(), **(fields or {})}, headers)

    def csrf(self) -> str:
        """What forms of this session carry, as its own pages have it; empty when signed out."""
        cookie = self.cookies.get(self.cookie_name, "")
        if cookie and self._csrf[0] != cookie:
            found = CSRF.search(self.get("/console/account").text)
            self._csrf = (cookie, found[1] if found else "")
        return self._csrf[1] if cookie else ""

    @property
    def cookie_name(self) -> str:
        """The session's."""
        return "__Host-wardlist" if self.service.settings.console.startswith("https:") else "wardlist"

    def options(self, where: str, fields: dict[str, str] | None = None) -> dict[str, Any]:
        """What a form's passkey is asked: `ceremony` and `publicKey`."""
        answer = self.post(f"{where}/options", fields)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def signed_fields(self, asked: dict[str, Any], **said: Any) -> dict[str, str]:
        """The fields that a passkey's answer adds to a form."""
        return {"ceremony": asked["ceremony"], "answer": self.passkey.asserted(asked["publicKey"], **said)}

    def signed_post(self, where: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Send a form that the passkey signs; a refusal to ask for the signature is the answer too."""
        asked = self.post(f"{where}/options", fields)
        if asked.status_code != 200:
            return asked
        return self.post(where, {**(fields or {}), **self.signed_fields(asked.json())})

    def enrol(self, token: str, label: str = "laptop") -> httpx.Response:
        """Use an invitation."""
        asked = self.post("/console/enrol/options", {"invitation": token})
        if asked.status_code != 200:
            return asked
        made = self.passkey.made(asked.json()["publicKey"])
        fields = {"invitation": token, "label": label, "ceremony": asked.json()["ceremony"], "answer": made}
        return self.post("/console/enrol", fields)

    def sign_in(self, **said: Any) -> httpx.Response:
        """Begin a session; `said` replaces members of the client data."""
        return self.post("/console/sign-in", self.signed_fields(self.options("/console/sign-in"), **said))

    def _send(
        self, method: str, path: str, fields: dict[str, str] | None, more: dict[str, str]
    ) -> httpx.Response:
        content = None if fields is None else urlencode(fields)
        answer = self._http.request(method, path, content=content, headers=self._headers(method, more))
        self._keep(answer)
        return answer

    def _headers(self, method: str, more: dict[str, str]) -> httpx.Headers:
        said = {"Host": self._host, "Sec-Fetch-Site": self.fetch_site}
        said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            said |= {"Origin": self.origin, "Content-Type": "application/x-www-form-urlencoded"}
        return httpx.Headers({name: value for name, value in {**said, **more}.items() if value}, "latin-1")

    def _keep(self, answer: httpx.Response) -> None:
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def signed_in_client(service: Service, kind: Kind, **more: Any) -> WebClient:
    """Somebody new, made as `browser.invite` does, signed in; a reviewer's passkey is certified."""
    invited = invite(service, kind, **more)
    found = WebClient(service, invited)
    if kind is Kind.REVIEW_BODY:
        certify(service, invited)
    return found
