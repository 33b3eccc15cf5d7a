"""How much the rows in quarantine amount to: what totals are without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.engine import literal, quoted
from tieout.ingest.quarantine.rows import Filter

if TYPE_CHECKING:
    import duckdb

SHOWN = {"L1", "L2"}  # classes of columns of which a sum may be shown to whoever opens a page
_STREAMS_NAMED = 5


@dataclass(frozen=True)
class Amount:
    """The sum of one column over rows in quarantine, in one unit or currency (None: the contract names none).

    `rows` have a value, `unreadable` of them none that is a number. `amount` is None where the values are in
    several units that the row itself does not name, so that they must not be added. Rows set aside as copies of
    one that was loaded are left out: their amount is not missing from any total.
    """

    source: str
    stream: str
    column: str
    unit: str | None
    rows: int
    amount: Decimal | None
    unreadable: int
    may_be_shown: bool


def quarantined_amounts(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], wanted: Filter | None = None
) -> list[Amount]:
    """Sums of the rows that wait (or that a filter names), per stream, column and unit.

    Columns: the ones whose sums the source itself controls; where it controls none, all with a unit or currency.
    """
    where, values = (Filter() if wanted is None else wanted).sql()
    states = "coalesce(decision, case when closed_by is null then 'waiting' else 'superseded' end) as state"
    aside = f"(select *, {states} from ops.quarantine) as q"
    places = con.execute(
        f"select distinct source, stream from {aside} where {where} and rule <> 'duplicate' order by all",
        values,
    ).fetchall()
    amounts = []
    for name, stream in places:
        source = sources.get(name)
        if source is None or stream not in source.streams:
            continue
        for column in additive(source, stream):
            value = f"json_extract_string(record, {literal('$.' + quoted(column))})"
            number = f"try_cast({value} as decimal(30, 6))"
            unit, mixed = _unit(source, stream, column)
            rows = con.execute(
                f"select {unit}, count({value}), sum({number}), count({value}) - count({number})"
                f" from {aside} where {where} and rule <> 'duplicate' and source = ? and stream = ?"
                f" group by 1 having count({value}) > 0 order by 1 nulls last",
                [*values, name, stream],
            ).fetchall()
            shown = source.class_of(stream, column) in SHOWN
            amounts += [
                Amount(name, stream, column, label, count, None if mixed and count > 1 else total, bad, shown)
                for label, count, total, bad in rows
            ]
    return amounts


def additive(source: Source, stream: str) -> Sequence[str]:
    """Columns of a stream that may be summed."""
    promised = source.streams[stream]
    if promised.control and promised.control.sums:
        return promised.control.sums
    return [name for name, spec in promised.columns.items() if spec.unit or spec.currency]


def disclosed(
    con: duckdb.DuckDBPyConnection, sources: Mapping[str, Source], wanted: Filter | None = None
) -> list[str]:
    """One line a stream: `hx_sales.sale_line: 2 rows, quantity 12`; sums of personal columns are withheld."""
    where, values = (Filter() if wanted is None else wanted).sql()
    states = "coalesce(decision, case when closed_by is null then 'waiting' else 'superseded' end) as state"
    rows = con.execute(
        "select source, stream, count(*), count(*) filter (rule = 'duplicate')"
        f" from (select *, {states} from ops.quarantine) where {where} group by all order by 3 desc, 1, 2",
        values,
    ).fetchall()
    amounts = quarantined_amounts(con, sources, wanted)
    lines = []
    for source, stream, count, copies in rows:
        parts = [f"{source}.{stream}: {count:,} row{'' if count == 1 else 's'}"]
        if copies:
            parts.append(
                "all copies of loaded rows"
                if copies == count
                else f"{copies:,} of them copies of loaded rows"
            )
        parts += [words(item) for item in amounts if (item.source, item.stream) == (source, stream)]
        lines.append(", ".join(parts))
    return lines


def words(item: Amount) -> str:
    """`quantity 12 piece`, `amount 1,200.50 CNY (1 is no number)`."""
    if not item.may_be_shown:
        return f"{item.column} withheld (personal)"
    unit = f" {item.unit}" if item.unit else ""
    if item.amount is None and item.unreadable < item.rows:
        return f"{item.column} not added up (each in its{unit})"
    figure = "" if item.amount is None else f" {_plain(item.amount)}{unit}"
    bad = (
        f" ({item.unreadable:,} {'is' if item.unreadable == 1 else 'are'} no number)"
        if item.unreadable
        else ""
    )
    return f"{item.column}{figure}{bad}"


def brief(lines: Sequence[str]) -> str:
    """The first streams of `disclosed`, and how many more there are: one line for a certificate."""
    more = [f"and {len(lines) - _STREAMS_NAMED} more streams"] if len(lines) > _STREAMS_NAMED else []
    return "; ".join([*lines[:_STREAMS_NAMED], *more])


def _plain(amount: Decimal) -> str:
    whole, point, digits = f"{amount:,.6f}".partition(".")
    digits = digits.rstrip("0")
    return whole + (point + digits if digits else "")


def _unit(source: Source, stream: str, column: str) -> tuple[str, bool]:
    """Expression for the unit a row's value is in; whether values under one label may be in several units.

    `unit` and `currency` hold a code, the name of the column that holds it, or `invoice.currency_code`: that of the
    document the row belongs to, which the row itself does not say.
    """
    promised = source.streams[stream]
    spec = promised.columns[column]
    said = spec.currency or spec.unit
    if said is None:
        return "null", False
    if said in promised.columns:
        return f"json_extract_string(record, {literal('$.' + quoted(said))})", False
    return literal(said), "." in said
