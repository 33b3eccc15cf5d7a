"""CSV: exact as Python's `csv` in strict mode, and by vectors where the quotes are regular.

A piece of text is regular if every quote opens, closes or is doubled, as RFC 4180 says; NumPy sees that and
where each record begins without a loop, and pyarrow cuts it into columns. The first piece that is not hands
the rest of the file to Python's reader, which is slower and says exactly what is wrong in which line.
A value is never more than text: `=1+2` stays these four characters.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tieout.ingest.intake.files.delivery import LARGEST_VALUE, PARSED, TOO_LARGE, Delivery, Parsed, texts
from tieout.ingest.intake.files.letters import LONGEST_LINE, Letters
from tieout.ingest.intake.files.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

# How far down a header may stand: below a title, a department, a period, a note.
DEEPEST_HEADER = 100
_QUOTE, _NEWLINE, _RETURN = 34, 10, 13
_MARK = "\ufeff".encode()


def parse_csv(delivery: Delivery) -> Parsed:
    """Parse one CSV file into `rows.parquet`; `_row` is the line in which a record begins.

    Raises: SourceError if the file is not what the contract says; it names the line.
    """
    # Of the whole process, and the same for all its threads: the default refuses texts of 128 kB.
    csv.field_size_limit(LARGEST_VALUE)
    form = delivery.format
    with delivery.file.open("rb") as file:
        letters = Letters(delivery, file, form.encoding)
        exact = _Exact(delivery, letters)
        header = exact.header()
        names = delivery.columns(header, delivery.file.name)
        footer = None
        with Rows(delivery, names) as rows:
            places = [header.index(name) for name in names]
            # A total row ends the data wherever it stands; only the exact reader looks for it.
            if form.footer is None and form.delimiter.isascii():
                _read_regular(letters, form.delimiter, len(header), places, rows)
            total = exact.read(len(header), places, rows)
            if total is not None:
                footer = dict(zip(names, total, strict=True))
            count = rows.finish()
    return Parsed(PARSED, count, texts(names), texts(header), delivery.file.name, footer)


class _Exact:
    """Python's reader over what is left of the text."""

    def __init__(self, delivery: Delivery, letters: Letters) -> None:
        self.delivery, self.letters = delivery, letters
        self._begin()

    def header(self) -> list[str]:
        """The header record; the text goes on behind it."""
        wanted = self.delivery.format.header_row
        likest: list[str] = []
        for _ in range(DEEPEST_HEADER if wanted == "find" else wanted):
            line, cells = self._next()
            if cells is None:
                break
            if wanted == "find":
                if self.delivery.promised_in(cells) == len(self.delivery.stream.columns):
                    return cells
                likest = max(likest, cells, key=self.delivery.promised_in)
            elif line == wanted:
                return cells
        if likest:
            self.delivery.refuse_unless_complete(
                likest, self.delivery.file.name
            )  # says which column is missing
        row = 1 if wanted == "find" else wanted
        raise self.delivery.refusal(f"has no header line {row}", "Set `format.header_row` in the contract.")

    def read(self, width: int, places: Sequence[int], rows: Rows) -> list[str | None] | None:
        """Every record from here on; the promised values of the total row, if there is one."""
        footer = self.delivery.format.footer
        self._begin()
        while True:
            line, cells = self._next()
            if cells is None:
                break
            if not cells:
                continue
            if len(cells) != width and not (footer and cells[0] == footer):
                raise self.delivery.refusal(
                    f"has {len(cells)} values, the header has {width}", at=f"line {line}"
                )
            if footer and cells[0] == footer:
                return [(cells[place] or None) if place < len(cells) else None for place in places]
            rows.add(line, [cells[place] or None for place in places], sum(map(len, cells)))
        if footer:
            raise self.delivery.refusal(f"has no row {footer}: it was cut short")
        return None

    def _begin(self) -> None:
        self._first = self.letters.line
        self._reader = csv.reader(self.letters.lines(), delimiter=self.delivery.format.delimiter, strict=True)

    def _next(self) -> tuple[int, list[str] | None]:
        """The next record with the line it begins in; None at the end."""
        line = self._first + self._reader.line_num
        try:
            return line, next(self._reader, None)
        except csv.Error as error:
            what = f"a value {TOO_LARGE}" if "field limit" in str(error) else str(error)
            raise self.delivery.refusal(what, at=f"line {self._first + self._reader.line_num - 1}") from None


