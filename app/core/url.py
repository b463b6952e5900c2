"""URLs: the canonical form, what an entry covers, and what a hotline may submit.

`canonicalise` follows the published Safe Browsing rules (v4, "URLs and Hashing") on top of WHATWG URL
parsing by ada; ada alone gives the browser's reading, the rules fold spellings of the same address
together. Scheme, port, user name and fragment play no part in matching.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import ada_url

from app.core import suffixes

SCHEMES = ("http", "https", "ftp")
LONGEST = 2048
_MAX_HOSTS, _MAX_PREFIXES = 5, 4
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_LABEL = re.compile(r"[^.]{1,63}")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class _Parts(NamedTuple):
    """Byte strings as Latin-1 text: one character per byte."""

    scheme: str
    host: str
    path: str
    query: str | None


def canonicalise(raw: str | bytes) -> str | None:
    """The Safe Browsing canonical form (ASCII), or None without a host or with another scheme.

    Canonicalising the result again changes nothing.
    """
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    text = re.sub(r"[\t\r\n]", "", data.decode("latin-1").strip(" ")).split("#", 1)[0]
    if "://" not in text and not _SCHEME.match(text):
        text = _unescape(text).split("#", 1)[0]
    parts = _parse(text)
    if parts is None:
        return None
    host = _host(parts.host)
    if not host:
        return None
    path = _escape(_path(_unescape(parts.path)), "?\\")
    query = "" if parts.query is None else "?" + _escape(_unescape(parts.query), "")
    return f"{parts.scheme}://{host}{path}{query}"


def _parse(text: str) -> _Parts | None:
    scheme = _SCHEME.match(text)
    if "://" not in text:
        if scheme and scheme[1].lower() == "mailto":
            return None
        text = "http://" + text
    name, rest = text.split("://", 1)
    name = name.lower()
    authority = re.split(r"[/?\\]", rest, maxsplit=1)[0]
    if name not in SCHEMES or not authority:
        return None
    return _by_browser(name, authority, rest) or _by_hand(name, authority, rest)


def _by_browser(scheme: str, authority: str, rest: str) -> _Parts | None:
    """As ada reads it; None where WHATWG refuses what Safe Browsing still gives a form."""
    try:
        host = authority.encode("latin-1").decode()
        beyond = "".join(_percent(c) if c > "~" else c for c in rest[len(authority) :])
        parsed = ada_url.URL(f"{scheme}://{host}{beyond}")
    except (ValueError, UnicodeDecodeError):
        return None
    query = parsed.search[1:] if parsed.search else ("" if "?" in parsed.href else None)
    return _Parts(scheme, parsed.hostname, parsed.pathname, query)


def _by_hand(scheme: str, authority: str, rest: str) -> _Parts:
    host = re.sub(r":[0-9]*\Z", "", authority.rsplit("@", 1)[-1])
    path, mark, query = rest[len(authority) :].partition("?")
    return _Parts(scheme, host, path or "/", query if mark else None)


def _host(host: str) -> str:
    host = _unescape(host)
    if not host.startswith("["):
        host = _a_labels(re.sub(r"\.+", ".", host).strip(".").lower())
        host = re.sub(r"\.+", ".", host).strip(".")
    return ipv4(host) or _ipv6(host) or _escape(host, "/:?@[]\\")


def _a_labels(host: str) -> str:
    """IDNs to A-labels, where the bytes are UTF-8 that a browser takes as a host."""
    try:
        decoded = host.encode("latin-1").decode()
        return host if decoded.isascii() else str(ada_url.URL(f"http://{decoded}/").hostname)
    except (ValueError, UnicodeDecodeError):
        return host


def ipv4(host: str) -> str | None:
    """Any inet_aton spelling as four decimal numbers, or None.

    Parts may be decimal, octal (0...) or hexadecimal (0x...); the last one fills what is left. Too large
    parts are cut to their bits, whatever follows a space is ignored, and one part with a leading zero that
    cannot be octal makes all decimal, as Safe Browsing's vectors do.
    """
    parts = host.split(" ", 1)[0].split(".")
    if not 1 <= len(parts) <= 4:
        return None
    octal = not any(re.fullmatch(r"0[0-9]*[89][0-9]*", part) for part in parts)
    numbers = [_number(part, octal) for part in parts]
    if None in numbers:
        return None
    *leading, last = [number or 0 for number in numbers]
    value = 0
    for number in leading:
        value = value << 8 | number & 0xFF
    bits = 8 * (4 - len(leading))
    return str(ipaddress.IPv4Address(value << bits | last & (1 << bits) - 1))


def _number(part: str, octal: bool) -> int | None:
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,64}", part):
        return int(part, 16)
    if octal and re.fullmatch(r"0[0-7]{1,64}", part):
        return int(part, 8)
    return int(part) if re.fullmatch(r"[0-9]{1,64}", part) else None


def _ipv6(host: str) -> str | None:
    if not (host.startswith("[") and host.endswith("]")):
        return None
    try:
        address = ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        return None
    if address.scope_id:
        return None
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    if address in _NAT64:
        return str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return f"[{address}]"


def _path(path: str) -> str:
    """Dot segments resolved, repeated slashes collapsed, at least one slash."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            kept[-1:] = []
        elif segment not in ("", "."):
            kept.append(segment)
    closed = segments[-1] in ("", ".", "..") and kept
    return "/" + "/".join(kept) + ("/" if closed else "")


def _unescape(text: str) -> str:
    """Percent-decode until nothing changes."""
    while (plain := unquote_to_bytes(text.encode("latin-1")).decode("latin-1")) != text:
        text = plain
    return text


