"""A signed-in connection to a wardlist service: private_key_jwt, tokens renewed as they run out."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from app.core import jose

_LATER = (429, 503)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Failed(Exception):
    """The service refused or could not be reached. The text is for people and holds no URL of a list.

    `status` is that of the answer, if there was one; `retry_after_seconds` what it asked for.
    """

    def __init__(
        self, message: str, problem: dict[str, Any] | None = None, answer: httpx.Response | None = None
    ) -> None:
        super().__init__(message)
        self.problem = problem or {}
        self.status = answer.status_code if answer is not None else None
        self.retry_after_seconds = _retry_after(answer) if answer is not None else None


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
        self.clock_ahead_seconds = 0.0
        """How far this machine's clock was ahead of the service's at its last answer (RFC 9110, Date)."""
        hooks = {"response": [self._compare_clocks]}
        headers = {"Accept-Encoding": "gzip"}
        self._http = httpx.Client(
            base_url=credentials.issuer, timeout=60, transport=transport, event_hooks=hooks, headers=headers
        )
        self._token, self._renew_at = "", 0.0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """An answer below 400. Raises Failed with the problem otherwise."""
        answer = self.send(method, path, **options)
        if answer.status_code >= 400:
            raise failed(answer)
        return answer

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any answer. Raises Failed when there is none.

        A token that is refused is renewed once: this machine's clock may have gone back.
        """
        given = options.pop("headers", {})
        try:
            answer = self._http.request(method, path, headers=self._signed_in(given), **options)
            if answer.status_code == 401:
                self._renew_at = 0.0
                answer = self._http.request(method, path, headers=self._signed_in(given), **options)
            return answer
        except httpx.HTTPError as failure:
            raise Failed(f"the service does not answer ({type(failure).__name__})") from None

    @contextmanager
    def stream(self, address: str) -> Iterator[httpx.Response]:
        """An answer to be read as it comes. Raises httpx.HTTPError or Failed.

        Of encodings gzip alone is taken: others make much more of a few bytes.
        """
        with self._http.stream("GET", address, headers=self._signed_in({})) as answer:
            if answer.status_code == 401:
                self._renew_at = 0.0
            if answer.headers.get("Content-Encoding", "identity").lower() not in ("identity", "gzip"):
                raise Failed("the service answered in an encoding that was not asked for")
            if answer.status_code in _LATER:
                answer.read()
                raise failed(answer)
            yield answer

    def download(self, path: str, to: Path) -> None:
        """Write an answer to a file, going on where a broken earlier try stopped. Raises Failed."""
        partial = to.with_name(f".{to.name}.partial")
        done = partial.stat().st_size if partial.exists() else 0
        headers = self._signed_in({"Range": f"bytes={done}-"} if done else {})
        try:
            with self._http.stream("GET", path, headers=headers) as answer:
                if answer.status_code == 416:
                    partial.unlink()
                    raise Failed("the file changed meanwhile; try again")
                if answer.status_code not in (200, 206):
                    answer.read()
                    raise failed(answer)
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
                raise failed(answer)
            granted = answer.json()
            self._token = granted["access_token"]
            self._renew_at = self.clock() + granted["expires_in"] - 60
        return self._token

    def _signed_in(self, headers: dict[str, str]) -> dict[str, str]:
        return headers | {"Authorization": f"Bearer {self.token()}"}

    def _compare_clocks(self, answer: httpx.Response) -> None:
        stated = _moment(answer.headers.get("Date", ""))
        if stated is not None:
            self.clock_ahead_seconds = self.clock() - stated

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


def failed(answer: httpx.Response) -> Failed:
    """What an answer of 400 or above says."""
    try:
        problem = answer.json()
        if not isinstance(problem, dict):
            raise ValueError
    except ValueError:
        return Failed(f"the service answered {answer.status_code}", answer=answer)
    if "error" in problem:
        words = f"sign-in refused: {problem.get('error_description', problem['error'])}"
        return Failed(words, problem, answer)
    errors = problem.get("errors") or []
    faults = "; ".join(
        (f"entry {error['index']}, " if "index" in error else "") + f"{error['field']}: {error['detail']}"
        for error in errors[:10]
    )
    return Failed(
        f"{problem.get('title', answer.status_code)}. {faults or problem.get('detail', '')}", problem, answer
    )


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds, stated so or as a moment (RFC 9110, section 10.2.3)."""
    stated = answer.headers.get("Retry-After", "")
    if stated.isdecimal() and len(stated) < 10:
        return float(stated)
    until, now = _moment(stated), _moment(answer.headers.get("Date", ""))
    return max(0.0, until - now) if until is not None and now is not None else None


def _moment(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
