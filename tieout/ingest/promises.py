"""What a source promised, checked before a batch may land: columns, not empty, types, control totals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, Stream
from tieout.engine import literal, quoted
from tieout.ingest.errors import ControlTotalError, SourceError

if TYPE_CHECKING:
    import duckdb

    from tieout.ingest.landing import Manifest

_DECIMAL = re.compile(r"^(?:decimal|numeric)\((\d+), ?(\d+)\)$")


def check_columns(source: Source, name: str, stream: Stream, present: set[str], origin: str) -> None:
    """Raises: SourceError naming every promised column that the source no longer has."""
    missing = [stream.source_column(c) for c in stream.columns if stream.column_in(c, present) is None]
    if missing:
        new = sorted(present - {item for column in stream.columns for item in stream.source_names(column)})
        hint = f" It now has {new}, which the contract does not name: renamed?" if new else ""
        raise SourceError(
            f"{source.name}.{name}: {origin} no longer has the column {', '.join(missing)}.{hint} "
            f"Nothing of it was loaded; what was loaded before stays. "
            f"Ask {stream.owner or source.owner}, then change sources/{source.name}/source.yaml."
        )


def has_columns(batch: Manifest, stream: Stream) -> bool:
    """Whether a landed batch holds every column that is promised today."""
    return all(stream.column_in(column, batch.columns) for column in stream.columns)


def check_not_empty(
    source: Source, name: str, stream: Stream, rows: int, origin: str, *, had_rows: bool
) -> None:
    """Raises: SourceError if there is no row and the contract does not allow that.

    Args:
        had_rows: Whether any row of it ever landed.
    """
    if rows == 0 and (not stream.allow_empty or (stream.allow_empty == "at_first" and had_rows)):
        raise SourceError(
            f"{source.name}.{name}: {origin} is empty. Nothing was deleted; what was loaded before stays. "
            f"If it may be empty, say `allow_empty: true` in sources/{source.name}/source.yaml."
        )


def check_types(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    stream: Stream,
    data: Path,
    origin: str,
    columns: Mapping[str, str],
) -> None:
    """Raises: SourceError if no value of a column is of its promised type: the source changed the type.

    Single values of a wrong type are rows for quarantine, not a reason to refuse the batch.
    """
    typed = {
        present: spec.type
        for column, spec in stream.columns.items()
        if (present := stream.column_in(column, columns)) and not always_fits(columns[present], spec.type)
    }
    if not typed:
        return
    counts = [
        f"count({said}), count(try_cast({said} as {kind})), any_value({said})::text"
        for column, kind in typed.items()
        if (said := quoted(column))
    ]
    row = con.execute(f"select {', '.join(counts)} from read_parquet({literal(str(data))})").fetchone()
    assert row is not None
    for place, (column, kind) in enumerate(typed.items()):
        said, fitting, example = row[place * 3 : place * 3 + 3]
        if said > 1 and fitting == 0:
            raise SourceError(
                f"{source.name}.{name}: no value of {column} in {origin} is {kind} "
                f"(for example {example!r}): the source changed the column's type. "
                f"Nothing of it was loaded; what was loaded before stays. "
                f"Ask {stream.owner or source.owner}, then change sources/{source.name}/source.yaml."
            )


def always_fits(declared: str, promised: str) -> bool:
    """Whether every value of the declared type is one of the promised type, so that nothing needs to be tried."""
    if promised == "text":
        return True
    fitting = {
        "bigint": {
            "bigint",
            "integer",
            "smallint",
            "tinyint",
            "int4",
            "int8",
            "utinyint",
            "usmallint",
            "uinteger",
        },
        "integer": {"integer", "smallint", "tinyint", "utinyint", "usmallint"},
        "double": {"double", "double precision", "real", "float", "integer", "smallint", "tinyint"},
        "boolean": {"boolean"},
        "date": {"date"},
        "timestamp": {"timestamp", "timestamp without time zone"},
        "timestamptz": {"timestamptz", "timestamp with time zone"},
    }
    kind = re.sub(r"timestamp\(\d\)", "timestamp", declared.lower())
    if kind in fitting.get(promised, set()):
        return True
    there, here = _DECIMAL.match(kind), _DECIMAL.match(promised)
    if there is None or here is None:
        return False
    whole_there, whole_here = int(there[1]) - int(there[2]), int(here[1]) - int(here[2])
    return whole_there <= whole_here and int(there[2]) <= int(here[2])


def check_control(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    stream: Stream,
    data: Path,
    origin: str,
    control: dict[str, str],
    columns: Mapping[str, str],
) -> None:
    """Compare what the source says (`rows`, `sum_<column>`, by month `…[2025-11]`) with what arrived in `data`.

    Raises: ControlTotalError with both figures.
    """
    for what, said in control.items():
        measure, _, period = what.removesuffix("]").partition("[")
        expression = "count(*)"
        if measure != "rows":
            column = measure.removeprefix("sum_")
            present = quoted(stream.column_in(column, columns) or stream.source_column(column))
            expression = f"sum(try_cast({present} as {stream.columns[column].type}))"
        if period:
            assert stream.control is not None and stream.control.by is not None
            by = quoted(stream.column_in(stream.control.by, columns) or stream.control.by)
            month = f"coalesce(strftime(try_cast({by} as date), '%Y-%m'), 'none')"
            expression += f" filter ({month} = {literal(period)})"
        row = con.execute(f"select {expression} from read_parquet({literal(str(data))})").fetchone()
        assert row is not None
        if not same_total(said, row[0]):
            raise ControlTotalError(
                f"{source.name}.{name}: {origin} should have {what} = {said}, but {row[0]} arrived: "
                f"the file or table was cut short, doubled or changed on the way. "
                f"Nothing of it was loaded; what was loaded before stays. Have it sent again."
            )


def same_total(said: str, got: object) -> bool:
    """Equal as decimals, to a millionth (sources that sum in floating point are off far below that)."""
    if said in {"None", ""} or got is None:
        return said in {"None", ""} and got is None
    return abs(Decimal(said) - Decimal(str(got))) < Decimal("0.000001")
