"""Files as sources: landed as received, and parsed once into Parquet with every value still text.

CSV in any encoding Python knows, Excel with a title above the header and a total row below, JSON
(an array of objects) and Parquet. `_row` is the line or row a person would look up in that file.
"""

from __future__ import annotations

import codecs
import csv
import json
import shutil
import time
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sources.contract import Source, Stream
from tieout.engine import connect, literal
from tieout.ingest.errors import ControlTotalError, IngestError, SourceError
from tieout.ingest.intake.ask import Ask, Extracted, Report
from tieout.ingest.intake.land import Received, land
from tieout.ingest.landing import WHOLE_TABLE, Landing, Manifest, file_hash
from tieout.ingest.promises import check_columns, has_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

PARSED = "rows.parquet"


def pull_files(source: Source, landing: Landing, ask: Ask, done: Report) -> None:
    """Pull every wanted stream of one drop folder; a stream that fails does not stop the others.

    Raises: SourceError if the folder does not exist.
    """
    folder = Path(source.place())
    if not folder.is_dir():
        raise SourceError(f"{source.name}: the drop folder {folder} does not exist. Nothing was read.")
    with connect() as con:
        for name, stream in source.streams.items():
            if not ask.wants(name):
                continue
            landed: list[Manifest] = []
            rows = 0
            try:
                for file in drop_files(source, name, stream, folder):
                    last = landing.latest(source.name, name, scope_of(stream, file))
                    with landing.draft(source.name, name) as draft:
                        received = land_file(con, source, name, stream, file, draft, last)
                        if received is None:
                            assert last is not None
                            rows += last.rows
                            continue
                        rows += received.rows
                        landed.append(land(con, source, name, landing, draft, received, ask.now))
                done(Extracted(source.name, name, rows, tuple(landed)))
            except IngestError as error:
                done(Extracted(source.name, name, rows, tuple(landed), error))


def scope_of(stream: Stream, file: Path) -> str:
    """A file stands for the whole table, or (load `slice`) for itself."""
    return file.name if stream.load == "slice" else WHOLE_TABLE


def drop_files(source: Source, name: str, stream: Stream, folder: Path) -> list[Path]:
    """The files of one stream, in name order.

    Raises: SourceError if none is there, or if several claim to be the whole table.
    """
    files = sorted(path for path in folder.glob(stream.origin) if not path.name.startswith(("~$", ".")))
    if not files:
        raise SourceError(
            f"{source.name}.{name}: no file {stream.origin} in the drop folder. "
            f"Nothing of it was loaded; what was loaded before stays. Ask {stream.owner or source.owner} for it."
        )
    if stream.load == "full" and len(files) > 1:
        raise SourceError(
            f"{source.name}.{name}: {len(files)} files match {stream.origin}, and each would be the whole table. "
            f"Nothing of it was loaded. Leave one, or say `load: slice` in the contract."
        )
    return files


def land_file(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    stream: Stream,
    file: Path,
    draft: Path,
    last: Manifest | None,
) -> Received | None:
    """Copy one file into a draft batch and parse it; None if the last batch holds the same bytes.

    Raises: SourceError if the file cannot be read or is not what the contract says.
    """
    assert stream.format is not None
    started = time.perf_counter()
    try:
        shutil.copyfile(file, draft / file.name)
    except OSError as error:
        raise SourceError(
            f"{source.name}.{name}: {file.name} cannot be read ({error.strerror}). Nothing of it was loaded; "
            f"what was loaded before stays. Check the file's permissions."
        ) from None
    copy = draft / file.name
    content = file_hash(copy)
    control = _control(source, stream, file)
    same_control = (
        stream.control is None or stream.control.kind != "file" or (last and last.control == control)
    )
    if last and last.content_hash == content and has_columns(last, stream) and same_control:
        return None
    kind = stream.format.kind
    if kind == "parquet":
        columns = _parquet_columns(con, source, name, copy)
        check_columns(source, name, stream, set(columns), file.name)
        rows = _count(con, copy)
        return Received(
            file.name,
            copy.name,
            rows,
            content,
            copy.stat().st_size,
            columns,
            declared=columns,
            scope=scope_of(stream, file),
            control=control,
            seconds=time.perf_counter() - started,
        )
    parse = {"csv": _parse_csv, "xlsx": _parse_xlsx, "json": _parse_json}[kind]
    records, footer = parse(source, name, stream, copy)
    if stream.control and stream.control.kind == "footer":
        control = _footer_control(source, name, stream, file, footer)
    rows = _write(con, stream, records, draft / PARSED)
    origin = f"{file.name}#{stream.format.sheet}" if stream.format.sheet else file.name
    columns = {stream.source_column(column): "text" for column in stream.columns}
    return Received(
        origin,
        PARSED,
        rows,
        content,
        copy.stat().st_size,
        columns,
        declared=columns,
        scope=scope_of(stream, file),
        control=control,
        seconds=time.perf_counter() - started,
    )


