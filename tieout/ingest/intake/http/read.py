"""The rows of one request: all its pages in a book, parsed into a Parquet file."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Stream
from sources.contract.http_paged import EACH, Paged
from tieout.ingest.intake.http.answer import Answer
from tieout.ingest.intake.http.book import Book, Kept
from tieout.ingest.intake.http.client import Client
from tieout.ingest.intake.http.fields import Fields, Known, Reach, merged
from tieout.ingest.intake.http.legs import Leg
from tieout.ingest.intake.http.page import Facts, Lines, facts_of, inner_lists, lines_of, rows_of
from tieout.ingest.intake.http.plan import Requests
from tieout.ingest.intake.http.rows import Table, latest_by_key
from tieout.ingest.intake.http.times import check_times
from tieout.ingest.intake.http.walk import Walker
from tieout.ingest.landing import Manifest

if TYPE_CHECKING:
    import duckdb

FILES = 100  # more pages than that are put one after the other before they are parsed


@dataclass(frozen=True)
class Whole:
    """All rows of one request: `pages` hold them, `file` the stream's own rows, each key once."""

    pages: tuple[Kept, ...]
    file: Path
    table: Table
    total: int | None  # what the server named; rows that two legs share counted once
    again: int  # keys that came again on a later page with other content


class Reader(Walker):
    """Reads the pages of one request into a book, and its rows into a Parquet file."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        client: Client,
        requests: Requests,
        asked: Paged,
        stream: Stream,
        path: str,
        look: Reach,
        book: Book,
        draft: Path,
        bases: dict[str, Manifest | None],
    ) -> None:
        super().__init__(client, requests, asked, path, book)
        self.con, self.draft = con, draft
        self.stream, self.look = stream, look
        self.united = not look.below
        self.fields, self.bases = Fields(look), bases
        self.key = tuple(stream.source_column(name) for name in stream.key)
        each = asked.for_each
        self.named = each is not None and each.together == 1 and EACH in look.paths
        self._parsed: tuple[list[Kept], tuple[int, int, Path, Table]] | None = None

    def whole(self) -> Whole:
        """Every row there is.

        Raises: SourceError if rows keep moving, the server's total and what it gives stay apart, or rows came that
        are of another time than was asked for.
        """
        legs = list(self.walked())
        pages = [kept for leg in legs for kept in leg.pages]
        rows, again, file, table = self._rows(pages)
        check_times(self.con, self.requests, self.stream, table, file, legs)
        totals = [leg.total for leg in legs if leg.total is not None]
        # A leg without rows need not name a total, where another one does.
        silent = any(leg.total is None and any(kept.facts.rows for kept in leg.pages) for leg in legs)
        total = None
        if self.asked.total and not silent and (totals or not legs):
            total = sum(totals) - (sum(leg.rows for leg in legs) - rows)
        return Whole(tuple(pages), file, table, total, again)

    def taken(self, answer: Answer, leg: Leg) -> tuple[Lines, Facts]:
        rows = rows_of(answer, self.asked)
        if self.named:
            rows = [{**row, EACH: leg.values["each"]} for row in rows]
        inside = inner_lists(rows, self.look.below)
        lines = lines_of(rows)
        return lines, facts_of(answer, rows, lines, inside, self.asked, self.key, self.fields.new(rows))

    def count(self, pages: list[Kept]) -> int:
        return self._rows(pages)[0]

    def _rows(self, pages: list[Kept]) -> tuple[int, int, Path, Table]:
        """Rows of these pages together (and keys that changed meanwhile), the file they are in, and its table."""
        if self._parsed is not None and self._parsed[0] == pages:
            return self._parsed[1]
        name = self.requests.family.name
        table = self._table(name, self.stream, None)
        target = self.draft / "read.parquet"
        self._write(table, pages, target)
        rows, again = latest_by_key(self.con, table, target, [kept.facts.rows for kept in pages])
        self._parsed = (pages, (rows, again, target, table))
        return self._parsed[1]

    def _table(self, name: str, stream: Stream, inside: str | None) -> Table:
        types: dict[str, str] = {}
        for kept in self.book.pages:
            types = merged(types, kept.facts.types) if kept.facts.types else types
        return Table(self.requests.source, name, stream, Known(types, inside), self.bases.get(name))

    def _write(self, table: Table, pages: list[Kept], target: Path) -> None:
        files = [self.book.lines(kept) for kept in pages]
        widest = max((kept.facts.widest for kept in pages), default=0)
        if len(files) <= FILES:
            table.write(self.con, files, widest, target)
            return
        joined = target.with_suffix(".jsonl")
        with joined.open("wb") as whole:
            for file in files:
                with file.open("rb") as page:
                    shutil.copyfileobj(page, whole)
        table.write(self.con, [joined], widest, target)
        joined.unlink()

    def inside(self, name: str, child: Stream, pages: tuple[Kept, ...]) -> tuple[Table, Path]:
        """The rows of a child stream, inside the rows of these pages."""
        assert child.request is not None
        listed = list(pages)
        table = self._table(name, child, child.request.records)
        target = self.draft / f"inside-{name}.parquet"
        self._write(table, listed, target)
        counts = [kept.facts.inside.get(child.request.records, 0) for kept in listed]
        latest_by_key(self.con, table, target, counts)
        return table, target
