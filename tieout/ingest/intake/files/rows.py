"""Writers of `rows.parquet`: rows go in piece by piece, so memory is bounded by a piece and never by the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tieout.engine import literal, quoted
from tieout.ingest.intake.files.delivery import MOST_COLUMNS, PARSED, Delivery

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# DuckDB reads row groups of about its own size in parallel; wide rows are cut earlier to bound memory.
GROUP_ROWS, GROUP_BYTES = 122_880, 48 * 1024 * 1024
# Values held as Python objects before they become a column: about 50 MB at 12 columns.
HELD_ROWS, HELD_CHARACTERS = 20_000, 8 * 1024 * 1024


class Rows:
    """Rows under a heading known beforehand: `_row`, `_origin` where one file has several, and text columns."""

    def __init__(self, delivery: Delivery, names: Sequence[str], *, with_origin: bool = False) -> None:
        import pyarrow as pa

        self.delivery, self.names, self.count = delivery, list(names), 0
        fields = [("_row", pa.int64()), *([("_origin", pa.string())] if with_origin else [])]
        self.schema = pa.schema([*fields, *((name, pa.string()) for name in names)])
        self._file = _Groups(delivery.file.parent / PARSED, self.schema)
        self._with_origin = with_origin
        self._held: list[Sequence[str | None]] = []
        self._numbers: list[int] = []
        self._origins: list[str] = []
        self._characters = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: int, values: Sequence[str | None], characters: int, origin: str = "") -> None:
        """One row; `characters` is about what it holds."""
        self._numbers.append(row)
        self._held.append(values)
        if self._with_origin:
            self._origins.append(origin)
        self._characters += characters
        if len(self._held) >= HELD_ROWS or self._characters > HELD_CHARACTERS:
            self._flush()

    def add_table(self, numbers: Any, columns: Sequence[pa.ChunkedArray | pa.Array]) -> None:
        """Many rows at once, after whatever was added one by one."""
        import pyarrow as pa

        self._flush()
        table = pa.Table.from_arrays([pa.array(numbers, pa.int64()), *columns], schema=self.schema)
        self.count += table.num_rows
        self._file.write(table)

    def finish(self) -> int:
        """Write what is left; returns how many rows there are."""
        self._flush()
        self._file.close()
        return self.count

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._held:
            return
        columns: list[Any] = [pa.array(self._numbers, pa.int64())]
        if self._with_origin:
            columns.append(pa.array(self._origins, pa.string()))
        try:
            columns += [pa.array(values, pa.string()) for values in zip(*self._held, strict=True)]
        except UnicodeEncodeError as error:
            raise self.delivery.refusal(
                f"holds text that is no text (half a character, U+{ord(error.object[error.start]):04X})",
                at=f"row {self._numbers[0]} or one of the {len(self._numbers)} from there on",
            ) from None
        self.count += len(self._held)
        self._file.write(pa.Table.from_arrays(columns, schema=self.schema))
        self._held, self._numbers, self._origins, self._characters = [], [], [], 0


class _Groups:
    """A Parquet file that gathers tables until they make a row group."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._tables: list[pa.Table] = []
        self._rows = self._bytes = 0

    def write(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._tables:
            table = pa.concat_tables(self._tables)
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self._tables, self._rows, self._bytes = [], 0, 0


class Records:
    """Records that name their own columns (JSON, XML): which columns there are is known at the end only.

    A record with a new key begins a new part; DuckDB puts the parts together. Where a promised column has
    several names, each record may use another.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, delivery: Delivery) -> None:
        self.con, self.delivery, self.count = con, delivery, 0
        self.declared: dict[str, None] = {}
        self._held: list[dict[str, str | None]] = []
        self._numbers: list[int] = []
        self._characters = 0
        self._part: _Groups | None = None
        self._parts: list[Path] = []
        self._names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._part is not None:
            self._part.close()

    def add(self, row: int, record: dict[str, str | None], characters: int) -> None:
        self._numbers.append(row)
        self._held.append(record)
        if not self.declared.keys() >= record.keys():
            self.declared.update(dict.fromkeys(record))
            if len(self.declared) > MOST_COLUMNS:
                raise self.delivery.refusal(
                    f"its records have more than {MOST_COLUMNS:,} different keys: keys are data here, not columns",
                    "Ask for records with fixed columns.",
                    at=f"record {row}",
                )
        self._characters += characters
        if len(self._held) >= HELD_ROWS or self._characters > HELD_CHARACTERS:
            self._flush()

    def finish(self, names: Sequence[str]) -> int:
        """Write `rows.parquet` with the columns `names`; returns how many rows there are."""
        self._flush()
        if self._part is None:
            with Rows(self.delivery, names) as none:
                return none.finish()
        self._part.close()
        self._part = None
        parts = ", ".join(literal(str(part)) for part in self._parts)
        columns = ", ".join(f"{self._value(name)} as {quoted(name)}" for name in names)
        target = self.delivery.file.parent / PARSED
        self.con.execute(
            f"copy (select _row, {columns} from read_parquet([{parts}], union_by_name = true))"
            f" to {literal(str(target))} (format parquet, compression zstd)"
        )
        for part in self._parts:
            part.unlink()
        return self.count

    def _value(self, name: str) -> str:
        """The column `name`, or in a record that lacks it the same column under its other names."""
        stream = self.delivery.stream
        names = next((said for c in stream.columns if name in (said := stream.source_names(c))), (name,))
        there = [quoted(item) for item in names if item in self.declared]
        return f"coalesce({', '.join(there)})" if len(there) > 1 else quoted(name)

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._held:
            return
        names = list(self.declared)
        if self._part is None or names != self._names:
            if self._part is not None:
                self._part.close()
            self._names = names
            self._parts.append(self.delivery.file.parent / f"part-{len(self._parts)}.parquet")
            schema = pa.schema([("_row", pa.int64()), *((name, pa.string()) for name in names)])
            self._part = _Groups(self._parts[-1], schema)
        try:
            columns = [pa.array([item.get(name) for item in self._held], pa.string()) for name in names]
        except UnicodeEncodeError as error:
            raise self.delivery.refusal(
                f"holds text that is no text (half a character, U+{ord(error.object[error.start]):04X})",
                at=f"record {self._numbers[0]} or one of the {len(self._numbers)} from there on",
            ) from None
        numbers = pa.array(self._numbers, pa.int64())
        self._part.write(pa.Table.from_arrays([numbers, *columns], names=["_row", *names]))
        self.count += len(self._held)
        self._held, self._numbers, self._characters = [], [], 0
