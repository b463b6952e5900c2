"""The sockets that a server of ours listens on, bound before it says so."""

import errno
import socket
from typing import Any

_BACKLOG = 2048


class Unavailable(Exception):
    """The address cannot be listened on. The text says why, and what to do."""


def listening(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of the host that this machine has. Who connects waits for a server.

    Raises Unavailable; then nothing is left open.
    """
    bound: list[socket.socket] = []
    failed: OSError | None = None
    for family, address in _addresses(host, port):
        try:
            bound.append(_bound(family, address))
        except OSError as failure:
            failed = failure
            if failure.errno == errno.EADDRINUSE:
                for one in bound:
                    one.close()
                raise Unavailable(f"port {port} is taken; --port chooses another") from None
    if failed and not bound:
        raise Unavailable(f"cannot listen on {host}, port {port}: {failed.strerror}")
    return bound


def shared(host: str, port: int, number: int) -> list[list[socket.socket]]:
    """What `listening` gives, once for each of so many processes: the system deals connections out evenly.

    Raises Unavailable, also where another program shares the port already.
    """
    probes = listening(host, port)
    places = [(one.family, one.getsockname()) for one in probes]
    for one in probes:
        one.close()
    return [[_bound(family, place, is_shared=True) for family, place in places] for _ in range(number)]


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as failure:
        raise Unavailable(f"cannot listen on {host}: {failure.strerror}") from None
    return list(dict.fromkeys((family, address) for family, *_, address in found))


def _bound(family: int, address: Any, is_shared: bool = False) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made