Records = list[tuple[int, list[str | None]]]
Footer = list[str | None] | None


def _parse_csv(source: Source, name: str, stream: Stream, file: Path) -> tuple[Records, Footer]:
    assert stream.format is not None
    where = f"{source.name}.{name}: {file.name}"
    raw = file.read_bytes()
    if raw and not raw.endswith((b"\n", b"\r")):
        raise SourceError(
            f"{where}: the last line does not end: the file was cut in the middle. "
            f"Nothing of it was loaded; what was loaded before stays. Have it sent again."
        )
    try:
        text = codecs.decode(raw, stream.format.encoding).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise SourceError(
            f"{where}: is not {stream.format.encoding}: {error}. Nothing of it was loaded. "
            f"Set `format.encoding` in the contract to what the file really is."
        ) from None
    reader = csv.reader(text.splitlines(keepends=True), delimiter=stream.format.delimiter, strict=True)
    header: list[str] | None = None
    records: Records = []
    try:
        while True:
            line = reader.line_num + 1  # a quoted value may span lines: the record begins here
            cells = next(reader, None)
            if cells is None:
                break
            if header is None:
                if line == stream.format.header_row:
                    header = cells
                    check_columns(source, name, stream, set(header), file.name)
                continue
            if not cells:
                continue
            if len(cells) != len(header):
                raise SourceError(
                    f"{where}, line {line}: has {len(cells)} values, the header has {len(header)}. "
                    f"Nothing of this file was loaded; what was loaded before stays. Have it sent again."
                )
            records.append((line, _picked(stream, header, cells)))
    except csv.Error as error:
        raise SourceError(
            f"{where}, line {reader.line_num}: {error}. Nothing of this file was loaded."
        ) from None
    if header is None:
        raise SourceError(
            f"{where}: has no header line {stream.format.header_row}. Nothing of it was loaded."
        )
    return records, None


def _parse_xlsx(source: Source, name: str, stream: Stream, file: Path) -> tuple[Records, Footer]:
    import zipfile

    import openpyxl

    assert stream.format is not None
    where = f"{source.name}.{name}: {file.name}"
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"{where}: is not a readable Excel workbook ({error}). Nothing of it was loaded; "
            f"what was loaded before stays. Have it sent again."
        ) from None
    sheet_name = stream.format.sheet or book.sheetnames[0]
    if sheet_name not in book.sheetnames:
        raise SourceError(
            f"{where}: has no sheet {sheet_name}, only {book.sheetnames}. Nothing of it was loaded."
        )
    header: list[str] | None = None
    records: Records = []
    footer: Footer = None
    for number, values in enumerate(book[sheet_name].iter_rows(values_only=True), start=1):
        cells = [_cell_text(value) for value in values]
        if number < stream.format.header_row:
            continue
        if header is None:
            header = [cell or "" for cell in cells]
            check_columns(source, name, stream, set(header), f"{file.name}#{sheet_name}")
            continue
        if stream.format.footer and cells and cells[0] == stream.format.footer:
            footer = _picked(stream, header, cells)
            break
        if any(cell is not None for cell in cells):
            records.append((number, _picked(stream, header, cells)))
    book.close()
    if header is None:
        raise SourceError(
            f"{where}: sheet {sheet_name} has no row {stream.format.header_row}. Nothing was loaded."
        )
    if stream.format.footer and footer is None:
        raise SourceError(
            f"{where}: sheet {sheet_name} has no row {stream.format.footer}: it was cut short. "
            f"Nothing of it was loaded; what was loaded before stays. Have it sent again."
        )
    return records, footer


