#!/usr/bin/env python3
"""First stage of a URL filter: a response policy zone that leads listed hosts to the provider's own proxy.

divert.py LIST.jsonl ZONE ADDRESS...    reads what `wardlist isp watch --format jsonl` wrote

Only hosts of `url` and `path` entries are taken: a proxy decides there, by the address. `host` and `domain`
entries need no proxy; they are in the rpz format. Needs Python alone.
"""

import ipaddress
import json
import os
import re
import sys
import time
from pathlib import Path

NAME = re.compile(r"(?!.*\.rpz-[^.]*$)(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)+[a-z0-9-]{1,63}")
LONGEST_NAME = 180


def main(source: Path, zone: Path, *addresses: str) -> None:
    """Write the zone beside, then swap. Raises OSError and ValueError; then the old zone stays."""
    records = [f"{'A' if one.version == 4 else 'AAAA'} {one}" for one in map(ipaddress.ip_address, addresses)]
    if not records:
        raise ValueError("give the proxy's addresses")
    hosts = set()
    for line in source.read_bytes().splitlines():
        entry = json.loads(line)
        if entry["scope"] in ("url", "path"):
            hosts.add(entry["url"].partition("://")[2].partition("/")[0].partition(":")[0])
    fit = sorted(host for host in hosts if len(host) <= LONGEST_NAME and NAME.fullmatch(host))
    lines = [f"; left out: {len(hosts) - len(fit)} hosts that no policy zone can hold", "$TTL 60"]
    lines += [
        f"@ IN SOA localhost. nobody.invalid. {int(time.time())} 300 60 604800 60",
        "@ IN NS localhost.",
    ]
    lines += [f"{host} {record}" for host in fit for record in records]
    beside = zone.with_name(f".new-{zone.name}")
    beside.write_text("\n".join(lines) + "\n")
    beside.chmod(0o640)
    os.replace(beside, zone)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
