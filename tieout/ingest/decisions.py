"""What people decided about data: held batches, quarantined rows. Data itself, kept beside the batches.

`<landing>/_decisions/` holds one file a decision, written once and never changed, so a warehouse that is
rebuilt from landing comes out the same. A later decision on the same thing overrules an earlier one.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from tieout.ingest.errors import IngestError
from tieout.strict import Strict
from tieout.whole import write_whole

FOLDER = "_decisions"


class DecisionError(IngestError):
    """A decision is incomplete or cannot be read; nothing was decided, or nothing may be loaded."""


class Decision(Strict):
    """One decision: what `kind` of it, on which stream, who took it, why, and when (ISO 8601, UTC).

    `about` says what exactly was decided upon, for example `{"batch": "2026…"}` or
    `{"rule": "min", "record_key": "WB1"}`; its values are JSON.
    """

    kind: str = Field(pattern=r"^[a-z][a-z-]*$")
    source: str = Field(min_length=1)
    stream: str = Field(min_length=1)
    about: dict[str, Any] = Field(default_factory=dict)
    by: str = Field(min_length=1, pattern=r"\S")
    reason: str = Field(min_length=1, pattern=r"\S")
    at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")


def decide(
    landing_root: Path,
    kind: str,
    source: str,
    stream: str,
    about: dict[str, Any],
    *,
    by: str,
    reason: str,
    now: datetime,
) -> Decision:
    """Write one decision down; it comes after every earlier one, also if this machine's clock has gone back.

    Raises: DecisionError if `by` or `reason` is empty or `now` has no zone; nothing is written.
    """
    if now.tzinfo is None:
        raise DecisionError(
            f"{source}.{stream}: a decision needs an instant with a zone. Nothing was decided."
        )
    earlier = decisions(landing_root)
    moment = now.astimezone(UTC)
    if earlier:
        moment = max(moment, datetime.fromisoformat(earlier[-1].at) + timedelta(microseconds=1))
    try:
        decision = Decision(
            kind=kind,
            source=source,
            stream=stream,
            about=about,
            by=by.strip(),
            reason=reason.strip(),
            at=moment.isoformat(timespec="microseconds"),
        )
    except ValidationError as error:
        wrong = ", ".join(".".join(str(part) for part in item["loc"]) for item in error.errors())
        raise DecisionError(
            f"{source}.{stream}: the decision lacks {wrong}. Nothing was decided. "
            f"Say who decides (--by NAME) and why (--reason TEXT)."
        ) from None
    text = json.dumps(decision.model_dump(), ensure_ascii=False, indent=2, sort_keys=True)
    tail = hashlib.sha256(text.encode()).hexdigest()[:8]
    at = datetime.fromisoformat(decision.at)
    write_whole(landing_root / FOLDER / f"{at:%Y%m%dT%H%M%S%f}Z-{decision.kind}-{tail}.json", text + "\n")
    return decision


def decisions(
    landing_root: Path, *, kinds: set[str] | None = None, source: str | None = None, stream: str | None = None
) -> list[Decision]:
    """Every decision (of some kinds, on one source or stream), oldest first.

    Raises: DecisionError if one cannot be read: leaving it out would silently change what is loaded.
    """
    folder = landing_root / FOLDER
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != ".")
    found = [_read(path, path.stat().st_mtime_ns) for path in files]
    return [
        item
        for item in sorted(found, key=lambda item: item.at)
        if (kinds is None or item.kind in kinds)
        and (source is None or item.source == source)
        and (stream is None or item.stream == stream)
    ]


@lru_cache(maxsize=65_536)
def _read(path: Path, _changed: int) -> Decision:
    """One file; every stream of a run asks for all of them, so each is parsed once."""
    try:
        return Decision.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise DecisionError(
            f"{path.name}: this decision cannot be read ({first}). Nothing was loaded: without it, other rows "
            f"would be. Restore the file {FOLDER}/{path.name} in the landing from a backup, or remove it to undo "
            f"what it decided."
        ) from None
