"""What the parts of master data hand to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa


ENTITIES = ("customer", "supplier", "product", "employee")


class MasterDataError(Exception):
    """Records could not be resolved. The message says what happened, what was left undone, what to do."""


def entity_folder(home: Path, entity: str) -> Path:
    """Where everything of one entity is kept: decisions, registry, edges."""
    return home / entity


@dataclass(frozen=True, slots=True)
class Edge:
    """Two records that may be the same: `a` < `b` are record ids, `score` is 0 to 1, `rule` and `evidence` say why.

    Only pairs at or above the review threshold become edges.
    """

    a: str
    b: str
    score: float
    rule: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to keys at `at` (UTC).

    `kind` is one of: create (`record_id` founded `key`), merge (`key` is now an alias of `other_key`), split (part of
    the members of `key` went to `other_key`), move (`record_id` went from `other_key` to `key`), revive (an alias or
    retired key names a cluster again), retire (the last member of `key` is gone).
    """

    at: datetime
    kind: str
    key: str
    other_key: str | None
    record_id: str | None
    reason: str


@dataclass(frozen=True)
class Matcher:
    """How records are compared; the one of the platform is `tieout.master_data.match`.

    `standardised(records, rules)` gives one row per record with `record_id`, `record_hash` and `exclusive`.
    `edges(std, rules, changed)` gives the pairs at or above the review threshold; with `changed`, only those with at
    least one record in it. `version` changes whenever the same records may get other edges.
    """

    standardised: Callable[[pa.Table, Any], pa.Table]
    edges: Callable[..., list[Edge]]
    version: str = ""
