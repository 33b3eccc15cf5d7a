"""CSV, Excel and Parquet: the beginning of each table, its header found, its values as texts."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import mode
from typing import Any

from tieout.ingest.errors import SourceError
from tieout.ingest.profiling.documents import NOTHING
from tieout.ingest.profiling.encodings import encoding_of
from tieout.ingest.profiling.gathered import LARGEST, MOST_FIELDS, Gathered, Steps
from tieout.ingest.profiling.trees import label_of_file

_DELIMITERS = ",;\t|"
_DEEPEST_HEADER = 30
_NUMBER = re.compile(r"^[+-]?[\d,.]+%?$")
_TOTAL = re.compile(r"^(合计|总计|小计|汇总|total|grand total|sum)[:：]?$", re.IGNORECASE)


def table(path: Path) -> list[Gathered]:
    """The tables of one file; of a workbook, every sheet that has rows.

    Raises: SourceError if it cannot be read.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        return [_parquet(path)]
    return _workbook(path) if ending == ".xlsx" else [_csv(path)]


def _csv(path: Path) -> Gathered:
    with path.open("rb") as file:
        head = file.read(LARGEST)
        whole = not file.read(1)
    encoding, sure = encoding_of(head)
    text = head.decode(encoding, "replace" if whole else "ignore")
    delimiter = delimiter_of(text[: 64 * 1024])
    if not whole:
        text = text[: text.rfind("\n") + 1]
    csv.field_size_limit(LARGEST)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    form: dict[str, Any] = {"kind": "csv"}
    if encoding not in {"utf-8", "utf-8-sig"}:
        form["encoding"] = encoding
    elif encoding == "utf-8-sig":
        form["encoding"] = "utf-8"
    if delimiter != ",":
        form["delimiter"] = delimiter
    one = Gathered(label_of_file(path.name), path.name, "csv", form=form)
    if sure < 0.7:
        one.notes[f"the encoding may be another one than {encoding} ({sure:.2f})"] = None
    try:
        _fill(one, ([cell or None for cell in cells] for cells in rows), path.name)
    except csv.Error as error:
        raise SourceError(f"{path.name}: is no CSV ({error}). {NOTHING} Have it exported again.") from None
    one.whole = one.whole and whole
    return one


def delimiter_of(text: str) -> str:
    """The character most lines of the text agree on as the one between values."""
    lines = [line for line in text.splitlines()[:60] if line.strip()]
    best, most = ",", 0.0
    for mark in _DELIMITERS:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=mark)]
        usual = mode(widths) if widths else 1
        # The delimiter that most lines agree on; a comma inside texts gives many different widths.
        score = widths.count(usual) / max(len(widths), 1) * min(usual - 1, 20) ** 0.5 if usual > 1 else 0.0
        if score > most:
            best, most = mark, score
    return best


def _fill(one: Gathered, rows: Iterator[list[str | None]], where: str) -> None:
    """Find the header among the first rows, then take the rows below it."""
    head = list(islice(rows, _DEEPEST_HEADER))
    filled = [sum(cell is not None and bool(cell.strip()) for cell in cells) for cells in head]
    if not any(filled):
        one.notes["holds nothing"] = None
        return
    widest = max(filled)
    at = next(
        (
            place
            for place, cells in enumerate(head)
            if filled[place] >= max(1, 0.7 * widest)
            and not any(cell and _NUMBER.match(cell.strip()) for cell in cells)
        ),
        None,
    )
    if at is None:
        at = filled.index(widest)
        one.notes["no row looks like a header: the first full one is taken"] = None
    if at:
        one.form["header_row"] = at + 1
    names = _names(one, head[at])
    for cells in _below(head[at + 1 :], rows):
        if not any(cell is not None and cell.strip() for cell in cells):
            continue
        if cells and cells[0] and _TOTAL.match(cells[0].strip()):
            one.form["footer"] = cells[0]
            break
        row: dict[Steps, Any] = {
            (name,): (cells[place] if place < len(cells) else None) for place, name in names.items()
        }
        if not one.add(row):
            break
    for name in names.values():
        one.columns.setdefault((name,), [])


def _below(head: list[list[str | None]], rows: Iterator[list[str | None]]) -> Iterator[list[str | None]]:
    yield from head
    yield from rows


def _names(one: Gathered, header: Sequence[str | None]) -> dict[int, str]:
    names: dict[int, str] = {}
    for place, cell in enumerate(header[:MOST_FIELDS]):
        name = (cell or "").strip()
        if not name:
            one.notes[f"column {place + 1} has no name: left out"] = None
        elif name in names.values():
            one.notes[f"two columns are called {name}: the second is left out"] = None
        else:
            names[place] = name
    return names


def _workbook(path: Path) -> list[Gathered]:
    import warnings

    import openpyxl

    from tieout.ingest.intake.files.delivery import value_text

    found = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that carry no values
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            label = label_of_file(path.name)
            several = len(book.worksheets) > 1
            for sheet in book.worksheets:
                one = Gathered(
                    f"{label}_{sheet.title}" if several else label, path.name, "xlsx",
                    form={"kind": "xlsx", **({"sheet": sheet.title} if several else {})},
                )  # fmt: skip
                sheet.reset_dimensions()
                _fill(
                    one,
                    ([value_text(v) for v in row] for row in sheet.iter_rows(values_only=True)),
                    path.name,
                )
                if one.columns:
                    found.append(one)
        finally:
            book.close()
    except Exception as error:  # openpyxl raises whatever its parts meet: KeyError, zlib.error, BadZipFile …
        said = (str(error) or type(error).__name__).splitlines()[0].replace(str(path), "it")[:160]
        raise SourceError(
            f"{path.name}: is not a readable Excel workbook ({said}). {NOTHING} Open and save it in Excel."
        ) from None
    return found


def _parquet(path: Path) -> Gathered:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        one = Gathered(label_of_file(path.name), path.name, "parquet", form={"kind": "parquet"})
        for field in file.schema_arrow:
            if field.name and len(one.columns) < MOST_FIELDS:
                one.columns[(field.name,)] = []
                one.declared[(field.name,)] = _arrow_type(field.type)
        for batch in file.iter_batches(2_000):
            for row in batch.to_pylist():
                if not one.add(
                    {(name,): _plain(value) for name, value in row.items() if (name,) in one.columns}
                ):
                    break
            if not one.whole:
                break
        file.close()
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0].replace(str(path), "it")[:160]
        raise SourceError(
            f"{path.name}: is not a readable Parquet file ({said}). {NOTHING} Have it sent again."
        ) from None
    return one


def _plain(value: Any) -> Any:
    from tieout.ingest.intake.files.delivery import value_text

    return value if isinstance(value, bool | int | float | str) else value_text(value)


def _arrow_type(kind: Any) -> str:
    import pyarrow.types as at

    if at.is_boolean(kind):
        return "boolean"
    if at.is_uint64(kind):
        return "decimal(20, 0)"
    if at.is_integer(kind):
        return "bigint"
    if at.is_floating(kind):
        return "double"
    if at.is_decimal(kind) and 0 <= kind.scale <= kind.precision <= 38:
        return f"decimal({kind.precision}, {kind.scale})"
    if at.is_date(kind):
        return "date"
    if at.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    return "time" if at.is_time(kind) else "text"