def _parse_json(source: Source, name: str, stream: Stream, file: Path) -> tuple[Records, Footer]:
    where = f"{source.name}.{name}: {file.name}"
    try:
        items = json.loads(file.read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SourceError(
            f"{where}: is not JSON ({error}). Nothing of it was loaded; what was loaded before stays."
        ) from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SourceError(f"{where}: is not an array of objects. Nothing of it was loaded.")
    present = {key for item in items for key in item}
    if items:
        check_columns(source, name, stream, present, file.name)
    wanted = [stream.source_column(column) for column in stream.columns]
    return [(n, [_cell_text(item.get(key)) for key in wanted]) for n, item in enumerate(items, start=1)], None


def _picked(stream: Stream, header: list[str], cells: list[Any]) -> list[str | None]:
    """The promised columns of one line, in the contract's order; empty text is a missing value."""
    places = _places(tuple(header), tuple(stream.source_column(column) for column in stream.columns))
    return [(cells[place] or None) if place < len(cells) else None for place in places]


@cache
def _places(header: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(header.index(column) for column in wanted)


def _cell_text(value: object) -> str | None:
    """A cell's value as the text that casts back to the same value."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _write(con: duckdb.DuckDBPyConnection, stream: Stream, records: Records, file: Path) -> int:
    """Write parsed records as Parquet: `_row` and the promised columns under the source's own names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"_row": pa.array([row for row, _ in records], pa.int64())}
    for place, column in enumerate(stream.columns):
        values = [cells[place] for _, cells in records]
        columns[stream.source_column(column)] = pa.array(values, pa.string())
    pq.write_table(pa.table(columns), file, compression="zstd")
    return len(records)


def _parquet_columns(con: duckdb.DuckDBPyConnection, source: Source, name: str, file: Path) -> dict[str, str]:
    import duckdb as engine

    try:
        found = con.execute(f"describe select * from read_parquet({literal(str(file))})").fetchall()
    except engine.Error as error:
        raise SourceError(
            f"{source.name}.{name}: {file.name} is not a readable Parquet file "
            f"({str(error).splitlines()[0]}). Nothing of it was loaded; what was loaded before stays."
        ) from None
    return {row[0]: row[1] for row in found}


def _count(con: duckdb.DuckDBPyConnection, file: Path) -> int:
    row = con.execute(f"select count(*) from read_parquet({literal(str(file))})").fetchone()
    assert row is not None
    return row[0]


# --- control totals that come with files ----------------------------------------------------------


def _control(source: Source, stream: Stream, file: Path) -> dict[str, str]:
    """What the control file in the drop says of `file`: rows and, where asked, sums."""
    if stream.control is None or stream.control.kind != "file":
        return {}
    assert stream.control.file is not None
    said = {}
    for entry in _control_entries(file.parent / stream.control.file, source):
        if entry["file"] != file.name:
            continue
        said["rows"] = entry["rows"]
        wanted = {stream.source_column(column): column for column in stream.control.sums}
        if entry["column"] in wanted:
            said[f"sum_{wanted[entry['column']]}"] = entry["sum"]
    if not said:
        raise ControlTotalError(
            f"{source.name}: {stream.control.file} says nothing of {file.name}. Nothing of that file was loaded; "
            f"what was loaded before stays. Ask {source.owner} for a complete control file."
        )
    return said


def _control_entries(path: Path, source: Source) -> Iterator[dict[str, str]]:
    """Entries {file, rows, column, sum} of a control file, CSV (文件名, 行数, 合计列, 合计) or JSON."""
    if not path.is_file():
        raise ControlTotalError(
            f"{source.name}: the control file {path.name} is missing. Nothing was loaded."
        )
    if path.suffix == ".json":
        for item in json.loads(path.read_text(encoding="utf-8")):
            sums = item.get("sums") or {}
            for column, total in (sums or {"": ""}).items():
                yield {"file": item["file"], "rows": str(item["rows"]), "column": column, "sum": str(total)}
        return
    for row in csv.DictReader(path.read_text(encoding="gb18030").splitlines()):
        yield {"file": row["文件名"], "rows": row["行数"], "column": row["合计列"], "sum": row["合计"]}


def _footer_control(source: Source, name: str, stream: Stream, file: Path, footer: Footer) -> dict[str, str]:
    assert stream.control is not None
    if footer is None:
        raise ControlTotalError(
            f"{source.name}.{name}: {file.name} has no total row. Nothing of it was loaded."
        )
    places = {column: place for place, column in enumerate(stream.columns)}
    return {f"sum_{column}": str(footer[places[column]]) for column in stream.control.sums}
