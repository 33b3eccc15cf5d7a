"""An erasure under way: what is needed to finish it after a kill, in one file that goes when it is done.

It is the only place that names the person from then on, so only its owner may read it and the proof leaves it out.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tieout.privacy.person import Person
from tieout.whole import write_whole

FILE = "erasing.json"


@dataclass(frozen=True)
class UnderWay:
    """One erasure: whom somebody `asked` for, who decided it and why, the person, and the figures before it."""

    asked: str
    by: str
    reason: str
    at: str  # ISO 8601, UTC
    person: Person
    pseudonyms: dict[str, str]  # value → what stands in its place
    figures: dict[str, str] = field(default_factory=dict)
    decided: bool = False


def read(home: Path) -> UnderWay | None:
    """The erasure that was begun and not finished, if there is one."""
    path = home / FILE
    if not path.is_file():
        return None
    said = json.loads(path.read_text(encoding="utf-8"))
    person = said.pop("person")
    for name in ("records", "changed"):
        person[name] = tuple(person[name])
    return UnderWay(person=Person(**person), **said)


def write(home: Path, state: UnderWay) -> None:
    """Whole or not at all, readable by its owner only."""
    write_whole(home / FILE, json.dumps(asdict(state), ensure_ascii=False), private=True)


def finish(home: Path) -> None:
    """Forget the person: the file is written over before it goes."""
    path = home / FILE
    if path.is_file():
        with path.open("r+b") as file:
            file.write(b"\0" * path.stat().st_size)
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    for left in home.glob(f".{FILE}-*"):
        left.unlink()
