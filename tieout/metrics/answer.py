"""Answer one question about one metric from SQL the layer has compiled; a combination nobody stored is compiled now.

This is the path of `tieout metric`: it imports nothing but the standard library unless it must compile, and
writes what the caller asked for as escaped literals: DuckDB's Python client imports pandas (0.65 CPU
seconds) the first time a parameter is bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tieout.engine import literal, quoted
from tieout.metrics.errors import MetricError, UnlawfulSum, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

GRAINS = ("day", "week", "month", "quarter", "year")
_PERIODS = {
    "year": re.compile(r"^(\d{4})$"),
    "quarter": re.compile(r"^(\d{4})-?Q([1-4])$", re.IGNORECASE),
    "month": re.compile(r"^(\d{4})-(\d{2})$"),
    "week": re.compile(r"^(\d{4})-?W(\d{2})$", re.IGNORECASE),
    "day": re.compile(r"^(\d{4})-(\d{2})-(\d{2})$"),
}


@dataclass(frozen=True)
class Period:
    """One calendar period: `start` inclusive, `end` exclusive."""

    grain: str
    start: date
    end: date


@dataclass(frozen=True)
class Catalogued:
    """What the catalogue says of one metric."""

    name: str
    label: str
    owner: str
    unit: str
    currency: str
    tax: str
    time_role: str
    additivity: str
    requires_by: tuple[str, ...]
    dimensions: tuple[str, ...]
    definition_version: str


@dataclass(frozen=True)
class Answer:
    """Rows of one metric. Columns: `period_start` (with a grain), the dimensions, `value`.

    Amounts are Decimal; ratios are float. A period or group without any contributing row has no row.
    `sql` gives the same rows on the same data.
    """

    columns: tuple[str, ...]
    rows: list[tuple]
    sql: str
    definition_version: str
    metric: Catalogued


def answer(
    con: duckdb.DuckDBPyConnection,
    name: str,
    grain: str | None = None,
    by: Sequence[str] = (),
    period: str | None = None,
    where: Mapping[str, object] | None = None,
) -> Answer:
    """The values of a metric.

    Args:
        con: Warehouse or snapshot file with a built metrics layer; may be read-only.
        name: The metric.
        grain: day, week, month, quarter or year; None: the period's own grain, or one value over all time.
        by: Dimensions, e.g. `customer_code`; `customer` means its code.
        period: `2026`, `2026-Q1`, `2026-02`, `2026-W07` or `2026-02-28`; only rows inside it.
        where: Dimension → value; rows of other values are left out. Values are bound, never pasted.

    Raises: UnknownName, UnlawfulSum, MetricError; never an empty answer for a name that does not exist.
    """
    metric = catalogued(con, name)
    where = dict(where or {})
    fixed = {resolve(metric, key): value for key, value in where.items()}
    columns = list(dict.fromkeys(resolve(metric, item) for item in by))
    wanted = [*columns, *(key for key in fixed if key not in columns)]
    span = parse_period(period) if period is not None else None
    grain = _grain(grain, span)
    if metric.requires_by and not set(wanted) & set(metric.requires_by):
        raise UnlawfulSum(
            f"{name} would add amounts in different {_unlike(metric)}. Nothing was computed. "
            f"Ask for it by {' or '.join(metric.requires_by)}, or fix one value of it."
        )
    names = [*(["period_start"] if grain else []), *wanted]
    outputs = ", ".join(quoted(item) for item in [*names, "value"])
    sql = f"select {outputs} from (\n{compiled(con, metric, grain, wanted)}\n) as asked"
    conditions = []
    if span is not None:
        conditions.append(f"period_start >= date '{span.start}' and period_start < date '{span.end}'")
    conditions += [is_member(quoted(dimension), value) for dimension, value in fixed.items()]
    if conditions:
        sql += "\nwhere " + " and ".join(conditions)
    if names:
        sql += "\norder by " + ", ".join(f"{quoted(item)} nulls last" for item in names)
    rows = con.execute(sql).fetchall()
    return Answer((*names, "value"), rows, sql, metric.definition_version, metric)


def is_member(column: str, value: object) -> str:
    """Condition that a dimension has one value: compared as text, written as an escaped literal.

    Raises: UnknownName for a text no SQL statement can hold.
    """
    if value is None:
        return f"{column} is null"
    if "\0" in str(value):
        raise unknown("value", str(value), ())
    return f"cast({column} as text) = {literal(str(value))}"


def catalogued(con: duckdb.DuckDBPyConnection, name: str) -> Catalogued:
    """The catalogue's entry of a metric.

    Raises: UnknownName with the nearest names; MetricError if the file holds no metrics layer.
    """
    import duckdb

    try:
        row = con.execute(
            "select metric_name, label, owner, unit, currency, tax, time_role, additivity, requires_by, dimensions,"
            f" definition_version from metrics.metric_catalog where {is_member('metric_name', name)}"
        ).fetchone()
    except duckdb.CatalogException as error:
        raise MetricError("there are no metrics in this file yet. Run `tieout refresh`.") from error
    if row is None:
        names = con.execute("select metric_name from metrics.metric_catalog").fetchall()
        raise unknown("metric", name, (item for (item,) in names))
    texts = [str(item) for item in row]
    return Catalogued(*texts[:8], _split(texts[8]), _split(texts[9]), texts[10])


def resolve(metric: Catalogued, name: str) -> str:
    """A dimension's name as the catalogue has it; an entity (`customer`) means its code or number."""
    for candidate in (name, f"{name}_code", f"{name}_no"):
        if candidate in metric.dimensions:
            return candidate
    raise unknown("dimension", name, metric.dimensions, of=metric.name)


