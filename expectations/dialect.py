"""A DuckDB dialect for SQLAlchemy whose cursors hold their rows.

Great Expectations reads a result after it has given the connection back; DuckDB drops the rows at that
moment, so every expectation fails with "list index out of range" (upstream issue 11579, still open in 1.24.1).
Here a cursor fetches at once. Everything is read-only and on one connection.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from duckdb_sqlalchemy import Dialect
from sqlalchemy import pool
from sqlalchemy.dialects import registry

from tieout.engine import connect

URL_PREFIX = "duckdb+buffered:///"


class _Cursor:
    """What SQLAlchemy needs of a DBAPI cursor; rows are fetched when the statement runs."""

    arraysize = 1

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection
        self.description: Sequence[Sequence[Any]] | None = None
        self.rowcount = -1
        self._rows: deque[tuple[Any, ...]] = deque()

    def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        del context
        cursor = self.connection.con.cursor()
        try:
            cursor.execute(statement, parameters or None)
            # SQLAlchemy puts type codes into a dictionary; DuckDB's nested types cannot be hashed
            self.description = [
                (name, str(kind), *rest) for name, kind, *rest in cursor.description or []
            ] or None
            self._rows = deque(cursor.fetchall() if self.description else [])
        finally:
            cursor.close()

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return [self._rows.popleft() for _ in range(min(size or self.arraysize, len(self._rows)))]

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def close(self) -> None:
        self._rows.clear()


class _Connection:
    """One read-only DuckDB connection; there is nothing to commit or to roll back."""

    autocommit = True
    notices: tuple[str, ...] = ()

    def __init__(self, path: str) -> None:
        self.con: duckdb.DuckDBPyConnection = connect(path, read_only=True)
        self.path = Path(path)
        self.closed = False
        _opened.add(self)

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None:
        self.con.close()
        self.closed = True


class BufferedDialect(Dialect):
    """`duckdb+buffered:///<file>`."""

    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: Any) -> type[pool.Pool]:
        del url
        return pool.StaticPool

    def connect(self, *arguments: Any, **parameters: Any) -> Any:
        return _Connection(arguments[0] if arguments else parameters["database"])


# GX makes several engines and keeps them; a connection left open would lock the next writer out.
_opened: weakref.WeakSet[_Connection] = weakref.WeakSet()


def close_all(path: Path) -> None:
    """Close every connection to one file, whoever holds it."""
    for connection in list(_opened):
        if connection.path == path and not connection.closed:
            connection.close()


registry.register("duckdb.buffered", __name__, "BufferedDialect")
