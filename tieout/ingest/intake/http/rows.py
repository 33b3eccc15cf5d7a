"""JSON lines become `rows.parquet`: every value as text under the source's names, numbered over all pages.

DuckDB reads the lines with the columns spelled out, so nothing is guessed. Values keep their digits: what a
float cannot hold was made text before. Objects and lists are JSON text. Where two passes or two pages hold a
row of the same key, the later one counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sources.contract import Source, Stream
from tieout.engine import literal, quoted
from tieout.ingest.drift import grown, reading
from tieout.ingest.intake.http.fields import Known
from tieout.ingest.landing import Manifest

if TYPE_CHECKING:
    import duckdb

BUFFER = 16_000_000  # DuckDB's own bound for one line
_TIMES = {"date", "timestamp", "timestamptz"}


@dataclass
class _Node:
    """What is read of one object: fields as text, or objects that are looked into."""

    inner: dict[str, _Node] = field(default_factory=dict)
    leaf: bool = False
    rows: _Node | None = None  # a list of rows to be read one by one

    def typed(self) -> str:
        """The DuckDB type that reads it."""
        if self.rows is not None:
            return (self.rows.typed() if self.rows.inner else "struct(nothing varchar)") + "[]"
        if self.leaf or not self.inner:
            return "varchar"
        return f"struct({', '.join(f'{quoted(name)} {node.typed()}' for name, node in self.inner.items())})"


class Table:
    """Reads the lines of one stream: its own rows, or those inside the rows of its parent.

    `columns`: promised name → name in the source, for those that rows have; `absent`: for those no row has.
    `declared`: every field with its JSON type, but for those that only lead to promised ones. `last` is the
    batch that shapes are compared with: what came since may be taken in, or hold what a promised column held.
    """

    def __init__(
        self, source: Source, name_of_stream: str, stream: Stream, known: Known, last: Manifest | None
    ) -> None:
        self.source, self.stream, self.known = source, stream, known
        self.columns: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self.own, self.above = _Node(), _Node()
        for promised in stream.columns:
            name = next((item for item in stream.source_names(promised) if known.find(item)), None)
            if name is None:
                self.absent[promised] = stream.source_column(promised)
            else:
                self.columns[promised] = name
                self._plant(name)
        self.declared = self._declared(name_of_stream)
        read = reading(grown(stream, self.declared, last), self.declared, last)
        self.more = [item for item in read if item not in self.columns.values()]
        for item in self.more:
            self._plant(item)

    def _declared(self, stream: str) -> dict[str, str]:
        """The fields, without those that lead to promised ones or hold the rows of other streams."""
        others = [item.request for item in self.source.streams.values() if item.request]
        ways = [request.records for request in others if request.parent == stream]
        promised = {name: self.known.kind(name) for name in self.columns.values()}
        lead = [*ways, *promised]
        return {
            name: kind
            for name, kind in self.known.declared.items()
            if name not in ways and not any(path.startswith(name + ".") for path in lead)
        } | promised

    def _plant(self, name: str) -> None:
        found = self.known.find(name)
        assert found is not None
        above, steps, _ = found
        node = self.above if above else self.own
        for step in steps:
            node = node.inner.setdefault(step, _Node())
        node.leaf = True

    def _value(self, name: str) -> str:
        found = self.known.find(name)
        assert found is not None
        above, steps, below = found
        inside = bool(self.known.inside) and not above
        node = self.above if above else self.own
        for place, step in enumerate(steps, 1):
            node = node.inner[step]
            if node.leaf and place < len(steps):  # read whole for another column: look into its JSON text
                steps, below = steps[:place], (*steps[place:], *below)
                break
        value = "item" if inside else quoted(steps[0])
        value += "".join(f"[{literal(step)}]" for step in (steps if inside else steps[1:]))
        if not below:
            return value
        path = "$" + "".join(f"[{part}]" if part.isdigit() else f".{quoted(part)}" for part in below)
        return f"json_extract_string({value}, {literal(path)})"

    def select(self, files: list[Path], widest: int) -> str:
        """A query of the lines in these files, `_row` counting from 1."""
        size = max(BUFFER, widest + 1024)
        listed = ", ".join(literal(str(path)) for path in files)
        tree, body = self.own, ""
        if self.known.inside:
            tree = self.above
            node = tree
            for step in self.known.inside:
                node = node.inner.setdefault(step, _Node())
            node.rows = self.own
            head, *rest = self.known.inside
            # In the select list, for a lateral join would not keep the order of the rows; and without the
            # list itself, which would be copied for each of its items.
            kept = [quoted(name) for name, item in tree.inner.items() if name != head or len(item.inner) > 1]
            way = quoted(head) + "".join(f"[{literal(step)}]" for step in rest)
            body = ", ".join([*kept, f"unnest({way}) as item"])
        kinds = ", ".join(f"{literal(name)}: {literal(node.typed())}" for name, node in tree.inner.items())
        kinds = kinds or "'nothing': 'varchar'"  # rows, or none, without any field that is wanted
        columns = [
            f"{self._column(key, self.columns[key]) if key in self.columns else 'null::varchar'} as {quoted(name)}"
            for key, name in self.names.items()
        ]
        columns += [f"{self._value(name)} as {quoted(name)}" for name in self.more]
        return (
            f"select row_number() over () as _row, {', '.join(columns)} from (select {body or '*'} from"
            f" read_json([{listed}], format = 'newline_delimited', columns = {{{kinds}}},"
            f" maximum_object_size = {size}))"
        )

    def _column(self, promised: str, name: str) -> str:
        value = self._value(name)
        kind = self.stream.columns[promised].type
        request = self.stream.request
        if kind in _TIMES and request is not None and request.times.numbers:
            return _instant(value, kind, request.times.numbers, self.source.timezone)
        if kind in _TIMES and request is not None and request.times.minutes:
            return rf"regexp_replace({value}, '^(\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d)(Z|[+-]\d\d:?\d\d)?$', '\1:00\2')"
        return value

    def write(self, con: duckdb.DuckDBPyConnection, files: list[Path], widest: int, target: Path) -> int:
        """Write the rows of these pages; returns how many.

        Raises: duckdb.Error if a row cannot be read.
        """
        if not files or self.nowhere:
            names = ", ".join(f"null::varchar as {quoted(name)}" for name in self.names.values())
            con.execute(
                f"copy (select 0::bigint as _row, {names} limit 0) to {literal(str(target))} (format parquet)"
            )
            return 0
        query = self.select(files, widest)
        row = con.execute(f"copy ({query}) to {literal(str(target))} (format parquet)").fetchone()
        return int(row[0]) if row else 0

    @property
    def nowhere(self) -> bool:
        """Whether no row of the parent holds the field that this stream's rows are in."""
        request = self.stream.request
        return request is not None and request.parent is not None and not self.known.inside

    @property
    def names(self) -> dict[str, str]:
        """Promised name → name in the source, in the contract's order."""
        both = {**self.absent, **self.columns}
        return {promised: both[promised] for promised in self.stream.columns}

    @property
    def all_names(self) -> list[str]:
        """The columns of the file, under the source's names."""
        return [*self.names.values(), *self.more]

    def key(self) -> list[str]:
        """The key's columns, under the source's names."""
        return [self.names[name] for name in self.stream.key]


