"""Reading all pages of one request, and making sure that nothing was lost while rows moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Stream
from sources.contract.http import Request
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.http.answer import NotThatFormat
from tieout.ingest.intake.http.book import Book, Kept
from tieout.ingest.intake.http.client import KEPT, Client
from tieout.ingest.intake.http.fields import Fields, Known, Reach, merged
from tieout.ingest.intake.http.page import facts_of, inner_lists, lines_of, rows_of
from tieout.ingest.intake.http.paging import Astray, Moved, Pager
from tieout.ingest.intake.http.plan import Requests
from tieout.ingest.intake.http.rows import Table, latest_by_key
from tieout.ingest.landing import Manifest

if TYPE_CHECKING:
    import duckdb

READINGS = 3  # how often all pages are read at most when the server's total disagrees


@dataclass(frozen=True)
class Whole:
    """All rows of one request: `readings` are the passes they come from, `file` the stream's own rows."""

    readings: tuple[int, ...]
    file: Path
    table: Table
    rows: int
    total: int | None
    again: int  # keys that came again on a later page with other content


class Reader:
    """Reads the pages of one request into a book, and its rows into a Parquet file."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        client: Client,
        requests: Requests,
        request: Request,
        stream: Stream,
        path: str,
        look: Reach,
        book: Book,
        draft: Path,
        bases: dict[str, Manifest | None],
    ) -> None:
        self.con, self.client, self.requests, self.book, self.draft = con, client, requests, book, draft
        self.request, self.stream, self.path, self.look = request, stream, path, look
        self.fields, self.bases = Fields(look), bases
        self.where = f"{requests.where}: {path}"
        self.key = tuple(stream.source_column(name) for name in stream.key)

    @property
    def types(self) -> dict[str, str]:
        every: dict[str, str] = {}
        for kept in self.book.pages:
            every = merged(every, kept.facts.types)
        return every

    @property
    def widest(self) -> int:
        return max((kept.facts.widest for kept in self.book.pages), default=0)

    def whole(self) -> Whole:
        """Every row there is.

        Raises: SourceError if rows keep moving, or the server's total and what it gives stay apart.
        """
        finished: list[int] = []
        grown: Whole | None = None
        found = said = None
        for reading in range(1, READINGS + 1):
            if not self._read(reading):
                continue
            finished.append(reading)
            totals = [item.total for item in self.book.facts(reading) if item.total is not None]
            total = totals[-1] if totals else None
            alone = self._rows((reading,))
            # A total that changed says that rows moved: one that goes takes the place of one never seen.
            if total is None or (alone[0] == total and len(set(totals)) == 1):
                return self._made((reading,), alone, total)
            found, said = alone[0], total
            if alone[0] == total and totals == sorted(totals):
                grown = self._made((reading,), alone, total)
            elif len(finished) > 1 and len(set(totals)) == 1 and not self.look.below:
                together = self._rows(tuple(finished))
                if together[0] == total:
                    return self._made(tuple(finished), together, total)
        if grown is not None:  # rows are added all the time, and all there were at the end are here
            return grown
        if said is None:
            raise SourceError(
                f"{self.where}: rows changed places while they were read, {READINGS} times in a row. {KEPT} "
                f"Ask for them in a fixed order, or when the system is quiet."
            )
        raise SourceError(
            f"{self.where}: the server names {said} rows in all, but gave {found} different ones, in {READINGS} "
            f"readings. {KEPT} Ask for the rows in a fixed and unique order, check `total` and the key."
        )

    def _made(self, readings: tuple[int, ...], got: tuple[int, int, Path, Table], total: int | None) -> Whole:
        return Whole(readings, got[2], got[3], got[0], total, got[1])

    def _read(self, reading: int) -> bool:
        """One pass over all pages; False if rows moved meanwhile."""
        pager = Pager(self.request, self.client.limits.pages)
        try:
            while pager.values is not None:
                kept = self.book.already(reading) or self._fetch(reading, pager)
                pager.after(kept.facts)
        except Astray as astray:
            raise SourceError(f"{self.where}: {astray}. {KEPT}") from None
        except Moved:
            return False
        return True

    def _fetch(self, reading: int, pager: Pager) -> Kept:
        values = pager.values or {}
        link = values.get("cursor") if self.request.paging.kind == "next_link" else None
        answer = self.client.ask(self.requests.page(self.request, self.path, values, link))
        try:
            rows = rows_of(answer, self.request)
            inside = inner_lists(rows, self.look.below)
            lines = lines_of(rows)
        except NotThatFormat as wrong:
            raise SourceError(
                f"{self.where}: page {pager.read + 1}: {wrong}. {KEPT} Check `request.records`."
            ) from None
        secrets = self.client.secrets
        facts = facts_of(answer, rows, lines, inside, self.request, self.key, self.fields.new(rows))
        if facts.next is not None:  # a link may repeat our key, which the signer puts in again
            facts = replace(facts, next=secrets.redacted(facts.next))
        return self.book.add(
            reading, secrets.redacted_bytes(answer.body), secrets.redacted_bytes(lines.text), facts
        )

    def _rows(self, readings: tuple[int, ...]) -> tuple[int, int, Path, Table]:
        """Rows of these passes together (and keys that changed meanwhile), the file they are in, and its table."""
        name = self.requests.family.name
        known = Known(self.types, None)
        table = Table(self.requests.source, name, self.stream, known, self.bases.get(name))
        target = self.draft / f"read-{'-'.join(map(str, readings))}.parquet"
        files = [path for reading in readings for path in self.book.lines(reading)]
        table.write(self.con, files, self.widest, target)
        pages = [facts.rows for reading in readings for facts in self.book.facts(reading)]
        rows, again = latest_by_key(self.con, table, target, pages)
        return rows, again, target, table

    def inside(self, name: str, child: Stream, readings: tuple[int, ...]) -> tuple[Table, Path]:
        """The rows of a child stream, inside the rows of these passes."""
        assert child.request is not None
        known = Known(self.types, child.request.records)
        table = Table(self.requests.source, name, child, known, self.bases.get(name))
        target = self.draft / f"inside-{name}.parquet"
        table.write(
            self.con, [path for reading in readings for path in self.book.lines(reading)], self.widest, target
        )
        counts = [
            facts.inside.get(child.request.records, 0)
            for reading in readings
            for facts in self.book.facts(reading)
        ]
        latest_by_key(self.con, table, target, counts)
        return table, target
