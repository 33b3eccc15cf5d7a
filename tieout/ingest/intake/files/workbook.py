"""Excel: titles above the header, merged cells, several sheets, a total row below.

Values are those Excel has stored: a formula's last result, a percentage as the fraction it is (12.5 % is
0.125), an error as its text (`#REF!`, which no typed column takes). Hidden rows, columns and sheets are data.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tieout.ingest.errors import IngestError
from tieout.ingest.intake.files.delivery import PARSED, Delivery, Parsed, texts, value_text
from tieout.ingest.intake.files.rows import Rows

if TYPE_CHECKING:
    from tieout.ingest.intake.files.packages import Area, Structure

# How far down a header may stand, where it is to be found.
DEEPEST_HEADER = 100
_PATTERN = frozenset("*?[")


def parse_xlsx(delivery: Delivery) -> Parsed:
    """Parse the sheet, or the sheets, of one workbook into `rows.parquet`; `_row` is the row in Excel.

    One sheet is `file#sheet` for the whole batch; of several (`sheet` is a pattern), each row says its own
    `_origin`.

    Raises: SourceError if the workbook is not what the contract says; it names sheet and cell.
    """
    import warnings

    import openpyxl

    from tieout.ingest.intake.files.packages import check_package

    check_package(delivery)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that carry no values
            book = openpyxl.load_workbook(delivery.file, read_only=True, data_only=True, keep_links=False)
            try:
                return _parse_book(delivery, book)
            finally:
                book.close()
    except IngestError:
        raise
    except (
        Exception
    ) as error:  # openpyxl raises whatever its parts meet: KeyError, zlib.error, EntitiesForbidden …
        raise delivery.refusal(f"is not a readable Excel workbook ({_said(delivery, error)})") from None


def _said(delivery: Delivery, error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0].replace(str(delivery.file), "it")[:200]


def _parse_book(delivery: Delivery, book: Any) -> Parsed:
    form = delivery.format
    titles = [sheet.title for sheet in book.worksheets]
    several = form.sheet is not None and form.sheet not in titles and not _PATTERN.isdisjoint(form.sheet)
    if several:
        wanted = [title for title in titles if fnmatch.fnmatchcase(title, form.sheet)]
    else:
        wanted = [form.sheet or titles[0]] if titles else []
    if not wanted or wanted[0] not in titles:
        raise delivery.refusal(
            f"has no sheet {form.sheet or ''}, only {titles}", "Set `format.sheet` in the contract."
        )
    sheets = [_Sheet(delivery, book[title]) for title in wanted]
    names = sheets[0].names
    for sheet in sheets:
        if sheet.names != names:
            raise delivery.refusal(
                f"its sheets {sheets[0].title} and {sheet.title} call the same column by different names",
                "Have all sheets named alike, or read them as streams of their own.",
            )
    declared: dict[str, str] = {}
    totals: list[dict[str, str | None]] = []
    with Rows(delivery, names, with_origin=several) as rows:
        for sheet in sheets:
            declared |= texts(sheet.header)
            total = sheet.read(rows)
            if total is not None:
                totals.append(total)
        count = rows.finish()
    origin = f"{delivery.file.name}#{wanted[0]}" if form.sheet and not several else delivery.file.name
    return Parsed(PARSED, count, texts(names), declared, origin, _total(totals) if form.footer else None)


def _total(totals: Sequence[dict[str, str | None]]) -> dict[str, str | None]:
    """The total rows of several sheets as one: what are numbers in each is added up."""
    if len(totals) == 1:
        return totals[0]
    found: dict[str, str | None] = {}
    for name in totals[0]:
        try:
            found[name] = str(sum(Decimal(total[name] or "") for total in totals))
        except InvalidOperation:
            found[name] = None
    return found


class _Sheet:
    """One sheet while it is read, row after row."""

    def __init__(self, delivery: Delivery, sheet: Any) -> None:
        from tieout.ingest.intake.files.packages import structure

        self.delivery, self.title = delivery, sheet.title
        self.origin = f"{delivery.file.name}#{sheet.title}"
        self._structure = structure(delivery, sheet._worksheet_path.lstrip("/"), sheet.title)
        self._merges = _Merges(self._structure)
        # Some programs write a dimension smaller than the sheet; the reader would stop there.
        sheet.reset_dimensions()
        self._rows: Iterator[tuple[int, Sequence[Any]]] = enumerate(
            sheet.iter_rows(values_only=True), start=1
        )
        self.header = self._find_header()
        self.names = delivery.columns(self.header, self.origin)

    def _find_header(self) -> list[str]:
        wanted = self.delivery.format.header_row
        likest: list[str] = []
        for number, values in self._rows:
            cells = self._merges.heading(number, [value_text(value) for value in values])
            named = [cell.strip() if cell else "" for cell in cells]
            if wanted == "find":
                if self.delivery.promised_in(named) == len(self.delivery.stream.columns):
                    return named
                likest = max(likest, named, key=self.delivery.promised_in)
                if number == DEEPEST_HEADER:
                    break
            elif number == wanted:
                # A name written with blanks around it is used as it stands, where the contract says so.
                exact = [cell or "" for cell in cells]
                return max(exact, named, key=self.delivery.promised_in)
        if likest:
            self.delivery.refuse_unless_complete(likest, self.origin)  # says which column is missing
        row = 1 if wanted == "find" else wanted
        raise self.delivery.refusal(
            f"sheet {self.title} has no row {row}", "Set `format.header_row` in the contract."
        )

    def read(self, rows: Rows) -> dict[str, str | None] | None:
        """Every row below the header; the total row's values, if the contract names one."""
        footer = self.delivery.format.footer
        places = [self.header.index(name) for name in self.names]
        merges = self._merges.below(self.delivery, self.title, self.names, places)
        for number, values in self._rows:
            cells = [value_text(value) for value in values]
            self._refuse_uncalculated(number, places)
            if footer and cells and cells[0] is not None and cells[0].strip() == footer:
                picked = [cells[place] if place < len(cells) else None for place in places]
                return dict(zip(self.names, picked, strict=True))
            if all(cell is None for cell in cells):
                continue
            picked = merges.filled(number, cells)
            rows.add(number, picked, sum(len(cell) for cell in picked if cell), self.origin)
        if footer:
            raise self.delivery.refusal(f"sheet {self.title} has no row {footer}: it was cut short")
        return None

    def _refuse_uncalculated(self, number: int, places: Sequence[int]) -> None:
        from openpyxl.utils import get_column_letter

        for column in self._structure.uncalculated.get(number, ()):
            if column - 1 in places:
                raise self.delivery.refusal(
                    f"the formula in cell {get_column_letter(column)}{number} ({self.header[column - 1]}) was never "
                    f"calculated: it has no value",
                    "Have the workbook opened in Excel, saved and sent again.",
                    at=f"sheet {self.title}",
                )