def _instant(value: str, kind: str, unit: str, zone: str) -> str:
    """Numbers counted from 1970 (also `/Date(…)/`) as an instant, or as wall time in the source's zone."""
    count = f"try_cast(regexp_extract({value}, '^(?:/Date\\()?(-?\\d{{1,16}})(?:[+-]\\d{{4}})?(?:\\.0+)?(?:\\)/)?$', 1) as bigint)"
    scale = 1_000_000 if unit == "s" else 1_000
    instant = f"make_timestamp({count} * {scale})"
    if kind != "timestamptz":
        instant = f"timezone({literal(zone)}, timezone('UTC', {instant}))"
        return f"coalesce({instant}::{kind}::varchar, {value})"
    return f"coalesce({instant}::varchar || '+00', {value})"


def latest_by_key(
    con: duckdb.DuckDBPyConnection, table: Table, file: Path, pages: list[int]
) -> tuple[int, int]:
    """Leave one row of each key where several came on different pages or passes: the last.

    Rows of one key on one page are left, and rows without a key: those are the contract's mistake or the
    source's, and the loader's to quarantine. `pages` are the rows of each page.
    Returns the rows left, and how many keys had come again with other content.
    """
    keys = table.key()
    listed = ", ".join(quoted(name) for name in keys)
    where = f"read_parquet({literal(str(file))})"
    rows, distinct = _two(con, f"select count(*), count(distinct row({listed})) from {where}")
    if rows == distinct:
        return rows, 0
    bounds: list[int] = []
    for count in pages:
        bounds.append((bounds[-1] if bounds else 0) + count)
    con.execute("create or replace temp table page_ends as select unnest(?::bigint[]) as last_row", [bounds])
    left = file.with_name("left.parquet")
    content = ", ".join(quoted(name) for name in table.all_names)
    missing = " or ".join(f"{quoted(name)} is null" for name in keys)
    con.execute(
        f"""
        create or replace temp table paged as
        select r.*, p.last_row, hash({content}) as content_hash
        from {where} as r asof join page_ends as p on r._row <= p.last_row
        """
    )
    _, changed = _two(
        con,
        f"select 0, count(*) from (select 1 from paged where not ({missing}) group by {listed}"
        f" having count(distinct content_hash) > 1 and count(distinct last_row) > 1)",
    )
    con.execute(
        f"""
        copy (
            select * exclude (last_row, content_hash) from paged
            qualify {missing} or last_row = max(last_row) over (partition by {listed})
            order by _row
        ) to {literal(str(left))} (format parquet)
        """
    )
    con.execute("drop table paged")
    left.replace(file)
    return _two(con, f"select count(*), 0 from {where}")[0], changed


def _two(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    row: Any = con.execute(sql).fetchone()
    return row[0], row[1]
