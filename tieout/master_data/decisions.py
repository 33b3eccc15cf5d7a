"""What stewards decided about records: the same, different, this value, and what of it was taken back.

`<home>/<entity>/decisions/` holds one file a decision, written once and never changed. Decisions name records
of systems, never keys given here: keys follow from them. A later decision overrules an earlier one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from tieout.master_data.types import MasterDataError, entity_folder
from tieout.strict import Identifier, Strict, explained
from tieout.whole import write_whole

FOLDER = "decisions"

Kind = Literal["same", "different", "prefer", "revoke"]
_ASKS: dict[str, tuple[str, ...]] = {
    "same": ("a", "b"),
    "different": ("a", "b"),
    "prefer": ("record_id", "attribute", "value"),
    "revoke": ("revokes",),
}
_ABOUT = ("a", "b", "record_id", "attribute", "value", "revokes")


class DecisionError(MasterDataError):
    """A decision is incomplete or cannot be read; nothing was decided, or nothing may be resolved."""


class Decision(Strict):
    """One decision: of what `kind`, on which records, who took it, why, and when (ISO 8601, UTC).

    `same` and `different` name two records, `a` < `b`; `prefer` pins the `value` of an `attribute` of whatever
    `record_id` belongs to; `revoke` takes the decision with the id `revokes` back.
    """

    entity: Identifier
    kind: Kind
    a: str | None = None
    b: str | None = None
    record_id: str | None = None
    attribute: Identifier | None = None
    value: str | None = None
    revokes: str | None = None
    by: str = Field(min_length=1, pattern=r"\S")
    reason: str = Field(min_length=1, pattern=r"\S")
    at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        asks = _ASKS[self.kind]
        lacking = [name for name in asks if not (getattr(self, name) or "").strip()]
        if lacking:
            raise ValueError(f"`{self.kind}` lacks {', '.join(lacking)}")
        beside = [name for name in _ABOUT if name not in asks and getattr(self, name) is not None]
        if beside:
            raise ValueError(f"`{self.kind}` does not take {', '.join(beside)}")
        if self.a is not None and self.b is not None and self.a >= self.b:
            raise ValueError("two different records are needed, the smaller id first")
        return self

    @property
    def id(self) -> str:
        """Its name for ever; follows from its content, so a file that was edited is noticed."""
        tail = hashlib.sha256(written(self).encode()).hexdigest()[:8]
        return f"{datetime.fromisoformat(self.at):%Y%m%dT%H%M%S%f}Z-{tail}"

    @property
    def pair(self) -> tuple[str, str]:
        """The two records of `same` and `different`."""
        assert self.a is not None
        assert self.b is not None
        return self.a, self.b

    def __str__(self) -> str:
        return f"{self.kind}, decided by {self.by} at {self.at}: {self.reason} [{self.id}]"


def decide(
    home: Path,
    entity: str,
    kind: Kind,
    *,
    by: str,
    reason: str,
    now: datetime,
    a: str | None = None,
    b: str | None = None,
    record_id: str | None = None,
    attribute: str | None = None,
    value: str | None = None,
    revokes: str | None = None,
) -> Decision:
    """Write one decision down; it comes after every earlier one, also if this machine's clock has gone back.

    Args: what the `kind` asks for: `same`, `different`: `a` and `b`; `prefer`: `record_id`, `attribute`, `value`;
        `revoke`: `revokes`, the id of an earlier decision that is not revoked yet.
    Raises: DecisionError if something is missing, blank or not asked for, if `now` has no zone, or if there is nothing
        to revoke; nothing is written.
    """
    if now.tzinfo is None:
        raise DecisionError(f"{entity}: a decision needs an instant with a zone. Nothing was decided.")
    earlier = decisions(home, entity)
    if kind == "revoke":
        if revokes not in {item.id for item in earlier}:
            raise DecisionError(
                f"{entity}: there is no decision {revokes}. Nothing was revoked. Give the id of an earlier decision."
            )
        if revokes in _revoked(earlier):
            raise DecisionError(f"{entity}: {revokes} is revoked already. Nothing was changed.")
    moment = now.astimezone(UTC)
    if earlier:
        moment = max(moment, datetime.fromisoformat(earlier[-1].at) + timedelta(microseconds=1))
    if a and b and b.strip():
        a, b = min(a, b), max(a, b)
    try:
        decision = Decision(
            entity=entity,
            kind=kind,
            a=a,
            b=b,
            record_id=record_id,
            attribute=attribute,
            value=value,
            revokes=revokes,
            by=by.strip(),
            reason=reason.strip(),
            at=moment.isoformat(timespec="microseconds"),
        )
    except ValidationError as error:
        raise DecisionError(
            f"{entity}: this decision is not complete ({explained(error).replace('Value error, ', '')}). "
            f"Nothing was decided. Say what exactly, who decides and why."
        ) from None
    write_whole(entity_folder(home, entity) / FOLDER / f"{decision.id}.json", written(decision) + "\n")
    return decision


def decisions(home: Path, entity: str) -> list[Decision]:
    """Every decision on one entity, also those revoked since, oldest first.

    Raises: DecisionError if one cannot be read: leaving it out would silently join or part records.
    """
    book = entity_folder(home, entity) / FOLDER
    if not book.is_dir():
        return []
    files = [path for path in book.iterdir() if path.suffix == ".json" and path.name[0] != "."]
    found = [_read(path, path.stat().st_mtime_ns) for path in files]
    return sorted(found, key=lambda item: (item.at, item.id))


def active(every: Iterable[Decision]) -> list[Decision]:
    """Those that count, oldest first: neither revoked nor, for `prefer`, followed by another value.

    A revocation can be revoked as well. `same` and `different` may still contradict each other here; which of them
    holds is for `cluster.ruling` to say.
    """
    every = sorted(every, key=lambda item: (item.at, item.id))
    revoked = _revoked(every)
    pinned: set[tuple[str | None, str | None]] = set()
    counting: list[Decision] = []
    for item in reversed(every):
        if item.id in revoked or item.kind == "revoke":
            continue
        if item.kind == "prefer":
            if (item.record_id, item.attribute) in pinned:
                continue
            pinned.add((item.record_id, item.attribute))
        counting.append(item)
    return counting[::-1]


def _revoked(every: list[Decision]) -> set[str]:
    """Ids taken back, out of decisions oldest first; a revocation that was taken back itself does not count."""
    revoked: set[str] = set()
    for item in reversed(every):
        if item.kind == "revoke" and item.id not in revoked:
            revoked.add(str(item.revokes))
    return revoked


def written(decision: Decision) -> str:
    """A decision as its file has it; its id follows from it."""
    said = decision.model_dump(exclude_none=True)
    return json.dumps(said, ensure_ascii=False, indent=2, sort_keys=True)


@lru_cache(maxsize=65_536)
def _read(path: Path, _changed: int) -> Decision:
    """One file; every run asks for all of them, so each is parsed once."""
    try:
        decision = Decision.model_validate_json(path.read_text(encoding="utf-8"))
        if decision.id != path.stem:
            raise ValueError("its content is not the one it was written with")
    except (OSError, ValueError) as error:
        first = explained(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        raise DecisionError(
            f"{path.name}: this decision cannot be read ({first}). Nothing was resolved: without it, other records "
            f"would be joined. Restore {path} from a backup, or remove it to undo what it decided."
        ) from None
    return decision
