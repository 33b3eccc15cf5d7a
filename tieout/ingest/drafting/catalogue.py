"""What a database says of itself: tables, columns, comments, keys; and what a look at the rows adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tieout.engine import literal

if TYPE_CHECKING:
    from tieout.ingest.intake.readers import Reader

# A look at the rows is for proposing types, not for proving them: so many rows a table are enough.
LOOK = 1_000_000
SAMPLE = 500


@dataclass(frozen=True)
class Field:
    """One column as declared. `declared` is the type in the database's own words."""

    name: str
    declared: str
    nullable: bool
    comment: str | None = None


@dataclass(frozen=True)
class Table:
    """One table or view; `unique` are sets of never-null columns that name a row, the best first."""

    name: str
    schema: str | None
    comment: str | None
    fields: tuple[Field, ...]
    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    view: bool = False

    @property
    def origin(self) -> str:
        """As a contract's `from` names it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True)
class Seen:
    """What the rows looked at showed of one column.

    `filled` values are not null; `scale` and `digits` are the most decimals and whole digits of its numbers,
    `special` counts NaN and infinity; `fits` are types that every value fits, where the database does not say.
    """

    filled: int = 0
    scale: int | None = None
    digits: int | None = None
    special: int = 0
    fits: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Look:
    """A look at the rows of one table: `rows` of them (LOOK at most), and some texts of each column."""

    rows: int = 0
    columns: dict[str, Seen] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return self.rows < LOOK


class Catalogue(Protocol):
    """One kind of database, asked over the reader of its door."""

    def tables(self, schema: str | None) -> list[Table]:
        """Base tables and views this login may read, by name."""
        ...

    def left_out(self) -> list[str]:
        """Tables that are there and may not be read, or cannot be named in a contract."""
        ...

    def look(self, table: Table) -> Look: ...


class Asked:
    """SQL in the database's own words, through the attached reader: read-only, secrets hidden in errors."""

    def __init__(self, reader: Reader, function: str) -> None:
        self._reader, self._function = reader, function

    def rows(self, sql: str) -> list[tuple]:
        """Rows of a query; texts that a driver gives as bytes (MariaDB's binary collations) are decoded."""
        rows = self._reader.con.execute(f"select * from {self._function}('src', {literal(sql)})").fetchall()
        return [
            tuple(value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in row)
            for row in rows
        ]

    def samples(
        self, table: Table, name: str, texts: Mapping[str, str], quote: Callable[[str], str]
    ) -> dict[str, tuple[str, ...]]:
        """The first values of some columns that are not empty, in the order of the key.

        Args:
            name: The table as the database writes it.
            texts: Column → the expression that gives its beginning as text.
            quote: How the database quotes a name.
        """
        if not texts:
            return {}
        listed = ", ".join(f"{said} as t{place}" for place, said in enumerate(texts.values()))
        key = table.primary or (table.unique[0] if table.unique else ())
        order = f" order by {', '.join(map(quote, key))}" if key else ""
        rows = self.rows(f"select {listed} from {name}{order} limit {SAMPLE}")
        return {column: tuple(row[place] for row in rows if row[place]) for place, column in enumerate(texts)}


def in_order(keys: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Shortest first, then by name, so that a draft is the same every time."""
    return tuple(sorted(set(keys), key=lambda key: (len(key), key)))


def open_catalogue(reader: Reader) -> Catalogue:
    """The catalogue of an attached database."""
    from tieout.ingest.drafting.mysql import MysqlCatalogue
    from tieout.ingest.drafting.postgres import PostgresCatalogue
    from tieout.ingest.drafting.sqlite import SqliteCatalogue

    kinds = {"postgres": PostgresCatalogue, "mysql": MysqlCatalogue, "sqlite": SqliteCatalogue}
    return kinds[reader.source.connector](reader)