def _escape(text: str, special: str) -> str:
    return "".join(_percent(c) if c <= " " or c >= "\x7f" or c in "#%" or c in special else c for c in text)


def _percent(byte: str) -> str:
    return f"%{ord(byte):02X}"


def _split(canonical: str) -> tuple[str, str, str | None]:
    host, _, rest = canonical.split("://", 1)[1].partition("/")
    path, mark, query = rest.partition("?")
    return host, "/" + path, query if mark else None


def host_of(canonical: str) -> str:
    """The host of a canonical URL."""
    return _split(canonical)[0]


def named_host(text: str) -> str | None:
    """The canonical form of a host name written alone; None for what is none, an IP address too."""
    canonical = canonicalise(f"http://{text}/") if text and not set(text) & set("/?#@:\\ *%[]") else None
    host = host_of(canonical) if canonical else ""
    return host if host and not is_ip(host) else None


def is_ip(host: str) -> bool:
    """Whether a canonical host is an IP address."""
    return host.startswith("[") or ipv4(host) == host


def expressions(canonical: str) -> list[str]:
    """The Safe Browsing host-suffix/path-prefix expressions: up to 5 hosts by up to 6 paths."""
    host, path, query = _split(canonical)
    labels = host.split(".")
    hosts = [host]
    if not is_ip(host):
        start = max(1, len(labels) - _MAX_HOSTS)
        hosts += [".".join(labels[at:]) for at in range(start, len(labels) - 1)]
    paths = [f"{path}?{query}"] if query else []
    paths.append(path)
    folders = path.split("/")[1:-1][: _MAX_PREFIXES - 1]
    prefixes = [
        "/" + "".join(f"{folder}/" for folder in folders[:depth]) for depth in range(len(folders), -1, -1)
    ]
    paths += [prefix for prefix in prefixes if prefix != path]
    return [host + path for host in hosts[:_MAX_HOSTS] for path in paths]


def expression(canonical: str, scope: str) -> str:
    """What an entry of this scope stands for: one string, without scheme."""
    host, path, query = _split(canonical)
    if scope == "url":
        return host + path + ("" if query is None else f"?{query}")
    return host + path if scope == "path" else host


def covering(canonical: str) -> Iterator[tuple[str, str]]:
    """(scope, expression) of every entry that would cover this URL, narrowest first."""
    host, path, _ = _split(canonical)
    yield "url", expression(canonical, "url")
    yield "path", host + path
    parts = path.split("/")[1:]
    for depth in range(len(parts) - 1, 0, -1):
        prefix = "/" + "/".join(parts[:depth])
        if prefix + "/" != path:
            yield "path", host + prefix + "/"
        yield "path", host + prefix
    if path != "/":
        yield "path", host + "/"
    yield "host", host
    yield "domain", host
    labels = host.split(".")
    for at in range(1, 0 if is_ip(host) else len(labels) - 1):
        yield "domain", ".".join(labels[at:])


class Refused(ValueError):
    """A URL that cannot be taken in. `code` is stable, `advice` says what to do; no URL in either."""

    def __init__(self, code: str, advice: str) -> None:
        super().__init__(code)
        self.code, self.advice = code, advice


def admit(raw: str) -> str:
    """The canonical form of a URL that every program reads alike. Raises Refused."""
    parsed = _admit_form(raw.strip(" "))
    canonical = canonicalise(raw) or ""
    host = _split(canonical)[0] if canonical else ""
    _admit_host(host or parsed.hostname)
    agreed = parsed.hostname.strip(".") == host and canonicalise(canonical) == canonical
    if not agreed or len(canonical) > LONGEST:
        code = "url-too-long" if len(canonical) > LONGEST else "url-ambiguous"
        raise Refused(code, "programs read this address differently; give it as a browser shows it")
    return canonical


def _admit_form(raw: str) -> ada_url.URL:
    if re.search(r"[\x00-\x1f\x7f]", raw):
        raise Refused("url-control-characters", "remove control characters, tabs and line ends")
    if len(raw.encode("utf-8", "surrogatepass")) > LONGEST:
        raise Refused("url-too-long", f"send at most {LONGEST} bytes")
    scheme = re.match(r"(?i)(https?)://", raw)
    if scheme is None:
        raise Refused("url-not-http", "write the address with http:// or https://")
    authority = re.split(r"[/?#\\]", raw[scheme.end() :], maxsplit=1)[0]
    if "@" in authority:
        raise Refused("url-userinfo", "remove the user name and password before the host")
    if not authority.strip(".") or authority.startswith(":"):
        raise Refused("url-no-host", "write the host after http:// or https://")
    try:
        return ada_url.URL(raw)
    except ValueError:
        raise _refused_by_browser(raw, authority) from None


def _refused_by_browser(raw: str, authority: str) -> Refused:
    """ada refuses it: say more when it is an IP address that nobody writes so."""
    host = re.sub(r":[0-9]*\Z", "", authority)
    canonical = canonicalise(raw)
    if host.startswith("[") or (canonical and is_ip(_split(canonical)[0])):
        return Refused("url-ip-host", "list the name, not the IP address")
    return Refused("url-ambiguous", "browsers refuse this address; give it as a browser shows it")


def _admit_host(host: str) -> None:
    if is_ip(host):
        raise Refused("url-ip-host", "list the name, not the IP address")
    labels = host.strip(".").split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise Refused("url-ambiguous", "the host must be labels of 1 to 63 characters, 253 in all")
    if len(labels) == 1:
        raise Refused("url-single-label", "write the host's full name")
    if suffixes.every().publicsuffix(host) == host:
        raise Refused("url-public-suffix", "name the host under this suffix; nobody owns the suffix alone")
