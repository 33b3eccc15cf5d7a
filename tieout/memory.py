"""The most memory this process has held."""

from __future__ import annotations

import sys
from pathlib import Path

MB = 2**20


def peak_memory() -> float:
    """The largest resident set of this process so far, in MB.

    Linux: `VmHWM` of proc(5). Not `ru_maxrss` of getrusage(2): that one is kept over fork and exec, so a small
    program started by a large one begins with the peak of its parent.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _rusage()
    held = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(held.split()[1]) * 1024 / MB


def _rusage() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MB if sys.platform == "darwin" else peak * 1024 / MB
