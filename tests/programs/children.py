"""The processes that another one started, as the system knows them (proc_pid_task(5), proc_pid_stat(5))."""

from pathlib import Path


def children(process: int | None) -> list[int]:
    """Ids, also of those that ended and were not waited for. Raises ProcessLookupError for none."""
    try:
        return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:
        raise ProcessLookupError(process) from None


def is_alive(process: int) -> bool:
    """Whether it runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
