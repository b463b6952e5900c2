"""A signed-in connection to a wardlist service: private_key_jwt, tokens renewed as they run out."""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from app.core import jose

LATER = (429, 503)
"""The service asks to come later."""
_FAULT = 500
_LARGEST_ANSWER = 64 * 1024 * 1024
_PATIENCE_SECONDS, _LEAST_BYTES_PER_SECOND = 120.0, 10_000
_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")
_TOKEN = re.compile(r"[\x21-\x7e]+")
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


class Patience:
    """Time for an answer of so many bytes: one that drips in for ever is an attack."""

    def __init__(self, bytes_expected: int) -> None:
        self._ends = time.monotonic() + _PATIENCE_SECONDS + bytes_expected / _LEAST_BYTES_PER_SECOND

    def check(self) -> None:
        """Raise Failed when the time is over."""
        if time.monotonic() > self._ends:
            raise Failed("the service answers too slowly")


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
        except OSError as failure:
            raise Failed(f"the credential file {path} cannot be read: {failure.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise Failed(f"{path} is not a credential file of wardlist") from None


class Connection:
    """Requests with a valid token. Use as a context manager.

    `clock` gives seconds since 1970. `timeout_seconds` is how long the service may say nothing at all; it
    holds a poll for less.
    """

    def __init__(
        self,
        credentials: Credentials,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        timeout_seconds: float = 60.0,
    ) -> None:
        self.credentials, self.clock = credentials, clock
        self.clock_ahead_seconds = 0.0
        """How far this machine's clock was ahead of the service's at its last answer (RFC 9110, Date)."""
        hooks = {"response": [self._compare_clocks]}
        headers = {"Accept-Encoding": "gzip"}
        self._http = httpx.Client(
            base_url=credentials.issuer,
            timeout=timeout_seconds,
            transport=transport,
            event_hooks=hooks,
            headers=headers,
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
        answer = self._whole(method, path, headers=self._signed_in(given), **options)
        if answer.status_code == 401:
            self._renew_at = 0.0
            # Who may not sign in any more is refused twice; the first word says to what.
            with suppress(Failed):
                answer = self._whole(method, path, headers=self._signed_in(given), **options)
        return answer

    @contextmanager
    def stream(self, address: str) -> Iterator[httpx.Response]:
        """An answer to be read as it comes. Raises httpx.HTTPError or Failed.

        Of encodings gzip alone is taken: others make much more of a few bytes.
        """
        with self._http.stream("GET", address, headers=self._signed_in({})) as answer:
            if answer.status_code == 401:
                self._renew_at = 0.0
            _check_encoding(answer)
            if answer.status_code in LATER or answer.status_code >= _FAULT:
                raise failed(_read(answer))
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
                    raise failed(_read(answer))
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
            answer = self._whole("POST", self.credentials.token_endpoint, data=form)
            if answer.status_code != 200:
                raise failed(answer)
            granted = parsed(answer)
            try:
                token, seconds = str(granted["access_token"]), float(granted["expires_in"])
            except (ValueError, KeyError, TypeError):
                raise Failed("the service answered a sign-in with something else than a token") from None
            if not _TOKEN.fullmatch(token):
                raise Failed("the service answered a sign-in with something else than a token")
            self._token, self._renew_at = token, self.clock() + seconds - 60
        return self._token

    def _whole(self, method: str, address: str, **options: Any) -> httpx.Response:
        """Any answer, read to its end. Raises Failed."""
        try:
            with self._http.stream(method, address, **options) as answer:
                return _read(answer)
        except httpx.HTTPError as failure:
            raise Failed(f"the service does not answer ({type(failure).__name__})") from None

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
        return _explained(parsed(answer), answer)
    except (Failed, KeyError, TypeError, AttributeError):
        return Failed(f"the service answered {answer.status_code}", answer=answer)


def parsed(answer: httpx.Response) -> Any:
    """The JSON of an answer. Raises Failed."""
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise Failed("the service answered with something else than JSON", answer=answer) from None


def _explained(problem: dict[str, Any], answer: httpx.Response) -> Failed:
    """Raises KeyError, TypeError or AttributeError when it is no problem document (RFC 9457)."""
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


def _read(answer: httpx.Response) -> httpx.Response:
    """The answer with its body, which may be neither endless nor endlessly slow.

    Raises Failed or httpx.HTTPError.
    """
    _check_encoding(answer)
    stated = answer.headers.get("Content-Length", "0")
    expected = int(stated) if stated.isdecimal() and len(stated) < 10 else 0
    patience, body = Patience(min(expected, _LARGEST_ANSWER)), bytearray()
    for chunk in answer.iter_bytes():
        patience.check()
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise Failed("the service answers with more than any answer can hold")
    kept = [(name, value) for name, value in answer.headers.multi_items() if name not in _OF_THE_WIRE]
    return httpx.Response(answer.status_code, headers=kept, content=bytes(body), request=answer.request)


def _check_encoding(answer: httpx.Response) -> None:
    if answer.headers.get("Content-Encoding", "identity").lower() not in ("identity", "gzip"):
        raise Failed("the service answered in an encoding that was not asked for")


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
