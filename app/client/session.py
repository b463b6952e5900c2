"""A signed-in connection to a wardlist service: private_key_jwt, tokens renewed as they run out."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.core import jose

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Failed(Exception):
    """The service refused or could not be reached. The text is for people and holds no URL of a list."""

    def __init__(self, message: str, problem: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem = problem or {}


@dataclass(frozen=True)
class Credentials:
    """What `wardlist client add` writes."""

    issuer: str
    token_endpoint: str
    client_id: str
    private_jwk: dict[str, str]

    def __repr__(self) -> str:
        return f"Credentials(client_id={self.client_id!r})"

    @classmethod
    def read(cls, path: Path) -> "Credentials":
        """Read a credential file. Raises Failed."""
        try:
            found = json.loads(path.read_bytes())
            return cls(
                **{name: found[name] for name in ("issuer", "token_endpoint", "client_id", "private_jwk")}
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise Failed(f"{path} is not a credential file of wardlist") from None


class Connection:
    """Requests with a valid token. Use as a context manager. `clock` gives seconds since 1970."""

    def __init__(
        self,
        credentials: Credentials,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.credentials, self.clock = credentials, clock
        self._http = httpx.Client(base_url=credentials.issuer, timeout=60, transport=transport)
        self._token, self._renew_at = "", 0.0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """An answer below 400. Raises Failed with the problem otherwise."""
        answer = self.send(method, path, **options)
        if answer.status_code >= 400:
            raise _failed(answer)
        return answer

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any answer. Raises Failed when there is none."""
        headers = options.pop("headers", {}) | {"Authorization": f"Bearer {self.token()}"}
        try:
            return self._http.request(method, path, headers=headers, **options)
        except httpx.HTTPError as failure:
            raise Failed(f"the service does not answer ({type(failure).__name__})") from None

    @contextmanager
    def stream(self, address: str) -> Iterator[httpx.Response]:
        """An answer to be read as it comes. Raises httpx.HTTPError or Failed."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        with self._http.stream("GET", address, headers=headers) as answer:
            yield answer

    def download(self, path: str, to: Path) -> None:
        """Write an answer to a file, going on where a broken earlier try stopped. Raises Failed."""
        partial = to.with_name(f".{to.name}.partial")
        done = partial.stat().st_size if partial.exists() else 0
        headers = {"Authorization": f"Bearer {self.token()}"} | ({"Range": f"bytes={done}-"} if done else {})
        try:
            with self._http.stream("GET", path, headers=headers) as answer:
                if answer.status_code == 416:
                    partial.unlink()
                    raise Failed("the file changed meanwhile; try again")
                if answer.status_code not in (200, 206):
                    answer.read()
                    raise _failed(answer)
                with partial.open("ab" if answer.status_code == 206 else "wb") as file:
                    for chunk in answer.iter_raw(1 << 16):
                        file.write(chunk)
        except httpx.HTTPError as failure:
            raise Failed(f"the connection broke ({type(failure).__name__}); run it again to go on") from None
        partial.rename(to)

    def token(self) -> str:
        """An access token with at least a minute to live. Raises Failed."""
        if self.clock() >= self._renew_at:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": _ASSERTION,
                "client_assertion": self._assertion(),
            }
            try:
                answer = self._http.post(self.credentials.token_endpoint, data=form)
            except httpx.HTTPError as failure:
                raise Failed(f"the service does not answer ({type(failure).__name__})") from None
            if answer.status_code != 200:
                raise _failed(answer)
            granted = answer.json()
            self._token = granted["access_token"]
            self._renew_at = self.clock() + granted["expires_in"] - 60
        return self._token

    def _assertion(self) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.credentials.client_id,
            "sub": self.credentials.client_id,
            "aud": self.credentials.token_endpoint,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(16),
        }
        return jose.sign(json.dumps(claims).encode(), self.credentials.private_jwk, typ="JWT")


def _failed(answer: httpx.Response) -> Failed:
    try:
        problem = answer.json()
    except ValueError:
        return Failed(f"the service answered {answer.status_code}")
    if "error" in problem:
        return Failed(f"sign-in refused: {problem.get('error_description', problem['error'])}", problem)
    errors = problem.get("errors") or []
    faults = "; ".join(
        (f"entry {error['index']}, " if "index" in error else "") + f"{error['field']}: {error['detail']}"
        for error in errors[:10]
    )
    return Failed(
        f"{problem.get('title', answer.status_code)}. {faults or problem.get('detail', '')}", problem
    )