# --- regular pieces -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Piece:
    """Whole records at the beginning of some bytes: `end` of them, and the line each begins in, from 0."""

    end: int
    lines: Any  # NumPy array
    newlines: int
    quoted: bool


def _read_regular(letters: Letters, delimiter: str, width: int, places: Sequence[int], rows: Rows) -> None:
    """Read records for as long as pieces are regular; leaves the text where the first one is not."""
    while True:
        raw = letters.buffer[letters.at :].encode()
        piece = _regular(raw, ord(delimiter))
        if piece is None:
            return
        if piece.end == 0:
            if len(raw) > LONGEST_LINE or not letters.more():
                return
            continue
        columns = _columns(raw[: piece.end], delimiter, piece, width, places)
        if columns is None:
            return
        rows.add_table(piece.lines + letters.line, columns)
        letters.buffer, letters.at = raw[piece.end :].decode(), 0
        letters.line += piece.newlines
        if not letters.more():
            return


def _regular(raw: bytes, delimiter: int) -> _Piece | None:
    """The whole records at the beginning of `raw`, or None if its quotes or line ends are not regular."""
    import numpy as np

    if raw.count(b"\r") != raw.count(b"\r\n") or raw.startswith(_MARK):
        return None
    data = np.frombuffer(raw, np.uint8)
    quotes, newlines = np.flatnonzero(data == _QUOTE), np.flatnonzero(data == _NEWLINE)
    # With regular quotes, a place is inside a quoted value if an odd number of them stands before it.
    ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0] if quotes.size else newlines
    if ends.size == 0:
        return _Piece(0, ends, 0, False)
    end = int(ends[-1]) + 1
    quotes = quotes[: np.searchsorted(quotes, end)]
    if quotes.size:
        opening, closing = quotes[0::2], quotes[1::2]
        before = data[opening - 1]
        before[opening == 0] = _NEWLINE
        after = data[closing + 1]
        if not np.isin(before, (delimiter, _NEWLINE, _QUOTE)).all():
            return None
        if not np.isin(after, (delimiter, _NEWLINE, _RETURN, _QUOTE)).all():
            return None
    begins = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - begins
    if int(lengths.max()) > LARGEST_VALUE:
        return None
    blank = (lengths == 0) | ((lengths == 1) & (data[begins] == _RETURN))
    return _Piece(
        end,
        np.searchsorted(newlines, begins[~blank]),
        int(np.searchsorted(newlines, end)),
        bool(quotes.size),
    )


def _columns(
    raw: bytes, delimiter: str, piece: _Piece, width: int, places: Sequence[int]
) -> list[pa.ChunkedArray] | None:
    """The promised columns of regular records; None if one of them has another width than the header."""
    import pyarrow as pa
    import pyarrow.csv as pc

    if piece.lines.size == 0:
        return [pa.chunked_array([], pa.string()) for _ in places]
    names = [str(place) for place in range(width)]
    wanted = [names[place] for place in places]
    try:
        table = pc.read_csv(
            pa.BufferReader(raw),
            # One block, one thread: several sources are read side by side already.
            pc.ReadOptions(use_threads=False, block_size=len(raw) + 1, column_names=names),
            pc.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if piece.quoted else False,
                double_quote=True,
                escape_char=False,
                newlines_in_values=piece.quoted,
                ignore_empty_lines=True,
            ),
            pc.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(wanted, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                include_columns=wanted,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != piece.lines.size:
        return None
    return table.columns
