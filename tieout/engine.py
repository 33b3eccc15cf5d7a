"""How Tieout opens DuckDB: offline, with extensions from the installed wheels only."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

# Bringing rows in takes so much memory for DuckDB's buffers, whatever the size of a table; what does not fit is
# spilled to disk. It leaves room for Python and the drivers below 600 MB (docs/proofs.md, issue 3).
INGEST_MEMORY = "400MB"
# A writer waits so long for readers of the file: `tieout tie` or a notebook must not end a refresh.
PATIENCE_SECONDS = 30.0
# An extension that is not on disk is an error, never a download.
OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def connect(
    path: Path | str = ":memory:",
    *,
    read_only: bool = False,
    memory: str | None = None,
    ordered: bool = False,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file (or memory) that never reaches for the network; times are in UTC.

    Args:
        memory: Bound of DuckDB's buffers, such as INGEST_MEMORY; four fifths of the machine's, if not given.
        ordered: Rows keep their order also where memory is bounded.

    Raises: duckdb.IOException if another process writes the file, or reads what is to be written and goes on
        doing so for PATIENCE_SECONDS.
    """
    con = _once(str(path), read_only=True) if read_only else _opened(str(path))
    con.execute("set timezone = 'UTC'")
    con.execute("set enable_progress_bar = false")  # it would write into what a command prints
    if memory:
        con.execute(f"set memory_limit = '{memory}'")
        if not ordered:
            # Order inside a table carries no meaning on the way in, and keeping it costs half the speed.
            con.execute("set preserve_insertion_order = false")
        if str(path) == ":memory:":  # what does not fit would go to the folder somebody happens to stand in
            spill = Path(tempfile.gettempdir()) / f"tieout-spill-{os.getpid()}"
            con.execute(f"set temp_directory = {literal(str(spill))}")
    return con


def _once(path: str, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(path, read_only=read_only, config=dict(OFFLINE))


def _opened(path: str) -> duckdb.DuckDBPyConnection:
    """The file, to be written; readers are waited for, since they end soon and nobody else writes."""
    import duckdb

    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _once(path, read_only=False)
        except duckdb.IOException as error:
            if "lock" not in str(error) or time.monotonic() >= until:
                raise
            time.sleep(0.05)


def extension_file(name: str) -> Path:
    """The signed extension file inside the wheel `duckdb-extension-<name>`.

    Raises: FileNotFoundError if the wheel is missing or made for another DuckDB.
    """
    import duckdb

    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = spec.submodule_search_locations if spec else None
    file = (
        Path(folders[0]) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if folders
        else None
    )
    if file is None or not file.is_file():
        raise FileNotFoundError(
            f"DuckDB extension {name} for version {duckdb.__version__} is not installed. "
            f"Run `make setup`; it installs the wheel duckdb-extension-{name.replace('_', '-')}."
        )
    return file


def load_extension(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load one extension from its wheel into `con`."""
    con.load_extension(str(extension_file(name)))


def relations(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Names of all tables and views of the open file, as `schema.name`."""
    rows = con.execute(
        """
        select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()
        union all
        select schema_name || '.' || view_name from duckdb_views()
        where database_name = current_database() and not internal
        """
    ).fetchall()
    return {name for (name,) in rows}


def quoted(identifier: str) -> str:
    """An SQL identifier, quoted: Chinese names, hyphens and reserved words survive."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


def constants(*values: str | int | datetime | None) -> str:
    """SQL constants, parted by commas.

    For what runs on every refresh: the first parameter that is bound in a process makes DuckDB import pandas,
    half a second to write one line into a ledger.
    """
    return ", ".join(_constant(value) for value in values)


def _constant(value: str | int | datetime | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return f"{literal(value.isoformat())}::timestamptz"
    return literal(value) if isinstance(value, str) else str(value).lower()  # a bool is an int too
