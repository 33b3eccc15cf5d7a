"""Words BPMN and we use for the same thing, and what both directions must agree on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sources.processes import ACTIVITIES, EVENTS, GATEWAYS, Process

MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"
DI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DD = "http://www.omg.org/spec/DD/20100524/DI"
OURS = "urn:tieout:process:1"  # our own extension elements and attributes


def _camel(kind: str) -> str:
    first, *rest = kind.split("_")
    return first + "".join(word.capitalize() for word in rest)


# An event sub-process is a subProcess with triggeredByEvent; documents are drawn as references to them.
TAGS = {kind: _camel(kind) for kind in ACTIVITIES | EVENTS | GATEWAYS} | {
    "event_sub_process": "subProcess",
    "data_object": "dataObjectReference",
    "data_store": "dataStoreReference",
}
KINDS = {tag: kind for kind, tag in TAGS.items() if kind != "event_sub_process"}


@dataclass(frozen=True)
class Drawing:
    """What was read, and what a person should know of what was not."""

    process: Process
    notes: tuple[str, ...] = ()


def identifier(text: str) -> str | None:
    """A lower-case ASCII name made of a file name or id; None if nothing of it is ASCII."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name and name[0].isalpha() else None


def limit_of_hours(hours: str) -> str | None:
    """`36` or `0.5` hours as a limit: `36h`, `30m`; None if it is no positive number of minutes."""
    try:
        minutes = round(float(hours) * 60)
    except (ValueError, OverflowError):
        return None
    if minutes <= 0:
        return None
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
