"""What one invented system holds: its tables with their keys, Chinese titles and rows, in one SQLite file.

The emulator of the system reads it and dresses it in the vendor's wire format; tests read it as the truth. Values
are canonical: decimals are exact text, instants ISO in UTC (`2026-01-05T02:11:09Z`), dates ISO, flags 0 or 1. Writing
replaces the file as a whole, so whoever reads sees one state or the other.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

Kind = Literal["text", "integer", "decimal", "date", "instant", "flag", "choice", "list"]
_COLUMN_TYPES = {"integer": "integer", "flag": "integer"}
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Field:
    """One field: the vendor's technical name, what it means, and for a choice its code list (code → words).

    `refers` names the table whose key it holds; `list` values are JSON text of a list. `indexed`: the system is asked
    by it, such as for what changed since a time.
    """

    name: str
    kind: Kind
    title: str
    options: tuple[tuple[str, str], ...] = ()
    refers: str | None = None
    required: bool = False
    personal: bool = False
    indexed: bool = False


@dataclass(frozen=True)
class Table:
    """One table as the system names it. `parent`: its rows are lines of that table, linked by the field `link`."""

    name: str
    title: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    rows: Sequence[Row] = ()
    parent: str | None = None
    link: str | None = None

    def field(self, name: str) -> Field:
        return next(item for item in self.fields if item.name == name)


def write_store(path: Path, tables: Iterable[Table]) -> None:
    """Write a system's tables beside the old file, then change places.

    Raises: ValueError if a key comes twice, or a row has another length than its table.
    """
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    beside.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    con = sqlite3.connect(beside)
    try:
        con.execute("pragma journal_mode = off")
        con.execute("pragma synchronous = off")
        con.execute("create table _table (place integer, name text primary key, said text)")
        for place, table in enumerate(tables):
            _write(con, place, table)
        con.commit()
    finally:
        con.close()
    beside.replace(path)


def _write(con: sqlite3.Connection, place: int, table: Table) -> None:
    said = {
        "title": table.title,
        "key": table.key,
        "parent": table.parent,
        "link": table.link,
        "fields": [vars(item) for item in table.fields],
    }
    con.execute(
        "insert into _table values (?, ?, ?)", (place, table.name, json.dumps(said, ensure_ascii=False))
    )
    columns = ", ".join(f"{_quoted(f.name)} {_COLUMN_TYPES.get(f.kind, 'text')}" for f in table.fields)
    key = ", ".join(map(_quoted, table.key))
    con.execute(f"create table {_quoted(table.name)} ({columns}, primary key ({key}))")
    marks = ", ".join("?" * len(table.fields))
    try:
        con.executemany(f"insert into {_quoted(table.name)} values ({marks})", table.rows)
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
        raise ValueError(f"{table.name}: {error}") from error
    for field in table.fields:
        if field.indexed:
            con.execute(
                f"create index {_quoted(f'{table.name} by {field.name}')} on {_quoted(table.name)} ({_quoted(field.name)})"
            )
    if table.link:
        con.execute(
            f"create index {_quoted('of ' + table.name)} on {_quoted(table.name)} ({_quoted(table.link)})"
        )


class Store:
    """Reads a system's file; each thread has its own connection, and a file that was replaced is opened anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._tables: dict[str, Table] = {}
        self._seen: int | None = None

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by name, without rows."""
        inode = self.path.stat().st_ino
        if self._seen != inode:
            self._tables = {
                name: _table(name, json.loads(said))
                for name, said in self._connection().execute("select name, said from _table order by place")
            }
            self._seen = inode
        return self._tables

    def rows(
        self,
        table: str,
        where: str = "true",
        values: Sequence[Any] = (),
        order: str = "",
        limit: int = -1,
        offset: int = 0,
    ) -> Iterator[dict[str, Any]]:
        """Rows as mappings, in the order of the key if no other is named. `where` and `order` are SQL of this module's callers."""
        order = order or ", ".join(map(_quoted, self.tables[table].key))
        asked = self._connection().execute(
            f"select * from {_quoted(table)} where {where} order by {order} limit ? offset ?",
            (*values, limit, offset),
        )
        names = [item[0] for item in asked.description]
        return (dict(zip(names, row, strict=True)) for row in asked)

    def count(self, table: str, where: str = "true", values: Sequence[Any] = ()) -> int:
        asked = self._connection().execute(f"select count(*) from {_quoted(table)} where {where}", values)
        return int(asked.fetchone()[0])

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Change rows in place, as people at work do; returns how many. For tests and the fault kit."""
        con = sqlite3.connect(self.path)
        try:
            with con:
                return con.execute(sql, values).rowcount
        finally:
            con.close()

    def _connection(self) -> sqlite3.Connection:
        inode = self.path.stat().st_ino
        if getattr(self._local, "inode", None) != inode:
            self._local.con = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
            self._local.inode = inode
        return self._local.con


def read_table(path: Path, name: str) -> Table:
    """One table with its rows, in the order of its key."""
    store = Store(path)
    table = store.tables[name]
    names = [item.name for item in table.fields]
    return replace(table, rows=[tuple(row[item] for item in names) for row in store.rows(name)])


def _table(name: str, said: dict[str, Any]) -> Table:
    fields = tuple(
        replace(Field(**item), options=tuple((code, words) for code, words in item["options"]))
        for item in said["fields"]
    )
    return Table(name, said["title"], tuple(said["key"]), fields, (), said["parent"], said["link"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
