"""Threads for what polls need now and then.

Those of the framework may all be waiting for the database's one writer, and a poll waits for no writer.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

Given = TypeVarTuple("Given")
Found = TypeVar("Found")
_threads = ThreadPoolExecutor(8, "aside")


async def aside(function: Callable[[*Given], Found], *given: *Given) -> Found:
    """What the function returns, called in a thread. Raises what it raises."""
    return await asyncio.get_running_loop().run_in_executor(_threads, function, *given)