class _Merges:
    """Merged cells while rows go by: the value of the first cell belongs to every cell of the range."""

    def __init__(self, structure: Structure) -> None:
        self._starting = structure.merges
        self._open: dict[int, tuple[str | None, int]] = {}  # column from 0 → value, last row
        self._areas: list[tuple[Area, str | None]] = []

    def heading(self, number: int, cells: list[str | None]) -> list[str | None]:
        """A row above the data: a range spreads downwards only, for a title over two columns names neither."""
        for area in self._starting.get(number, ()):
            value = cells[area.left - 1] if area.left <= len(cells) else None
            self._areas.append((area, value))
        self._areas = [item for item in self._areas if item[0].bottom >= number]
        for area, value in self._areas:
            if value is not None and area.top < number:
                cells += [None] * (area.left - len(cells))
                cells[area.left - 1] = value
        return cells

    def below(self, delivery: Delivery, sheet: str, names: Sequence[str], places: Sequence[int]) -> _Merges:
        """The same for the rows of data: only `places`, the promised columns, are of interest."""
        self.delivery, self.sheet, self.places = delivery, sheet, places
        stream = delivery.stream
        columns = {stream.column_in(column, names): column for column in stream.columns}
        self._numbers = {
            place
            for name, place in zip(names, places, strict=True)
            if _is_measure(stream.columns[columns[name]].type) and columns[name] not in stream.key
        }
        for area, value in self._areas:
            for place in self._reached(area):
                self._open[place] = (value, area.bottom)
        return self

    def filled(self, number: int, cells: Sequence[str | None]) -> list[str | None]:
        """The promised cells of one row of data."""
        for area in self._starting.get(number, ()):
            self._check(area)
            value = cells[area.left - 1] if area.left <= len(cells) else None
            for place in self._reached(area):
                if not (place in self._numbers and self.delivery.format.merged == "first"):
                    self._open[place] = (value, area.bottom)
        picked = [cells[place] if place < len(cells) else None for place in self.places]
        if self._open:
            self._open = {place: item for place, item in self._open.items() if item[1] >= number}
            for index, place in enumerate(self.places):
                if place in self._open and picked[index] is None:
                    picked[index] = self._open[place][0]
        return picked

    def _reached(self, area: Area) -> list[int]:
        return [place for place in self.places if area.left - 1 <= place < area.right]

    def _check(self, area: Area) -> None:
        """Raises: SourceError for an amount merged over several cells, unless the contract says what it means."""
        merged = self.delivery.format.merged
        numbers = [place for place in self._reached(area) if place in self._numbers]
        if merged or len(numbers) * (area.bottom - area.top + 1) < 2:
            return
        from openpyxl.utils import get_column_letter

        cells = f"{get_column_letter(area.left)}{area.top}:{get_column_letter(area.right)}{area.bottom}"
        raise self.delivery.refusal(
            f"the cells {cells} are merged over a number: its sum would count it once or several times",
            "Say `format.merged: repeat` in the contract if the number holds for each row (a price), or "
            "`format.merged: first` if it is one amount for all of them.",
            at=f"sheet {self.sheet}",
        )


def _is_measure(kind: str) -> bool:
    return kind in {"bigint", "integer", "double"} or kind.startswith("decimal")
