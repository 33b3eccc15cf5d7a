"""Streams whose last pull was refused for their shape, kept beside the batches until a pull succeeds.

Only for people to read and to decide upon (`tieout drift`); nothing is loaded or refused by it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from tieout.ingest.drift.changes import Change, Evidence
from tieout.ingest.drift.judge import DriftError
from tieout.ingest.intake.ask import Extracted

FOLDER = "_drift"


@dataclass(frozen=True)
class Refusal:
    """One refused pull: what had changed, and the shape the source had."""

    source: str
    stream: str
    at: str
    message: str
    changes: tuple[Change, ...]
    declared: dict[str, str]


def remember(landing_root: Path, outcomes: Iterable[Extracted], now: datetime) -> None:
    """Keep what was refused for its shape, and forget what has been read since. Repeating it changes nothing."""
    folder = landing_root / FOLDER
    for outcome in outcomes:
        path = folder / f"{outcome.source}.{outcome.stream}.json"
        if isinstance(outcome.error, DriftError):
            folder.mkdir(parents=True, exist_ok=True)
            refusal = Refusal(
                outcome.source,
                outcome.stream,
                now.isoformat(),
                str(outcome.error),
                outcome.error.changes,
                outcome.error.declared,
            )
            draft = folder / f".{path.name}-{os.getpid()}"
            draft.write_text(json.dumps(asdict(refusal), ensure_ascii=False, indent=2), encoding="utf-8")
            draft.replace(path)
        elif outcome.error is None:
            path.unlink(missing_ok=True)


def refusals(landing_root: Path) -> list[Refusal]:
    """Every stream whose last pull was refused for its shape, by name."""
    return [_read(path) for path in sorted((landing_root / FOLDER).glob("[!.]*.json"))]


def refusal_of(landing_root: Path, source: str, stream: str) -> Refusal | None:
    path = landing_root / FOLDER / f"{source}.{stream}.json"
    return _read(path) if path.is_file() else None


def forget(landing_root: Path, source: str, stream: str) -> None:
    """A person has decided: the next pull will tell."""
    (landing_root / FOLDER / f"{source}.{stream}.json").unlink(missing_ok=True)


def _read(path: Path) -> Refusal:
    said = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for item in said.pop("changes"):
        evidence = item.pop("evidence")
        found.append(Change(**item, evidence=Evidence(**evidence) if evidence else None))
    return Refusal(changes=tuple(found), **said)
