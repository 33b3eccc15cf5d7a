"""Numbers that were agreed to: `dbt_project/metric_versions/<metric>.csv`, what each metric said of one known set of data.

A definition can stay as it was signed while a model below it changes. So the monthly numbers of the reference company
are kept beside the versions, readable in a review; a metric's last version carries a digest of them. A refresh of the
same data by other SQL either says the same, or names the metric and how far it moved.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import quoted
from tieout.fingerprint import table_hash
from tieout.metrics.diff import MetricDiff, Movement, touches
from tieout.metrics.errors import MetricError
from tieout.whole import write_whole

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.definitions import Definitions

# (month or '' without a date, members in the order of the set's names) → number
Cells = dict[tuple[str, tuple[str, ...]], Decimal]
_HEADER = "# Monthly numbers as agreed to last. Written by `tieout metrics approve` and `numbers --keep`; do not edit.\n"
_DATA, _BY = "# data: ", "# by "
_NONE = "–"  # a member that is null


class NumbersError(MetricError):
    """A file of kept numbers is not understood, or there is nothing to compare it with."""


@dataclass(frozen=True)
class Numbers:
    """What one metric says of one set of data: every month of one dimension set, digests of its other sets.

    `data` is the content hash of everything that was loaded.
    """

    data: str
    by: tuple[str, ...]
    cells: Cells
    others: Mapping[str, str]

    @property
    def text(self) -> str:
        """As it lies in the file."""
        out = io.StringIO()
        out.write(_HEADER + f"{_DATA}{self.data}\n")
        for name, digest in sorted(self.others.items()):
            out.write(f"{_BY}{name}: {digest}\n")
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(["month", *self.by, "value"])
        for (month, members), value in sorted(self.cells.items()):
            lines.writerow([month, *members, plain(value)])
        return out.getvalue()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Said:
    """What every metric of a warehouse says of the data it holds; one without a value in any month is not in it."""

    data: str
    metrics: Mapping[str, Numbers]

    def of(self, metric: str, before: Numbers) -> Numbers:
        """A metric's numbers now; none at all, split as before, if it says nothing any more."""
        return self.metrics.get(metric) or Numbers(self.data, before.by, {}, {})


@dataclass(frozen=True)
class Moved(MetricDiff):
    """One metric whose numbers are not those that were agreed to.

    `others` are dimension sets whose numbers move too; which of them is known only by building the revision before.
    """

    others: tuple[str, ...] = ()


def spot(month: str, members: tuple[str, ...]) -> tuple[str, str]:
    """A cell as differences name it: period and member."""
    return month or "without a date", " · ".join(members)


def plain(value: Decimal) -> str:
    """Without an exponent or zeros at the end: 100, 0.5."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def file(dbt_project: Path, metric: str) -> Path:
    return dbt_project / "metric_versions" / f"{metric}.csv"


def read(dbt_project: Path, metric: str) -> Numbers | None:
    """The numbers kept of a metric; None if none are.

    Raises: NumbersError if the file is not understood.
    """
    path = file(dbt_project, metric)
    if not path.is_file():
        return None
    data, others = "", {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            head = ""
            for head in lines:
                if head.startswith(_DATA):
                    data = head.removeprefix(_DATA).rstrip("\n")
                elif head.startswith(_BY):
                    name, _, digest = head.removeprefix(_BY).rstrip("\n").partition(": ")
                    others[name] = digest
                elif not head.startswith("#"):
                    break
            _, *by, _ = next(csv.reader([head]))
            cells = {(month, tuple(members)): Decimal(value) for month, *members, value in csv.reader(lines)}
    except (ValueError, ArithmeticError, StopIteration, csv.Error) as error:
        raise NumbersError(f"{path.name} is not understood. Take it from git again.") from error
    return Numbers(data, tuple(by), cells, others)


def write(dbt_project: Path, metric: str, numbers: Numbers) -> None:
    write_whole(file(dbt_project, metric), numbers.text)


# --- what a warehouse says ------------------------------------------------------------------------


def data_id(con: duckdb.DuckDBPyConnection) -> str:
    """Content hash of all rows that were loaded, without when and in which batch; of one version of DuckDB."""
    columns: dict[tuple[str, str], list[str]] = defaultdict(list)
    for schema, table, column in con.execute(
        "select schema_name, table_name, column_name from duckdb_columns()"
        r" where schema_name like 'raw\_%' escape '\' and not internal order by all"
    ).fetchall():
        if not column.startswith("_") or column == "_is_deleted":
            columns[schema, table].append(column)
    digest = hashlib.sha256()
    for (schema, table), names in sorted(columns.items()):
        listed = ", ".join(quoted(name) for name in names)
        rows = table_hash(con, f"(select {listed} from {quoted(schema)}.{quoted(table)})")
        digest.update(f"{schema}.{table} {rows}\n".encode())
    return digest.hexdigest()[:16]


def said(con: duckdb.DuckDBPyConnection) -> Said:
    """What each metric says now, as stored by the last refresh."""
    found: dict[str, dict[str, Cells]] = defaultdict(lambda: defaultdict(dict))
    for metric, by, month, dims, value in con.execute(
        "select metric_name, dim_set, strftime(period_start, '%Y-%m'), dims, value from metrics.metric_values"
        " where time_grain = 'month' and value is not null"
    ).fetchall():
        members = json.loads(dims)
        place = tuple(_NONE if members[name] is None else str(members[name]) for name in sorted(members))
        found[metric][by][month or "", place] = Decimal(plain(value))
    data = data_id(con)
    return Said(data, {metric: _numbers(data, sets) for metric, sets in found.items()})


def _numbers(data: str, sets: Mapping[str, Cells]) -> Numbers:
    # By company, where that is declared: who reads a review wants to know whose number moves.
    shown = min(
        sets, key=lambda name: ("company_code" not in name.split(","), name != "all", len(name), name)
    )
    others = {
        name: hashlib.sha256(repr(sorted((place, plain(value)) for place, value in cells.items())).encode())
        .hexdigest()[:16]
        for name, cells in sets.items()
        if name != shown
    }  # fmt: skip
    by = () if shown == "all" else tuple(sorted(shown.split(",")))
    return Numbers(data, by, sets[shown], others)


def moved(
    definitions: Definitions,
    name: str,
    before: Numbers,
    now: Numbers,
    expectations: Path | None = None,
) -> Moved | None:
    """How far a metric's numbers went; None if they are the same.

    Args:
        expectations: Folder of suites and identities, searched for the name of the metric.
    """
    split = ",".join(before.by) or "all"
    others = [other for other in before.others if before.others[other] != now.others.get(other)]
    places: set[tuple[str, tuple[str, ...]]] = set()
    if before.by == now.by:
        places = before.cells.keys() | now.cells.keys()
    else:
        others.append(split)
    movements = [
        Movement(split, *spot(month, members), was, is_)
        for month, members in places
        if (was := before.cells.get((month, members))) != (is_ := now.cells.get((month, members)))
    ]
    if not movements and not others:
        return None
    movements.sort(key=lambda item: (-abs(item.amount), item.period, item.member))
    version = definitions.version(name)
    return Moved(
        metric=name, owner=definitions.metric(name).meta.owner, status="data", changes=(), numbers=len(places),
        movements=tuple(movements), touches=touches((definitions,), name, expectations), old_version=version,
        new_version=version, others=tuple(sorted(others)),
    )  # fmt: skip
