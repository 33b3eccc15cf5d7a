"""Which page comes next, and when there is none: decided from the facts of the pages so far, and nothing else.

A short page is not the end unless the protocol says so; a page that comes again, a cursor that goes back, and
rows that moved while they were read are noticed here.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sources.contract.http_paged import Paged
from sources.contract.http_paging import ByCursor, ByKey, ByLink, ByOffset, ByPage
from tieout.ingest.intake.http.page import Facts


class Astray(Exception):
    """Paging does not come to an end, or went wrong; the message says how and what to change."""


class Moved(Exception):
    """Rows changed places while they were read; the pages must be read again."""


class Pager:
    """Goes from page to page. `values` are the placeholders of the next request, None after the last page."""

    def __init__(self, request: Paged, most: int) -> None:
        self.paging, self.most = request.paging, most
        self.read = 0  # pages
        self.rows = 0
        self._signatures: set[str] = set()
        self._tokens: set[str] = set()
        self._last_value: Any = None
        self._last_key: str | None = None
        self.values: dict[str, Any] | None = self._first()

    def _first(self) -> dict[str, Any]:
        paging = self.paging
        size = getattr(paging, "size", None)
        if isinstance(paging, ByPage):
            return {"page": paging.first, "offset": 0, "size": size, "upto": size}
        if isinstance(paging, ByOffset):
            return {"offset": paging.first, "page": 1, "size": size, "upto": paging.first + paging.size}
        first = getattr(paging, "first", None)
        if first is not None:
            self._tokens.add(str(first))
        return {"cursor": first, "size": size}

    def after(self, page: Facts) -> None:
        """Take in one page and decide on the next.

        Raises: Astray, or Moved.
        """
        self.read += 1
        self._check_repeat(page)
        fresh = page.rows
        if isinstance(self.paging, ByOffset) and self.paging.overlap and self.read > 1:
            if page.rows == 0 or page.first_key != self._last_key:
                raise Moved
            fresh -= self.paging.overlap
        self.rows += fresh
        self._last_key = page.last_key or self._last_key
        self.values = self._next(page, fresh)
        if self.values is not None and self.read >= self.most:
            raise Astray(
                f"there are more than {self.most} pages (limits.pages). Ask for more rows a page, or raise it"
            )

    def _next(self, page: Facts, fresh: int) -> dict[str, Any] | None:
        paging = self.paging
        if isinstance(paging, ByPage | ByOffset):
            if self._over(page, fresh):
                return None
            assert self.values is not None
            if isinstance(paging, ByPage):
                number = self.values["page"] + 1
                offset = (number - paging.first) * paging.size
                return {**self.values, "page": number, "offset": offset, "upto": offset + paging.size}
            offset = paging.first + self.rows - paging.overlap
            page_number = offset // paging.size + 1
            return {**self.values, "offset": offset, "page": page_number, "upto": offset + paging.size}
        if isinstance(paging, ByCursor):
            return self._token(page) if page.more is not False else None
        if isinstance(paging, ByLink):
            return self._token(page)
        if isinstance(paging, ByKey):
            return self._keyset(page)
        return None

    def _over(self, page: Facts, fresh: int) -> bool:
        """Whether this was the last page of pages by number, offset or key."""
        paging: Any = self.paging
        end = paging.end or ("more" if paging.more else "count" if getattr(paging, "count", None) else None)
        if end == "more":
            if page.more is None:
                raise Astray(f"page {self.read} does not say whether there is more (at {paging.more})")
            return not page.more
        if end == "count":
            if page.pages is None:
                raise Astray(f"page {self.read} does not say how many pages there are (at {paging.count})")
            return self.read >= page.pages
        if end == "short":
            return page.rows < paging.size
        if end is None and page.total is not None and self.rows >= page.total:
            return True
        if end == "total":
            if page.total is None:
                raise Astray(f"page {self.read} does not name the total")
            return self.rows >= page.total or fresh == 0
        return fresh == 0

    def _token(self, page: Facts) -> dict[str, Any] | None:
        if page.next is None:
            if page.more:
                raise Astray(f"page {self.read} says that there is more, but does not name the next page")
            return None
        if str(page.next) in self._tokens:
            raise Astray(
                f"page {self.read} names a page as the next one that was read before: it would go on for ever"
            )
        self._tokens.add(str(page.next))
        return {**(self.values or {}), "cursor": page.next}

    def _keyset(self, page: Facts) -> dict[str, Any] | None:
        paging = self.paging
        assert isinstance(paging, ByKey)
        if page.rows == 0 or (self._over(page, page.rows) and paging.end != "empty"):
            return None
        value, before = page.last_value, self._last_value
        if value is None:
            raise Astray(
                f"the last row of page {self.read} has no {paging.by}, by which the next page is asked for"
            )
        if before is not None and _backwards(value, before):
            raise Astray(
                f"the cursor goes backwards at page {self.read}: {paging.by} = {value!r} after {before!r}. "
                f"The rows must come in its order: ask for it"
            )
        if value == before:
            if paging.inclusive and page.rows < paging.size:
                return None
            raise Astray(
                f"the cursor does not move at page {self.read}: {paging.by} = {value!r} again. "
                f"More rows share it than a page holds ({paging.size}): ask for more rows a page, or go by a unique field"
            )
        self._last_value = value
        return {**(self.values or {}), "cursor": value}

    def _check_repeat(self, page: Facts) -> None:
        if page.rows <= getattr(self.paging, "overlap", 0):
            return  # only the row that is asked for again: where there is but one, it is the whole first page too
        if isinstance(self.paging, ByKey) and self.paging.inclusive:
            return  # the last row comes again rightly; whether the cursor moves is checked instead
        if page.rows and page.signature in self._signatures:
            raise Astray(
                f"page {self.read} holds the same rows as a page before: it would go on for ever, or the server does "
                f"not heed the page asked for. Check paging; if the last page is short, say `end: short`"
            )
        if page.rows:
            self._signatures.add(page.signature)


def _backwards(value: Any, before: Any) -> bool:
    """Whether a cursor went back: numbers (also as text) as numbers, texts as a case-blind server would say too."""
    try:
        return Decimal(str(value)) < Decimal(str(before))
    except InvalidOperation:
        one, other = str(value), str(before)
        return one < other and one.casefold() < other.casefold()
