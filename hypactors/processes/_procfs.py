"""What Linux tells of a process, read without psutil: the launcher needs it too."""

from __future__ import annotations

import os


def boot_id() -> str | None:
    """Return what is the same until the next boot, or None where the system has no such thing."""
    try:
        descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor) as stream:  # noqa: PTH123 - a descriptor, not a path
        return stream.read().strip() or None


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks after boot.

    None when it is gone, which a zombie is, and where there is no ``/proc``. Unlike a creation
    time it does not move when somebody sets the clock.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - a descriptor, not a path
            return parse_start_ticks(stream.read())
    except OSError:  # it went away between the two calls
        return None


def parse_start_ticks(stat: bytes) -> int | None:
    """Read a ``/proc/<pid>/stat``: its second field, the name, may hold spaces and brackets."""
    _, bracket, rest = stat.rpartition(b")")
    fields = rest.split()
    # proc(5) counts from 1 and the name is field 2: state is field 3, the start time field 22.
    if not bracket or len(fields) < 20 or fields[0] in {b"Z", b"X", b"x"}:  # noqa: PLR2004
        return None
    return int(fields[19]) if fields[19].isdigit() else None