def compiled(
    con: duckdb.DuckDBPyConnection, metric: Catalogued, grain: str | None, dimensions: Sequence[str]
) -> str:
    """Compiled SQL of a metric: from the store, else from the compiler (1.2 CPU seconds to load)."""
    row = con.execute(
        f"select sql from metrics.compiled_query where metric_name = {literal(metric.name)}"
        f" and time_grain = {literal(grain or 'all')} and dim_set = {literal(dim_set(dimensions))}"
    ).fetchone()
    if row is not None:
        return str(row[0])
    manifest = con.execute("select content from metrics.semantic_manifest").fetchone()
    if manifest is None:
        raise MetricError(
            f"{metric.name}: this combination is not stored and the file holds no definitions to compile it "
            "from. Run `tieout refresh`."
        )
    from tieout.metrics.definitions import parse
    from tieout.metrics.engine import Engine

    return Engine(parse(str(manifest[0]))).query(metric.name, grain, sorted(dimensions))


def dim_set(dimensions: Iterable[str]) -> str:
    """Name of a set of dimensions in metrics.metric_values: sorted and joined; `all` for none."""
    return ",".join(sorted(dimensions)) or "all"


def parse_period(text: str) -> Period:
    """Raises: UnknownName if it is not written like one of the five grains."""
    for grain, pattern in _PERIODS.items():
        match = pattern.match(str(text).strip())
        if match is None:
            continue
        try:
            return _period(grain, [int(part) for part in match.groups()])
        except ValueError as error:
            raise unknown("period", text, ()) from error
    raise unknown("period", text, ("2026", "2026-Q1", "2026-02", "2026-W07", "2026-02-28"))


def _period(grain: str, parts: list[int]) -> Period:
    match grain:
        case "year":
            return Period(grain, date(parts[0], 1, 1), date(parts[0] + 1, 1, 1))
        case "quarter":
            first = 3 * parts[1] - 2
            return Period(grain, date(parts[0], first, 1), _month_after(parts[0], first + 2))
        case "month":
            return Period(grain, date(parts[0], parts[1], 1), _month_after(parts[0], parts[1]))
        case "week":
            start = date.fromisocalendar(parts[0], parts[1], 1)
            return Period(grain, start, start + timedelta(days=7))
        case _:
            start = date(*parts)
            return Period(grain, start, start + timedelta(days=1))


def _month_after(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)


def _grain(grain: str | None, span: Period | None) -> str | None:
    if grain in {"all", ""}:
        grain = None
    if grain is not None and grain not in GRAINS:
        raise unknown("grain", grain, GRAINS)
    if span is None:
        return grain
    grain = grain or span.grain
    # A week may lie in two months, so only a day or the same grain divides it, and it divides nothing.
    finer = GRAINS.index(grain) < GRAINS.index(span.grain) and grain != "week"
    if (grain != span.grain and not finer) or (span.grain == "week" and grain not in {"week", "day"}):
        raise MetricError(
            f"a {span.grain} does not hold whole {grain}s. Nothing was computed. "
            f"Ask for grain {span.grain} or a finer one."
        )
    return grain


def _unlike(metric: Catalogued) -> str:
    return "currencies" if metric.currency == "document" else "units"


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)
