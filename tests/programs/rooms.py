"""Every command imported, and left alone by the collector: what forked processes begin with."""

import gc
from importlib import import_module
from itertools import chain

from app.cli.rooms import JOINED, ROOMS

for place in chain(ROOMS.values(), *(below.values() for below in JOINED.values())):
    import_module(f"app.cli.{place.partition(':')[0]}")
gc.collect()
gc.freeze()
