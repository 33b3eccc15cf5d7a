"""Pull what every source holds now into landing batches; knows nothing of the warehouse.

Sources are pulled side by side. All tables of one database are read inside one read-only snapshot, so
a document's head and its lines agree. What has not changed since the last batch lands nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import ContractError, Source, Stream, contract_version
from tieout.engine import connect, literal, load_extension, quoted
from tieout.ingest.errors import IngestError, SourceError
from tieout.ingest.files import drop_files, land_file
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest, batch_id
from tieout.ingest.promises import check_columns, check_control, check_not_empty, check_types, has_columns

if TYPE_CHECKING:
    from collections.abc import Generator

    import duckdb


@dataclass(frozen=True)
class Extracted:
    """The outcome for one stream of one source: `landed` new batches, `rows` read in this pull."""

    source: str
    stream: str
    rows: int = 0
    landed: tuple[Manifest, ...] = ()
    error: IngestError | None = None


Report = Callable[[Extracted], None]


def extract_all(
    sources: dict[str, Source], landing: Landing, now: datetime, report: Report, *, workers: int = 4
) -> list[Extracted]:
    """Pull every stream of every source; one failing stream does not stop the others.

    Args:
        now: Extraction instant (aware, UTC); becomes part of every batch id.
        report: Called from worker threads after each stream.
    """
    landing.sweep()
    with ThreadPoolExecutor(max_workers=min(workers, len(sources)), thread_name_prefix="extract") as pool:
        pulls = [pool.submit(extract_source, source, landing, now, report) for source in sources.values()]
        return [outcome for pull in pulls for outcome in pull.result()]


def extract_source(source: Source, landing: Landing, now: datetime, report: Report) -> list[Extracted]:
    """Pull every stream of one source; errors are part of the answer, never raised."""
    outcomes: list[Extracted] = []

    def done(outcome: Extracted) -> None:
        outcomes.append(outcome)
        report(outcome)

    try:
        if source.connector == "files":
            _extract_files(source, landing, now, done)
        else:
            _extract_database(source, landing, now, done)
    except (IngestError, ContractError) as error:
        failure = error if isinstance(error, IngestError) else SourceError(str(error))
        reached = {outcome.stream for outcome in outcomes}
        for stream in source.streams:
            if stream not in reached:
                done(Extracted(source.name, stream, error=failure))
    return outcomes


# --- databases ------------------------------------------------------------------------------------


def _extract_database(source: Source, landing: Landing, now: datetime, done: Report) -> None:
    import duckdb

    with _attached(source) as con:
        for name, stream in source.streams.items():
            try:
                done(_land_table(con, source, name, stream, landing, now))
            except IngestError as error:
                done(Extracted(source.name, name, error=error))
            except duckdb.Error as error:
                unread = SourceError(
                    f"{source.name}.{name}: {stream.origin} could not be read to its end: {_first_line(error)}. "
                    f"Nothing of it was loaded; what was loaded before stays. Repeat when the system is well."
                )
                done(Extracted(source.name, name, error=unread))


@contextmanager
def _attached(source: Source) -> Generator[duckdb.DuckDBPyConnection]:
    """A DuckDB session with the source attached as `src`, inside one read-only snapshot."""
    import duckdb

    place = source.place()
    if source.connector == "sqlite" and not Path(place).is_file():
        raise SourceError(
            f"{source.name}: the database file {Path(place).name} does not exist. Nothing was read. "
            f"Check the connection in sources/{source.name}/source.yaml."
        )
    with connect() as con:
        # Order inside a table carries no meaning here, and keeping it costs half the speed.
        con.execute("set preserve_insertion_order = false")
        load_extension(con, "postgres_scanner" if source.connector == "postgres" else "sqlite_scanner")
        try:
            con.execute(f"attach {literal(place)} as src (type {source.connector}, read_only)")
            con.execute("begin transaction read only")
        except duckdb.Error as error:
            raise SourceError(
                f"{source.name}: cannot connect: {_without_secret(str(error), place)}. Nothing was read. "
                f"Check that the system runs and that {source.connection.dsn or source.connection.path} is right."
            ) from None
        yield con


def _land_table(
    con: duckdb.DuckDBPyConnection, source: Source, name: str, stream: Stream, landing: Landing, now: datetime
) -> Extracted:
    import duckdb

    started = time.perf_counter()
    table = "src." + ".".join(quoted(part) for part in stream.origin.split("."))
    try:
        declared = {row[0]: row[1] for row in con.execute(f"describe select * from {table}").fetchall()}
    except duckdb.Error as error:
        raise SourceError(
            f"{source.name}: the table {stream.origin} cannot be read: {_first_line(error)}. "
            f"Nothing of it was loaded; what was loaded before stays."
        ) from None
    check_columns(source, name, stream, set(declared), stream.origin)
    wanted = [stream.source_column(column) for column in stream.columns]
    with landing.draft(source.name, name) as draft:
        file = draft / "rows.parquet"
        columns = ", ".join(quoted(column) for column in wanted)
        con.execute(f"copy (select {columns} from {table}) to {literal(str(file))} (format parquet)")
        rows, content = _row_fingerprint(con, file)
        check_not_empty(source, name, stream, rows, stream.origin)
        check_types(con, source, name, stream, file, stream.origin)
        control = _ask_control(con, source, stream, table)
        check_control(con, source, name, stream, file, stream.origin, control)
        last = landing.latest(source.name, name, WHOLE_TABLE)
        if last and last.content_hash == content and has_columns(last, stream):
            return Extracted(source.name, name, rows)
        instant = landing.instant(source.name, name, now)
        manifest = Manifest(
            source=source.name,
            stream=name,
            batch_id=batch_id(instant, WHOLE_TABLE, content),
            extracted_at=instant.isoformat(),
            scope=WHOLE_TABLE,
            origin=stream.origin,
            data=file.name,
            rows=rows,
            bytes=file.stat().st_size,
            content_hash=content,
            contract_version=contract_version(source),
            columns={column: declared[column] for column in wanted},
            control=control,
            seconds=round(time.perf_counter() - started, 3),
        )
        return Extracted(source.name, name, rows, (landing.commit(draft, manifest),))


def _ask_control(
    con: duckdb.DuckDBPyConnection, source: Source, stream: Stream, table: str
) -> dict[str, str]:
    """What the system itself counts and sums, asked in its own SQL where that is possible."""
    if stream.control is None or stream.control.kind != "query":
        return {}
    columns = [quoted(stream.source_column(column)) for column in stream.control.sums]
    if source.connector == "postgres":
        # As text: PostgreSQL's sum has no fixed precision, and would arrive in floating point.
        sums = [f"sum({column})::text as sum{place}" for place, column in enumerate(columns)]
        select = ", ".join(["count(*)::text as rows", *sums])
        native = ".".join(quoted(part) for part in stream.origin.split("."))
        row = con.execute(
            f"select * from postgres_query('src', {literal(f'select {select} from {native}')})"
        ).fetchone()
    else:
        sums = [f"sum(cast({column} as decimal(38, 6)))" for column in columns]
        row = con.execute(f"select {', '.join(['count(*)', *sums])} from {table}").fetchone()
    assert row is not None
    names = ["rows", *(f"sum_{column}" for column in stream.control.sums)]
    return {name: str(value) for name, value in zip(names, row, strict=True)}


# --- files ----------------------------------------------------------------------------------------


def _extract_files(source: Source, landing: Landing, now: datetime, done: Report) -> None:
    folder = Path(source.place())
    if not folder.is_dir():
        raise SourceError(f"{source.name}: the drop folder {folder} does not exist. Nothing was read.")
    with connect() as con:
        for name, stream in source.streams.items():
            landed: list[Manifest] = []
            rows = 0
            try:
                instant = landing.instant(source.name, name, now)
                for file in drop_files(source, name, stream, folder):
                    started = time.perf_counter()
                    last = landing.latest(source.name, name, scope_of(stream, file))
                    with landing.draft(source.name, name) as draft:
                        received = land_file(con, source, name, stream, file, draft, last)
                        rows += received.rows
                        if received.unchanged:
                            continue
                        data = draft / received.data
                        check_not_empty(source, name, stream, received.rows, file.name)
                        check_types(con, source, name, stream, data, file.name)
                        check_control(con, source, name, stream, data, file.name, received.control)
                        manifest = Manifest(
                            source=source.name,
                            stream=name,
                            batch_id=batch_id(instant, file.name, received.content_hash),
                            extracted_at=instant.isoformat(),
                            scope=scope_of(stream, file),
                            origin=received.origin,
                            data=received.data,
                            rows=received.rows,
                            bytes=file.stat().st_size,
                            content_hash=received.content_hash,
                            contract_version=contract_version(source),
                            columns=received.columns,
                            control=received.control,
                        )
                        manifest = replace(manifest, seconds=round(time.perf_counter() - started, 3))
                        landed.append(landing.commit(draft, manifest))
                done(Extracted(source.name, name, rows, tuple(landed)))
            except IngestError as error:
                done(Extracted(source.name, name, rows, tuple(landed), error))


def scope_of(stream: Stream, file: Path) -> str:
    """A file stands for the whole table, or (load `slice`) for itself."""
    return file.name if stream.load == "slice" else WHOLE_TABLE


def _row_fingerprint(con: duckdb.DuckDBPyConnection, file: Path) -> tuple[int, str]:
    """Row count and an order-free content hash of a Parquet file."""
    row = con.execute(
        f"select count(*), coalesce(sum(hash(r)::hugeint), 0), coalesce(bit_xor(hash(r)), 0)"
        f" from read_parquet({literal(str(file))}) as r"
    ).fetchone()
    assert row is not None
    return row[0], f"{row[0]}-{row[1]:x}-{row[2]:x}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _without_secret(text: str, place: str) -> str:
    """The first line of a driver's message with the connection string taken out of it."""
    return text.splitlines()[0].replace(place, "…").strip()
