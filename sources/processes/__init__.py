"""How work is meant to go: steps, who does them, and the hand-offs between departments, one file a process.

`<process>.yaml` is written by a person or drafted from a drawing (`tieout process import`), and is the truth from
then on. A hand-off without a limit or an accountable owner is an error of the contract.
"""

from sources.processes.contract import ProcessError, process_in, read_process, read_processes
from sources.processes.shape import (
    ACTIVITIES,
    CONTAINERS,
    DATA,
    EVENTS,
    GATEWAYS,
    Edge,
    Lane,
    Node,
    NodeEvent,
    Pool,
    Process,
    one_line,
)

__all__ = [
    "ACTIVITIES",
    "CONTAINERS",
    "DATA",
    "EVENTS",
    "GATEWAYS",
    "Edge",
    "Lane",
    "Node",
    "NodeEvent",
    "Pool",
    "Process",
    "ProcessError",
    "one_line",
    "process_in",
    "read_process",
    "read_processes",
]
