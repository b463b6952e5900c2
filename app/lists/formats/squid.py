r"""An ACL file for Squid: one anchored POSIX extended regular expression a line, for `acl NAME url_regex`.

It holds entries of every scope in the meaning of `app.core.url.covering`: `url` is one path and query alone;
`path` is that path and all below it, ending at a `/`; `host` one host, `domain` that and all below, both also
when a client asks for a tunnel to them (CONNECT). Scheme http or https, any port. Squid folds the letter case
and last dot of hosts, and undoes percent-escapes once before it compares, so expressions hold bytes as they
are then; `%00` it leaves. Other spellings of the same address are for `wardlist isp squid-helper` to fold.

Left out and counted: lines longer than Squid reads (2,046 bytes), of which it would make two; and paths with
an escaped `?`, which Squid cannot tell from the start of a query. Sources: Squid's src/ConfigParser.cc,
src/acl/RegexData.cc and lib/rfc1738.c; regex(7).
"""

import re
from collections.abc import Iterator

from app.lists.formats.names import heading
from app.lists.formats.sheet import Sheet, opened

LONGEST_LINE = 2046
_ESCAPED_QUESTION_MARK = b"%3F"
_BYTE = re.compile(rb"%(?!00)[0-9A-F]{2}")
_SPECIAL = [(b"%c" % one, rb"\%c" % one) for one in rb"\^$.[|()*+?{"]
"""What means something in an expression, the backslash first."""
_BREAKING = [(b"#", b"[#]"), (b"\n", b"[^\x01-\x09\x0b-\xff]")]
"""Bytes that would end a line: a newline, and a # after a space."""
_BELOW = rb"([^/:?@]+\.)?"


def render(sheet: Sheet) -> Iterator[bytes]:
    """The expressions in the order of the reference form, then how many entries are left out."""
    yield heading(
        sheet,
        "#",
        (
            'acl NAME url_regex "FILE". An address is matched here as browsers spell it only; the helper',
            "`wardlist isp squid-helper` matches every spelling, and is faster when the list is long",
        ),
    ).encode()
    left_out = 0
    for line in sheet.lines:
        expression = _expression(*opened(line))
        if expression is None or len(expression) > LONGEST_LINE:
            left_out += 1
        else:
            yield expression + b"\n"
    yield (
        f"# left out: {left_out} entries whose line would be longer than Squid reads, or with an escaped\n"
        "# question mark in the path, which Squid cannot tell from a query\n"
    ).encode()


def _expression(scope: bytes, listed: bytes) -> bytes | None:
    if b"%" in listed and _ESCAPED_QUESTION_MARK in listed.partition(b"?")[0]:
        return None
    host, slash, rest = _literal(listed).partition(b"/")
    if not slash:
        return rb"^(https?://)?%s%s(:[0-9]+)?(/|$)" % (_BELOW if scope == b"domain" else b"", host)
    page = rb"^https?://%s(:[0-9]+)?/%s" % (host, rest)
    if scope == b"url":
        return page + b"$"
    return page if page.endswith(b"/") else page + rb"(/|\?|$)"


def _literal(text: bytes) -> bytes:
    """What matches these bytes alone, after Squid undid their escapes."""
    is_escaped = b"%" in text
    if is_escaped:
        text = _BYTE.sub(lambda found: bytes.fromhex(found[0][1:].decode()), text)
    for one, escaped in _SPECIAL:
        text = text.replace(one, escaped)
    if is_escaped:
        for one, said in _BREAKING:
            text = text.replace(one, said)
    return text
