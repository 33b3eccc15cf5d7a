"""The walks over pages that one reading is made of: every item, in every piece of time.

Everything here follows from the question, the moment the pull began and the pages already kept, so a pull that
was killed makes the same walks again and takes their pages from its book.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sources.contract import duration
from sources.contract.http_paged import ForEach, Listing, Paged
from tieout.ingest.errors import SourceError
from tieout.ingest.intake.http.values import joined

SHOWN = 60  # characters of an item in a message


@dataclass(frozen=True)
class Leg:
    """One walk over pages. `name` tells it from the others of its question; `values` are its placeholders.

    `between`: its own piece of time.
    """

    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    between: tuple[datetime, datetime] | None = None

    @property
    def words(self) -> str:
        """Which item and time, for messages; nothing if there is but one walk."""
        each, since, to = (self.values.get(name) for name in ("each", "from", "to"))
        said = [] if each is None else [f"for {joined(each)[:SHOWN]}"]
        if to is not None:
            said.append(f"from {since} to {to}")
        return f" ({', '.join(said)})" if said else ""


class Legs:
    """The legs of one question, in order.

    Args:
        where: Names the question in messages.
        most: Items there may be (`limits.pages`).
        between: The time that is asked for, for `span`; a start of None is not known, and cuts nothing.
        write: Writes an instant as the system does.
        option: The value of a connection option.
        listed: Asks for the items of a list.
    """

    def __init__(
        self,
        asked: Paged,
        where: str,
        most: int,
        between: tuple[datetime | None, datetime],
        write: Callable[[datetime], Any],
        option: Callable[[str], str],
        listed: Callable[[Listing], list[Any]],
    ) -> None:
        self.asked, self.where, self.most = asked, where, most
        self.between, self.write, self.option, self.listed = between, write, option, listed
        self._found: deque[Any] = deque()

    def grow(self, items: list[Any]) -> None:
        """Take in what a tree's rows lead to, before the next leg is asked for."""
        self._found.extend(items)

    def __iter__(self) -> Iterator[Leg]:
        pieces = list(self._pieces()) if self.asked.span else [None]
        for each in self._groups(self.asked.for_each) if self.asked.for_each else [None]:
            for piece in pieces:
                values = {} if each is None else {"each": each}
                if piece:
                    since = self.write(piece[0])
                    values |= {"since": since, "from": since, "to": self.write(piece[1])}
                said = [value for name, value in values.items() if name != "since"]
                yield Leg(json.dumps(said, ensure_ascii=False) if said else "", values, piece)

    def _pieces(self) -> Iterator[tuple[datetime, datetime] | None]:
        assert self.asked.span
        start, end = self.between
        if start is None:
            yield None
            return
        # In UTC, for a day of wall time may have 23 hours.
        begin, end, step = start.astimezone(UTC), end.astimezone(UTC), duration(self.asked.span)
        number = 0
        while begin < end or number == 0:
            number += 1
            if number > self.most:
                raise SourceError(
                    f"{self.where}: there are more than {self.most} pieces of {self.asked.span} from {start:%Y-%m-%d} on "
                    f"(limits.pages). Nothing was read. Begin later (`beginning`), or raise it."
                )
            until = max(begin, min(begin + step, end))
            yield begin, until
            begin = until

    def _groups(self, for_each: ForEach) -> Iterator[Any]:
        """Items one by one, or `together` as lists."""
        group: list[Any] = []
        for item in self._once(for_each):
            if for_each.together == 1:
                yield item
                continue
            group.append(item)
            if len(group) == for_each.together:
                yield group
                group = []
        if group:
            yield group

    def _once(self, for_each: ForEach) -> Iterator[Any]:
        """Every item once, in the order in which they were found.

        Raises: SourceError if there are more than there may be.
        """
        known: set[str] = set()
        for item in self._items(for_each):
            if str(item) in known:
                continue
            known.add(str(item))
            if len(known) > self.most:
                raise SourceError(
                    f"{self.where}: there are more than {self.most} items to ask for (limits.pages). Nothing of it was "
                    f"loaded; what was loaded before stays. Ask for fewer, or raise it."
                )
            yield item

    def _items(self, for_each: ForEach) -> Iterator[Any]:
        if for_each.option:
            found = [item.strip() for item in self.option(for_each.option).split(",") if item.strip()]
            if not found:
                raise SourceError(
                    f"{self.where}: connection.options.{for_each.option} names nothing to ask for. Nothing was read. "
                    f"Write the items there, separated by commas."
                )
            yield from found
        yield from for_each.values
        if for_each.list:
            yield from self.listed(for_each.list)
        if for_each.tree:
            self._found.extend(for_each.tree.roots)
            while self._found:
                yield self._found.popleft()
