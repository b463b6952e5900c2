"""Requests to addresses that others chose: to the public internet only, never for long, never to some hosts.

A host that may not be called is not even looked up. A name is resolved once, every address it has must be
public, and the connection goes to an address that was looked at: a resolver that answers otherwise a second
time is not asked a second time. No redirect is followed, no proxy of the environment is used, and the body of
an answer is not read.
Sources: RFC 6890 (special addresses), RFC 6052 (NAT64), RFC 3056 (6to4).
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore
import httpx

LONGEST_URL = 2000
"""Characters."""
SECONDS = 15.0
"""How long a request takes in all, whatever the other side does."""
_TIMEOUTS = {"connect": 5.0, "read": 10.0, "write": 10.0, "pool": 5.0}
_MOST_ADDRESSES = 4
_READ_BYTES = 1024
_NAT64 = ip_network("64:ff9b::/96")
_NOT_PUBLIC = (ip_network("192.0.0.0/24"), ip_network("3fff::/20"))
"""Special by now, though not yet to every Python in use."""
_UNICAST_V6 = ip_network("2000::/3")

Resolve = Callable[[str, int], Sequence[str]]
"""Takes (host, port) and returns its IP addresses as text. Raises OSError."""
MayCall = Callable[[str], bool]
"""Whether this service may call a host at all. Asked before the host's name is resolved."""
Option = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Refused(Exception):
    """The address may not be called. The text says why, never the address."""


class Unreachable(Exception):
    """Nobody answered. The text is a kind of failure, never the address."""


def system_resolver(host: str, port: int) -> list[str]:
    """What this machine says of a name. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("not a name") from None
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def is_public(text: str) -> bool:
    """Whether an IP address is global unicast, and so is the IPv4 address it stands for, if any."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return is_public(str(inner))
        if address not in _UNICAST_V6:
            return False
    is_special = any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    return address.is_global and not address.is_multicast and not is_special


def _inside(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class Outgoing:
    """Sends to addresses that others chose. With `allow_private` also to this machine and its neighbours.

    Hosts for which `may_call` is false are refused. `resolve`, `network` and `tls` are the machine's own
    unless a test gives others.
    """

    def __init__(
        self,
        allow_private: bool = False,
        resolve: Resolve = system_resolver,
        network: httpcore.NetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        may_call: MayCall = lambda _host: True,
    ) -> None:
        self.allow_private, self.resolve, self._may_call = allow_private, resolve, may_call
        self.network = network or httpcore.SyncBackend()
        self._given_tls = tls

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or httpx.create_ssl_context()

    def post(self, url: str, headers: Mapping[bytes | str, bytes | str], body: bytes) -> int:
        """Send, and return the answer's status, a redirect's too. Raises Refused and Unreachable."""
        target = parsed(url, self.allow_private)
        if not self._may_call(target.raw_host.decode()):
            raise Refused("this host is not called")
        guard = _Guard(self, time.monotonic() + SECONDS)
        where = httpcore.URL(
            scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
        )
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls, network_backend=guard) as pool,
                pool.stream(
                    "POST", where, headers=headers, content=body, extensions={"timeout": _TIMEOUTS}
                ) as answer,
            ):
                return answer.status
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as failure:
            raise Unreachable(type(failure).__name__) from None


def parsed(url: str, allow_private: bool) -> httpx.URL:
    """An address whose form may be called; its name is looked up only then. Raises Refused."""
    if len(url) > LONGEST_URL:
        raise Refused(f"at most {LONGEST_URL} characters")
    if not all("!" <= letter <= "~" for letter in url) or "\\" in url or "#" in url:
        raise Refused("visible ASCII characters only, without a fragment")
    try:
        found = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise Refused("not an address") from None
    if found.scheme != "https" and not (allow_private and found.scheme == "http"):
        raise Refused("https only")
    host = found.raw_host.decode()
    if not host or found.userinfo:
        raise Refused("name a host, without user name or password")
    if found.port is not None and not allow_private:
        raise Refused("the default port only")
    if not allow_private and _is_literal(host) and not is_public(host):
        raise Refused("not a public address")
    return found


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class _Guard(httpcore.NetworkBackend):
    """Connects for one request, to addresses that were looked at, until the request's time is over."""

    def __init__(self, outgoing: Outgoing, ends: float) -> None:
        self._outgoing, self._ends = outgoing, ends

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Option] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address that takes one. Raises Refused, or what httpcore raises."""
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses(host, port)[:_MOST_ADDRESSES]:
            try:
                stream = self._outgoing.network.connect_tcp(
                    address, port, _left(self._ends, timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                failure = refused
            else:
                return _Timed(stream, self._ends)
        raise failure

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        found = self._outgoing.resolve(host, port)
        if not self._outgoing.allow_private and not all(is_public(address) for address in found):
            raise Refused("the name has an address that is not public")
        return found


class _Timed(httpcore.NetworkStream):
    """A connection that ends with the request's time, however slowly bytes come, and reads little ahead."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream, self._ends = stream, ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Up to a KiB."""
        return self._stream.read(min(max_bytes, _READ_BYTES), _left(self._ends, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of it."""
        self._stream.write(buffer, _left(self._ends, timeout))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Encrypted from here on, to the host of that name."""
        encrypted = self._stream.start_tls(ssl_context, server_hostname, _left(self._ends, timeout))
        return _Timed(encrypted, self._ends)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows of itself."""
        return self._stream.get_extra_info(info)


def _left(ends: float, timeout: float | None) -> float:
    """Seconds for the next step. Raises httpcore.ReadTimeout when the time is over."""
    left = ends - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("over")
    return left if timeout is None else min(left, timeout)
