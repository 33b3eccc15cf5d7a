"""Scores: how much of what must be true is true, per module and per owner, over time.

A strong rule (it stops a publish) weighs as much as three weak ones: one broken key is worse than three odd dates, and
ten weak rules still outweigh it. Rules are the checks of suites and the identities; a rule that could not be
evaluated counts as not held. By SQL the same is `ops.check_score`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tieout.engine import constants

if TYPE_CHECKING:
    import duckdb

Kind = Literal["module", "owner"]


@dataclass(frozen=True)
class Point:
    """The score of one run, 0 to 1."""

    run_id: str
    checked_at: datetime
    score: Decimal


@dataclass(frozen=True)
class Score:
    """One module or owner: rules of the last run, how many held, and the weighted share of every run, oldest first."""

    kind: Kind
    name: str
    rules: int
    held: int
    failed: int
    errors: int
    history: tuple[Point, ...]

    @property
    def score(self) -> Decimal:
        return self.history[-1].score

    @property
    def moved(self) -> Decimal:
        """Against the first of the runs looked at."""
        return self.score - self.history[0].score


def modules_of(marts: Path) -> dict[str, str]:
    """Mart -> the department's folder it lies in.

    Args:
        marts: `dbt_project/models/marts`.
    """
    return {path.stem: path.parent.name for path in marts.glob("*/*.sql")}


def scores(
    con: duckdb.DuckDBPyConnection,
    kind: Kind,
    modules: Mapping[str, str],
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Score]:
    """Scores of the runs in a span of time, lowest first; those without a rule in its last run are left out.

    Args:
        modules: Mart -> module; an identity belongs to the module its owner is called after.
        since: First instant, aware; None: from the beginning.
        until: First instant after it; None: up to now.
    """
    span = " and ".join(
        ["true"]
        + ([f"checked_at >= {constants(since)}"] if since else [])
        + ([f"checked_at < {constants(until)}"] if until else [])
    )
    rows = con.execute(
        f"""
        select run_id, max(checked_at) over (partition by run_id) as checked_at, owner, table_name, rules, held, failed,
            errors, weight, weight_held
        from ops.check_score where {span} order by checked_at, run_id
        """
    ).fetchall()
    grouped: dict[str, dict[str, list[tuple]]] = {}
    for row in rows:
        name = str(row[2]) if kind == "owner" else modules.get(row[3], str(row[2]))
        grouped.setdefault(name, {}).setdefault(row[0], []).append(row)
    last = rows[-1][0] if rows else None
    found = []
    for name, runs in grouped.items():
        if last not in runs:
            continue
        points = tuple(
            Point(run, lines[0][1], Decimal(sum(line[9] for line in lines)) / sum(line[8] for line in lines))
            for run, lines in runs.items()
        )
        rules, held, failed, errors = (sum(line[place] for line in runs[last]) for place in range(4, 8))
        found.append(Score(kind, name, rules, held, failed, errors, points))
    return sorted(found, key=lambda item: (item.score, item.name))
