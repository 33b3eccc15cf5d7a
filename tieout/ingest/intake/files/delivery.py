"""One file of one stream, as it was received, and what it was parsed into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from sources.contract import Format, Source, Stream
from tieout.ingest.drift import grown, reading
from tieout.ingest.errors import SourceError
from tieout.ingest.landing import Manifest
from tieout.ingest.promises import check_columns

PARSED = "rows.parquet"
STAYS = "Nothing of it was loaded; what was loaded before stays."
SEND_AGAIN = "Have it sent again."
# A business value is at most a long text or a scanned page in base64. What is larger is a file whose quotes or
# tags are broken, or an attack, and would fill the memory before anybody could tell.
LARGEST_VALUE = 16 * 1024 * 1024
# Objects with more different keys than this are maps (key: value), not records.
MOST_COLUMNS = 2_000

# Raised where one value is larger than LARGEST_VALUE, whichever format it is in.
TOO_LARGE = f"is larger than {LARGEST_VALUE // 2**20} MB: quotes or tags are broken, or it is no table"


@dataclass(frozen=True)
class Delivery:
    """One file of one stream: `file` is our own copy of it, in the draft of a batch."""

    source: Source
    name: str
    stream: Stream
    file: Path
    last: Manifest | None = None

    @property
    def where(self) -> str:
        return f"{self.source.name}.{self.name}: {self.file.name}"

    @property
    def format(self) -> Format:
        assert self.stream.format is not None
        return self.stream.format

    def refusal(self, what: str, advice: str = SEND_AGAIN, *, at: str | None = None) -> SourceError:
        """The error that refuses this file; `at` is the place inside it (`line 7`, `sheet 工时`)."""
        return SourceError(f"{self.where}{f', {at}' if at else ''}: {what}. {STAYS} {advice}")

    def columns(self, heading: Iterable[str], origin: str) -> list[str]:
        """The names, as the file has them, of the columns to keep.

        Raises: SourceError if a promised column is missing, or is there twice so that nobody can tell which is meant.
        """
        names = [name for name in heading if name]
        promised = {said for column in self.stream.columns for said in self.stream.source_names(column)}
        if twice := sorted({name for name in names if name in promised and names.count(name) > 1}):
            raise self.refusal(
                f"has more than one column {', '.join(twice)}", "Which one is meant? Ask for different names."
            )
        present = set(names)
        if self.promised_in(names) == 0:
            check_columns(self.source, self.name, self.stream, present, origin)
        stream = grown(self.stream, texts(names), self.last)
        return list(reading(stream, texts(names), self.last))

    def refuse_unless_complete(self, heading: Iterable[str | None], origin: str) -> None:
        """Raises: SourceError naming what the row most like a header lacks, where none has every promised column."""
        check_columns(self.source, self.name, self.stream, {name for name in heading if name}, origin)

    def promised_in(self, heading: Iterable[str | None]) -> int:
        """How many promised columns a row of cells names."""
        present = set(heading)
        return sum(self.stream.column_in(column, present) is not None for column in self.stream.columns)


@dataclass(frozen=True)
class Parsed:
    """The rows of one delivery: `data` is a Parquet file beside it; `footer` the total row, by source name."""

    data: str
    rows: int
    columns: dict[str, str]
    declared: dict[str, str]
    origin: str
    footer: Mapping[str, str | None] | None = None
    notes: tuple[str, ...] = field(default=())


def texts(names: Iterable[str]) -> dict[str, str]:
    """Columns of a file whose values have no type of their own."""
    return {name: "text" for name in names if name}


def value_text(value: object) -> str | None:
    """A value as the text that casts back to the same value; empty text is a missing value."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(value // timedelta(seconds=1), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)
