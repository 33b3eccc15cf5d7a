"""What is particular to a database that is read through a Python driver: its catalogue, literals, exact types, snapshot.

Neither SQL Server nor Oracle was at hand when this was written: the SQL below follows their manuals, and its shape is
tested; it has not been run against a real server yet.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from tieout.engine import literal, quoted

Rows = Callable[[str], list[tuple]]
# How a value travels: the name of an Arrow type, or decimal(p,s).
_DECIMAL = re.compile(r"^decimal\((\d+),(\d+)\)$")


class Dialect(ABC):
    """One kind of database."""

    title: str
    extra: str  # of this project, that installs a driver
    packages: tuple[str, ...]  # any of them will do; the first one found is used
    schema_sql: str  # the schema of a table that is named without one

    @abstractmethod
    def connect(self, package: Any, place: str) -> Any:
        """A DB-API connection."""

    @abstractmethod
    def begin(self, run: Callable[[str], None], rows: Rows) -> str | None:
        """Begin the snapshot; returns a note if the server has none to give."""

    @abstractmethod
    def catalogue(self, schema_sql: str, table: str) -> str:
        """Query of column name, type name, precision, scale of a table this login may read; in order."""

    @abstractmethod
    def declared(self, kind: str, precision: int | None, scale: int | None) -> str:
        """The type as contracts and manifests name it."""

    @abstractmethod
    def exact(self, name: str, declared: str) -> tuple[str, str]:
        """How a quoted column is selected such that no driver changes its value, and how it travels."""

    @abstractmethod
    def instant(self, text: str, zoned: bool) -> str:
        """A literal of a timestamp (`zoned`: in UTC, else without a zone) from ISO 8601 text."""

    @abstractmethod
    def month(self, name: str) -> str:
        """`YYYY-MM` of a quoted date column."""

    def text(self, text: str) -> str:
        return literal(text)


class SqlServer(Dialect):
    """Connection string as ODBC has it: `Server=host;Database=db;UID=reader;PWD=…;Encrypt=yes`.

    SQL Server knows no read-only transaction: that the login may only read is for the server's owner to grant.
    """

    title, extra = "SQL Server", "sqlserver"
    packages = ("mssql_python", "pyodbc")
    schema_sql = "schema_name()"

    def connect(self, package: Any, place: str) -> Any:
        if hasattr(package, "pooling"):
            if callable(package.pooling):
                package.pooling(enabled=False)  # no connection may stay open behind our back
            else:
                package.pooling = False
        return package.connect(place, autocommit=True)

    def begin(self, run: Callable[[str], None], rows: Rows) -> str | None:
        state = rows("select snapshot_isolation_state from sys.databases where database_id = db_id()")
        allowed = bool(state) and state[0][0] == 1
        run(f"set transaction isolation level {'snapshot' if allowed else 'repeatable read'}")
        run("begin transaction")
        if allowed:
            return None
        return (
            "the database does not allow snapshot isolation, so its tables were read one after the other and its"
            " writers waited; `alter database … set allow_snapshot_isolation on` ends that"
        )

    def catalogue(self, schema_sql: str, table: str) -> str:
        return (
            "select c.name, t.name, c.precision, c.scale from sys.columns c"
            " join sys.objects o on o.object_id = c.object_id join sys.schemas s on s.schema_id = o.schema_id"
            " join sys.types t on t.user_type_id = c.system_type_id"
            f" where s.name = {schema_sql} and o.name = {self.text(table)} and o.type in ('U', 'V')"
            " and has_perms_by_name(quotename(s.name) + '.' + quotename(o.name), 'OBJECT', 'SELECT', c.name, 'COLUMN') = 1"
            " order by c.column_id"
        )

    def declared(self, kind: str, precision: int | None, scale: int | None) -> str:
        if kind in {"decimal", "numeric"}:
            return f"decimal({precision},{scale})"
        return {"int": "integer", "float": "double", "timestamp": "rowversion"}.get(kind, kind)

    def exact(self, name: str, declared: str) -> tuple[str, str]:
        if declared in {"bigint", "integer", "smallint", "tinyint"}:
            return name, "int64"
        if _DECIMAL.match(declared):
            return name, declared
        if declared in {"money", "smallmoney"}:
            return f"convert(decimal(19, 4), {name})", "decimal(19,4)"
        if declared == "rowversion":
            return f"convert(bigint, {name})", "int64"
        if declared in {"binary", "varbinary", "image"}:
            return f"lower(convert(varchar(max), convert(varbinary(max), {name}), 2))", "string"
        if declared == "bit":
            return name, "bool"
        if declared in {"double", "real"}:
            return f"convert(float, {name})", "float64"
        if declared in {"date", "time", "datetime", "datetime2", "smalldatetime"}:
            return f"convert(varchar(27), {name}, 121)", "string"
        if declared == "datetimeoffset":
            in_utc = f"convert(datetime2, switchoffset({name}, '+00:00'))"
            return f"convert(varchar(27), {in_utc}, 121) + '+00:00'", "string"
        if declared in {"geography", "geometry", "hierarchyid"}:
            return f"{name}.ToString()", "string"
        return f"convert(nvarchar(max), {name})", "string"

    def instant(self, text: str, zoned: bool) -> str:
        moment = datetime.fromisoformat(text)
        if zoned:
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return (
                f"convert(datetimeoffset, '{aware.astimezone(UTC).isoformat(timespec='microseconds')}', 127)"
            )
        return f"convert(datetime2, '{moment.isoformat(timespec='microseconds')}', 126)"

    def month(self, name: str) -> str:
        return f"convert(char(7), {name}, 23)"

    def text(self, text: str) -> str:
        return "N" + literal(text)


class Oracle(Dialect):
    """Address `oracle://user:password@host:1521/service`; names as the data dictionary has them, mostly upper case."""

    title, extra = "Oracle", "oracle"
    packages = ("oracledb",)
    schema_sql = "sys_context('userenv', 'current_schema')"

    def connect(self, package: Any, place: str) -> Any:
        address = urlsplit(place)
        package.defaults.fetch_decimals = True
        package.defaults.fetch_lobs = False
        return package.connect(
            user=unquote(address.username or ""),
            password=unquote(address.password or ""),
            dsn=f"{address.hostname}:{address.port or 1521}{address.path}",
        )

    def begin(self, run: Callable[[str], None], rows: Rows) -> str | None:
        run("set transaction read only")
        return None

    def catalogue(self, schema_sql: str, table: str) -> str:
        # The dictionary shows a login only what it may read.
        return (
            "select column_name, data_type, data_precision, data_scale from all_tab_columns"
            f" where owner = {schema_sql} and table_name = {self.text(table)} order by column_id"
        )

    def declared(self, kind: str, precision: int | None, scale: int | None) -> str:
        if kind == "NUMBER":
            if precision is None or scale is None or not 0 <= scale <= precision:
                return "number"
            return f"decimal({precision},{scale})"
        # Oracle's DATE holds a time of day.
        return {"DATE": "timestamp(0)", "BINARY_DOUBLE": "double", "BINARY_FLOAT": "real"}.get(
            kind, kind.lower()
        )

    def exact(self, name: str, declared: str) -> tuple[str, str]:
        if _DECIMAL.match(declared):
            return name, declared
        if declared in {"number", "float"}:
            return f"to_char({name}, 'TM9', 'nls_numeric_characters=''.,''')", "string"
        if declared in {"double", "real"}:
            return name, "float64"
        if declared == "raw":
            return f"lower(rawtohex({name}))", "string"
        if "time zone" in declared:
            return f"to_char(sys_extract_utc({name}), 'YYYY-MM-DD HH24:MI:SS.FF9') || '+00:00'", "string"
        if declared == "timestamp(0)":
            return f"to_char({name}, 'YYYY-MM-DD HH24:MI:SS')", "string"
        if declared.startswith("timestamp"):
            return f"to_char({name}, 'YYYY-MM-DD HH24:MI:SS.FF9')", "string"
        if declared.startswith("interval"):
            return f"to_char({name})", "string"
        return name, "string"

    def instant(self, text: str, zoned: bool) -> str:
        moment = datetime.fromisoformat(text)
        if not zoned:
            return f"timestamp '{moment.isoformat(sep=' ', timespec='microseconds')}'"
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return f"timestamp '{aware.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')} +00:00'"

    def month(self, name: str) -> str:
        return f"to_char({name}, 'YYYY-MM')"


DIALECTS: dict[str, type[Dialect]] = {"sqlserver": SqlServer, "oracle": Oracle}


def quoted_name(table: str) -> str:
    """A table's name, part by part; both systems read double quotes."""
    return ".".join(quoted(part) for part in table.split("."))


def driver(dialect: Dialect) -> Any:
    """The first driver installed. Raises: ImportError if there is none."""
    for package in dialect.packages:
        try:
            return importlib.import_module(package)
        except ImportError:
            continue
    raise ImportError(
        f"{dialect.title} is read through the package {dialect.packages[0].replace('_', '-')}, which is not"
        f" installed. Install it with: pip install 'tieout[{dialect.extra}]'"
    )
