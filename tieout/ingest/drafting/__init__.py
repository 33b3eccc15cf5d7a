"""Draft a contract from what a database says of itself: names, types, keys, comments, and a look at the rows.

A draft is a proposal that works at once: it lands every table whole, with the database's own counts and sums
as control totals. What only people know (owner, meaning, what is personal) is proposed and marked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sources.contract import ContractError, Source
from tieout.ingest.errors import SourceError
from tieout.strict import explained, from_yaml

if TYPE_CHECKING:
    from tieout.ingest.drafting.catalogue import Catalogue, Look, Table

Connector = Literal["postgres", "mysql", "sqlite"]
DRAFTED: tuple[Connector, ...] = ("postgres", "mysql", "sqlite")


@dataclass(frozen=True)
class Draft:
    """A contract as text, and what a person should look at: tables left out, keys that nobody promises."""

    text: str
    streams: int
    columns: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What to draft. `place` is a reference (`env:NAME`) to a dsn, or for SQLite a path.

    `tables` are names, `%` standing for any characters; a view is taken only if it is named in full.
    """

    name: str
    connector: Connector
    place: str
    schema: str | None = None
    tables: tuple[str, ...] = ("%",)
    module: str = "general"
    owner: str = "data"
    title_zh: str | None = None
    title_en: str | None = None
    timezone: str = "Asia/Shanghai"


def draft(wanted: Wanted) -> Draft:
    """Ask the database and write the contract; the same catalogue and rows give the same text.

    Raises: SourceError if it cannot be reached or no table matches, ContractError if the name or the place
    is no use in a contract.
    """
    import duckdb

    from tieout.ingest.drafting.catalogue import open_catalogue
    from tieout.ingest.intake.readers import open_reader

    source = _empty(wanted)
    with open_reader(source) as reader:
        catalogue = open_catalogue(reader)
        try:
            chosen = _chosen(wanted, catalogue)
            left_out = [item for item in catalogue.left_out() if _matches(item.split(":")[0], wanted.tables)]
            looked: list[tuple[Table, Look]] = []
            for table in chosen:
                try:
                    looked.append((table, catalogue.look(table)))
                except duckdb.Error as error:
                    left_out.append(f"{table.name}: it cannot be read: {reader.without_secret(error)}")
        except duckdb.Error as error:
            raise SourceError(
                f"{wanted.name}: the catalogue cannot be read: {reader.without_secret(error)}. Nothing was drafted. "
                f"The login needs to read the catalogue and the tables, nothing else."
            ) from None
    if not looked:
        raise SourceError(
            f"{wanted.name}: none of the tables can be read ({'; '.join(left_out[:3])}). Nothing was drafted."
        )
    made = _written(wanted, looked, left_out)
    read_back(made.text)
    return made


def _empty(wanted: Wanted) -> Source:
    """The contract before it has streams: enough to connect, and the first check of name and place."""
    from pydantic import ValidationError

    place = {"path" if wanted.connector == "sqlite" else "dsn": wanted.place}
    try:
        return Source.model_validate(
            {
                "source": wanted.name,
                "title": {"zh": "-", "en": "-"},
                "module": wanted.module,
                "owner": wanted.owner,
                "connector": wanted.connector,
                "connection": place,
                "class": "L2",
                "schedule": {"cron": "0 2 * * *"},
                "streams": {},
            }
        )
    except ValidationError as error:
        raise ContractError(f"{wanted.name}: {explained(error)}. Nothing was drafted.") from None


def _chosen(wanted: Wanted, catalogue: Catalogue) -> list[Table]:
    every = catalogue.tables(wanted.schema)
    chosen = [
        table
        for table in every
        if (table.name in wanted.tables if table.view else _matches(table.name, wanted.tables))
    ]
    unknown = [
        pattern for pattern in wanted.tables if not any(_matches(table.name, (pattern,)) for table in every)
    ]
    if unknown or not chosen:
        where = f"schema {wanted.schema}" if wanted.schema else "the database"
        some = ", ".join(table.name for table in every[:8]) or "none that this login may read"
        raise SourceError(
            f"{wanted.name}: {where} has no table {', '.join(unknown or wanted.tables)}. Nothing was drafted. "
            f"It has {len(every)}: {some}{' …' if len(every) > 8 else ''}"
        )
    return chosen


def _matches(name: str, patterns: Sequence[str]) -> bool:
    # `_` is part of most names, so only `%` stands for other characters.
    return any(
        re.fullmatch(".*".join(re.escape(part) for part in pattern.split("%")), name, re.DOTALL)
        for pattern in patterns
    )


def _written(wanted: Wanted, looked: list[tuple[Table, Look]], left_out: list[str]) -> Draft:
    from tieout.ingest.drafting.judge import key_of
    from tieout.ingest.drafting.write import remark, scalar, streams, title

    product = {"postgres": "PostgreSQL", "mysql": "MySQL or MariaDB", "sqlite": "SQLite"}[wanted.connector]
    keyless = [f"{table.name}: {why}" for table, look in looked if (why := key_of(table, look)[1])]
    partly = [
        f"{table.name}: only its first {look.rows:,} rows were looked at"
        for table, look in looked
        if not look.whole
    ]
    place = "path" if wanted.connector == "sqlite" else "dsn"
    lines = [
        f"# Drafted from the catalogue of a {product} database by `tieout source draft`: {len(looked)} tables.",
        "# It works as it is. Proposals to read: owner, titles, `class` (L3 personal, L4 secret), types and keys",
        "# with a remark. Then say what only people know: units, currencies, code lists, lateness.",
        *(f"#{remark(f'left out: {item}').replace('  #', '')}" for item in left_out),
        f"source: {wanted.name}",
        f"title: {title(wanted.name, None, wanted.title_zh, wanted.title_en)}",
        f"module: {wanted.module}",
        f"owner: {scalar(wanted.owner)}",
        f"connector: {wanted.connector}",
        f"connection: {{{place}: {scalar(wanted.place)}}}",
        f"timezone: {wanted.timezone}",
        "class: L2",
        'schedule: {cron: "15 2 * * *"}',
        "streams:",
        *streams(wanted.connector, looked),
    ]
    notes = (*(f"left out: {item}" for item in left_out), *keyless, *partly)
    return Draft("\n".join(lines) + "\n", len(looked), sum(len(table.fields) for table, _ in looked), notes)


def read_back(text: str) -> None:
    """A draft must read as a contract; anything else is a fault of this package, or of a connector's metadata.

    Raises: ValueError.
    """
    Source.model_validate(from_yaml(text))
