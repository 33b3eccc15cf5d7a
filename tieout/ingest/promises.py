"""What a source promised, checked before a batch may land: columns, not empty, types, control totals."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source, Stream
from tieout.engine import literal, quoted
from tieout.ingest.errors import ControlTotalError, SourceError

if TYPE_CHECKING:
    import duckdb

    from tieout.ingest.landing import Manifest


def check_columns(source: Source, name: str, stream: Stream, present: set[str], origin: str) -> None:
    """Raises: SourceError naming every promised column that the source no longer has."""
    missing = [stream.source_column(c) for c in stream.columns if stream.source_column(c) not in present]
    if missing:
        new = sorted(present - {stream.source_column(column) for column in stream.columns})
        hint = f" It now has {new}, which the contract does not name: renamed?" if new else ""
        raise SourceError(
            f"{source.name}.{name}: {origin} no longer has the column {', '.join(missing)}.{hint} "
            f"Nothing of it was loaded; what was loaded before stays. "
            f"Ask {stream.owner or source.owner}, then change sources/{source.name}/source.yaml."
        )


def has_columns(batch: Manifest, stream: Stream) -> bool:
    """Whether a landed batch holds every column that is promised today."""
    return {stream.source_column(column) for column in stream.columns} <= set(batch.columns)


def check_not_empty(source: Source, name: str, stream: Stream, rows: int, origin: str) -> None:
    if rows == 0 and not stream.allow_empty:
        raise SourceError(
            f"{source.name}.{name}: {origin} is empty. Nothing was deleted; what was loaded before stays. "
            f"If it may be empty, say `allow_empty: true` in sources/{source.name}/source.yaml."
        )


def check_types(
    con: duckdb.DuckDBPyConnection, source: Source, name: str, stream: Stream, data: Path, origin: str
) -> None:
    """Raises: SourceError if no value of a column is of its promised type: the source changed the type.

    Single values of a wrong type are rows for quarantine, not a reason to refuse the batch.
    """
    typed = {column: spec.type for column, spec in stream.columns.items() if spec.type != "text"}
    if not typed:
        return
    counts = [
        f"count({said}), count(try_cast({said} as {kind})), any_value({said})::text"
        for column, kind in typed.items()
        if (said := quoted(stream.source_column(column)))
    ]
    row = con.execute(f"select {', '.join(counts)} from read_parquet({literal(str(data))})").fetchone()
    assert row is not None
    for place, (column, kind) in enumerate(typed.items()):
        said, fitting, example = row[place * 3 : place * 3 + 3]
        if said > 1 and fitting == 0:
            raise SourceError(
                f"{source.name}.{name}: no value of {stream.source_column(column)} in {origin} is {kind} "
                f"(for example {example!r}): the source changed the column's type. "
                f"Nothing of it was loaded; what was loaded before stays. "
                f"Ask {stream.owner or source.owner}, then change sources/{source.name}/source.yaml."
            )


def check_control(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    stream: Stream,
    data: Path,
    origin: str,
    control: dict[str, str],
) -> None:
    """Compare what the source says (`rows`, `sum_<column>`) with what arrived in `data`.

    Raises: ControlTotalError with both figures.
    """
    for what, said in control.items():
        if what == "rows":
            expression = "count(*)"
        else:
            column = what.removeprefix("sum_")
            promised = stream.columns[column].type
            typed = f"try_cast({quoted(stream.source_column(column))} as {promised})"
            expression = f"sum({typed})"
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
