"""Which file a command reads, opened so that it never blocks a refresh for longer than the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieout.cli.errors import CommandError
from tieout.engine import OFFLINE, connect
from tieout.settings import Settings

if TYPE_CHECKING:
    import duckdb


def working_copy(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The warehouse file itself, read-only.

    Raises: CommandError if nothing was loaded yet, or a refresh is writing.
    """
    import duckdb

    if not settings.warehouse.is_file():
        raise CommandError(
            "nothing was loaded yet. Run `tieout demo` (sample company) or `tieout refresh` first."
        )
    try:
        return connect(settings.warehouse, read_only=True)
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        raise CommandError(
            "a refresh is writing the warehouse right now. Ask again when it has ended "
            "(`tieout query` and `tieout metric` read the last publish and never wait)."
        ) from None


def published(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The last published snapshot, locked down: no files, no network, no settings from SQL.

    Raises: CommandError if nothing was published yet.
    """
    import duckdb

    link = settings.snapshots / "current.duckdb"
    if not link.exists():
        raise CommandError(
            "nothing was published yet. Run `tieout demo` (sample company) or `tieout refresh` first."
        )
    config: dict[str, str | bool | int | float | list[str]] = {
        **OFFLINE,
        "enable_external_access": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
    }
    con = duckdb.connect(str(link.resolve()), read_only=True, config=config)
    con.execute("set timezone = 'UTC'")
    con.execute("set lock_configuration = true")
    return con
