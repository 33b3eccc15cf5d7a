"""Walking over all pages of one question, leg by leg, and making sure that nothing was lost while rows moved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sources.contract.http_paged import Listing, Paged
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.http.answer import Answer, NotThatFormat
from tieout.ingest.intake.http.book import Book, Kept
from tieout.ingest.intake.http.client import KEPT, Client
from tieout.ingest.intake.http.legs import Leg, Legs
from tieout.ingest.intake.http.page import Facts, Lines, facts_of, lines_of, rows_of
from tieout.ingest.intake.http.paging import Astray, Moved, Pager
from tieout.ingest.intake.http.plan import Requests
from tieout.ingest.intake.http.values import at

READINGS = 3  # how often all pages of a leg are read at most when the server's total disagrees


@dataclass(frozen=True)
class Walked:
    """The pages that hold all rows of one leg (of several passes, if need be), how many, and what was named."""

    pages: tuple[Kept, ...]
    rows: int  # counted only where the server names a total
    total: int | None
    leg: Leg = field(default_factory=Leg)


class Walker(ABC):
    """Walks over the pages of one question and keeps them in a book."""

    united = True  # whether two passes that each missed rows may make a whole together

    def __init__(
        self, client: Client, requests: Requests, asked: Paged, path: str, book: Book, prefix: str = ""
    ) -> None:
        self.client, self.requests, self.asked, self.path, self.book = client, requests, asked, path, book
        self.prefix = prefix  # before the names of its legs, which share the book with others
        self.where = f"{requests.where}: {path}"

    @abstractmethod
    def taken(self, answer: Answer, leg: Leg) -> tuple[Lines, Facts]:
        """The rows of one page and what is to be known of it.

        Raises: NotThatFormat.
        """

    @abstractmethod
    def count(self, pages: list[Kept]) -> int:
        """How many different rows these pages hold."""

    def walked(self) -> Iterator[Walked]:
        """Every leg.

        Raises: SourceError if rows keep moving, or the server's total and what it gives stay apart.
        """
        legs = Legs(
            self.asked,
            self.where,
            self.client.limits.pages,
            self.requests.between,
            self.requests.write,
            self.requests.option,
            self._listed,
        )
        tree = self.asked.for_each.tree if self.asked.for_each else None
        for leg in legs:
            walked = replace(self._leg(leg), leg=leg)
            if tree:
                legs.grow(self.items(walked.pages, tree.item))
            yield walked

    def items(self, pages: tuple[Kept, ...], path: str) -> list[Any]:
        """What is at `path` of every row.

        Raises: SourceError if a row has nothing there: what it leads to would be missed.
        """
        import orjson

        found = []
        for kept in pages:
            for number, line in enumerate(self.book.lines(kept).read_bytes().splitlines(), 1):
                item = at(orjson.loads(line), path)
                if not isinstance(item, str | int | float) or item == "":
                    raise SourceError(
                        f"{self.where}: row {number} of page {kept.number} has no item at {path!r}, so what it stands for "
                        f"cannot be asked for. {KEPT} Check `item` of for_each."
                    )
                found.append(item)
        return found

    def _listed(self, listing: Listing) -> list[Any]:
        return Lister(
            self.client, self.requests, listing, listing.path, self.book, f"{self.prefix}list "
        ).all()

    def _leg(self, leg: Leg) -> Walked:
        finished: list[list[Kept]] = []
        grown: Walked | None = None
        found = said = None
        where = f"{self.where}{self.client.secrets.redacted(leg.words)}"
        for reading in range(1, READINGS + 1):
            pages = self._pass(leg, reading, where)
            if pages is None:
                continue
            finished.append(pages)
            totals = self._totals(pages)
            if not totals:
                return Walked(tuple(pages), 0, None)
            total = totals[-1]
            count = self._counted(pages)
            # A total that changed says that rows moved: one that goes takes the place of one never seen.
            if count == total and len(set(totals)) == 1:
                return Walked(tuple(pages), count, total)
            found, said = count, max(totals)
            if count == total and totals == sorted(totals):
                grown = Walked(tuple(pages), count, total)
            elif len(finished) > 1 and len(set(totals)) == 1 and self.united:
                together = [kept for one in finished for kept in one]
                if self._counted(together) == total:
                    return Walked(tuple(together), total, total)
        if grown is not None:  # rows are added all the time, and all there were at the end are here
            return grown
        if said is None:
            raise SourceError(
                f"{where}: rows changed places while they were read, {READINGS} times in a row. {KEPT} "
                f"Ask for them in a fixed order, or when the system is quiet."
            )
        raise SourceError(
            f"{where}: the server names {said} rows in all, but gave {found} different ones, in {READINGS} "
            f"readings. {KEPT} Ask for the rows in a fixed and unique order, check `total` and the key."
        )

    def _totals(self, pages: list[Kept]) -> list[int]:
        """How many rows there are in all, by each page that names a total."""
        before = 0
        totals = []
        for kept in pages:
            if kept.facts.total is not None:
                totals.append(kept.facts.total + before)
            if getattr(self.asked.paging, "remaining", False):
                before += kept.facts.rows
        return totals

    def _counted(self, pages: list[Kept]) -> int:
        """Different rows; those of one page count as they are, so that one page need not be parsed for it."""
        return pages[0].facts.rows if len(pages) == 1 else self.count(pages)

    def _pass(self, leg: Leg, reading: int, where: str) -> list[Kept] | None:
        """One pass over all pages of a leg; None if rows moved meanwhile."""
        pager = Pager(self.asked, self.client.limits.pages)
        pages: list[Kept] = []
        try:
            while pager.values is not None:
                kept = self.book.already(self.prefix + leg.name, reading)
                pages.append(kept or self._fetch(leg, reading, pager, where))
                pager.after(pages[-1].facts)
        except Astray as astray:
            raise SourceError(f"{where}: {astray}. {KEPT}") from None
        except Moved:
            return None
        return pages

    def _fetch(self, leg: Leg, reading: int, pager: Pager, where: str) -> Kept:
        values = pager.values or {}
        link = values.get("cursor") if self.asked.paging.kind == "next_link" else None
        answer = self.client.ask(self.requests.page(self.asked, self.path, leg, values, link))
        try:
            lines, facts = self.taken(answer, leg)
        except NotThatFormat as wrong:
            raise SourceError(
                f"{where}: page {pager.read + 1}: {wrong}. {KEPT} Check `request.records`."
            ) from None
        secrets = self.client.secrets
        if isinstance(facts.next, str):  # a link may repeat our key, which the signer puts in again
            facts = replace(facts, next=secrets.redacted_bytes(facts.next.encode()).decode())
        body, text = secrets.redacted_bytes(answer.body), secrets.redacted_bytes(lines.text)
        return self.book.add(self.prefix + leg.name, reading, body, text, facts)


class Lister(Walker):
    """Walks over a list of items; its pages are kept beside those of the rows, as evidence of what was asked for."""

    asked: Listing

    def all(self) -> list[Any]:
        """Every item, in order; one may come twice."""
        return [item for walked in self.walked() for item in self.items(walked.pages, self.asked.item)]

    def taken(self, answer: Answer, leg: Leg) -> tuple[Lines, Facts]:
        rows = rows_of(answer, self.asked, plain=True)
        lines = lines_of(rows)
        facts = facts_of(answer, rows, lines, {}, self.asked, (self.asked.item,), {})
        return lines, replace(facts, widest=0)

    def count(self, pages: list[Kept]) -> int:
        return len(set(map(str, self.items(tuple(pages), self.asked.item))))
