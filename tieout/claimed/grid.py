"""A handed-in file as rows of texts: CSV in whatever encoding it has, Excel with its merged cells filled in."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tieout.claimed.errors import ClaimedFileError
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.files.delivery import Delivery

# A report is a page or ten, not a data load; beyond that somebody has handed in the wrong file.
LARGEST_BYTES, MOST_ROWS, MOST_COLUMNS = 20 * 1024 * 1024, 50_000, 200

_CONTRACT = {
    "source": "handed_in", "title": {"zh": "部门上报", "en": "Handed in"}, "module": "reports", "owner": "data",
    "connector": "files", "connection": {"path": "."}, "class": "L2", "schedule": {"cron": "0 0 1 1 *"},
    "streams": {"figures": {
        "title": {"zh": "数", "en": "Figures"}, "grain": "one row per figure", "from": "*", "format": {"kind": "csv"},
        "key": ["figure"], "load": "slice", "columns": {"figure": {"from": "figure", "type": "text", "required": True}},
    }},
}  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """One sheet: `rows` are (row number in the file, its cells); a cell without anything is an empty text."""

    name: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]


class _HandedIn(Delivery):
    """The file as the readers of deliveries take it, refused in the words of a report."""

    def refusal(self, what: str, advice: str = "Hand it in again.", *, at: str | None = None) -> SourceError:
        return SourceError(
            f"{self.file.name}{f', {at}' if at else ''}: {what}. Nothing was compared. {advice}"
        )


def read_grids(file: Path, sheet: str | None = None) -> list[Grid]:
    """The sheets of a file that hold anything.

    Args:
        sheet: Only this sheet of a workbook.

    Raises: ClaimedFileError if it cannot be read; the message names the file and says what to do.
    """
    try:
        size = file.stat().st_size
    except OSError as error:
        raise ClaimedFileError(f"{file}: {error.strerror}. Nothing was compared.") from None
    if size > LARGEST_BYTES:
        raise ClaimedFileError(
            f"{file.name}: has {size / 2**20:,.0f} MB; a report of figures has at most {LARGEST_BYTES // 2**20}. "
            "Nothing was compared. Data is connected as a source (`tieout source`)."
        )
    workbook = file.suffix.lower() in {".xlsx", ".xlsm", ".xls"}
    if sheet is not None and not workbook:
        raise ClaimedFileError(f"{file.name}: only a workbook has sheets. Leave out --sheet.")
    try:
        grids = _workbook(file, sheet) if workbook else [_csv(file)]
    except SourceError as error:
        raise ClaimedFileError(str(error)) from None
    grids = [grid for grid in grids if grid.rows]
    if not grids:
        raise ClaimedFileError(f"{file.name}: holds nothing. Nothing was compared.")
    return grids


def _grid(file: Path, name: str, rows: list[tuple[int, list[str]]]) -> Grid:
    kept = tuple((number, tuple(cells)) for number, cells in rows if any(cells))
    if len(kept) > MOST_ROWS or any(len(cells) > MOST_COLUMNS for _, cells in kept):
        raise ClaimedFileError(
            f"{file.name}: has more than {MOST_ROWS:,} rows or {MOST_COLUMNS} columns. Nothing was compared. "
            "Hand in the figures, not the data."
        )
    return Grid(name, kept)


def _csv(file: Path) -> Grid:
    from tieout.ingest.profiling.encodings import encoding_of
    from tieout.ingest.profiling.tables import delimiter_of

    raw = file.read_bytes()
    encoding, _ = encoding_of(raw)
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ClaimedFileError(
            f"{file.name}: is not {encoding}: byte {raw[error.start]:#04x} at position {error.start:,}. "
            "Nothing was compared. Save it as UTF-8 or as an Excel workbook."
        ) from None
    if "\0" in text:
        raise ClaimedFileError(f"{file.name}: is no text. Nothing was compared. Save it as CSV or .xlsx.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text[: 64 * 1024]), strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            rows.append((line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ClaimedFileError(f"{file.name}, line {line}: {error}. Nothing was compared.") from None
    return _grid(file, file.name, rows)


def _workbook(file: Path, wanted: str | None) -> list[Grid]:
    import warnings

    import openpyxl

    from tieout.ingest.intake.files.packages import check_package

    delivery = _HandedIn(_contract(), "figures", _contract().streams["figures"], file)
    check_package(delivery)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that carry no values
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                titles = [one.title for one in book.worksheets]
                if wanted is not None and wanted not in titles:
                    raise ClaimedFileError(f"{file.name}: has no sheet {wanted}. It has {', '.join(titles)}.")
                # A sheet somebody has hidden is not handed in, unless it is asked for.
                chosen = [
                    one for one in book.worksheets
                    if (one.sheet_state == "visible" if wanted is None else one.title == wanted)
                ]  # fmt: skip
                return [_sheet(delivery, one) for one in chosen]
            finally:
                book.close()
    except (ClaimedFileError, SourceError):
        raise
    except Exception as error:  # openpyxl raises whatever its parts meet: KeyError, zlib.error, BadZipFile …
        said = (str(error) or type(error).__name__).splitlines()[0].replace(str(file), "it")[:160]
        raise delivery.refusal(f"is not a readable Excel workbook ({said})") from None


def _sheet(delivery: Delivery, sheet: Any) -> Grid:
    from openpyxl.utils import get_column_letter

    from tieout.ingest.intake.files.packages import structure

    found = structure(delivery, sheet._worksheet_path.lstrip("/"), sheet.title)
    # A formula nobody has calculated is no empty cell.
    for number, columns in found.uncalculated.items():
        raise ClaimedFileError(
            f"{delivery.file.name}, sheet {sheet.title}: the formula in {get_column_letter(columns[0])}{number} was "
            "never calculated. Nothing was compared. Open it in Excel, save it and hand it in again."
        )
    sheet.reset_dimensions()
    rows = [
        (number, [_text(value) for value in values])
        for number, values in enumerate(sheet.iter_rows(values_only=True), start=1)
        if number <= MOST_ROWS + 1
    ]
    by_number = dict(rows)
    for areas in found.merges.values():
        for area in areas:
            _fill(by_number, area)
    return _grid(delivery.file, sheet.title, rows)


def _fill(rows: dict[int, list[str]], area: Any) -> None:
    """A merged cell holds for all its rows (one department, many lines); a title over columns stays where it is."""
    first = rows.get(area.top)
    if first is None or area.right != area.left or area.left > len(first):
        return
    for number in range(area.top + 1, area.bottom + 1):
        cells = rows.get(number)
        if cells is not None:
            cells += [""] * (area.left - len(cells))
            cells[area.left - 1] = first[area.left - 1]


def _text(value: object) -> str:
    from tieout.ingest.intake.files.delivery import value_text

    if isinstance(value, float):
        # Excel itself keeps fifteen digits: the sixteenth is an artefact of binary fractions.
        return f"{value:.15g}" if "e" not in f"{value:.15g}" else f"{value:f}"
    return (value_text(value) or "").strip()


@cache
def _contract() -> Any:
    """What the readers of deliveries ask for beside the file; a report has no promises of its own."""
    from sources.contract import Source

    return Source.model_validate(_CONTRACT)
