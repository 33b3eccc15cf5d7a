"""`tieout query`"""

from __future__ import annotations

from typing import Annotated

import typer


def query(
    sql: Annotated[
        str, typer.Argument(help="One SELECT in DuckDB's SQL, over marts.*, metrics.* and publish.")
    ],
    csv: Annotated[bool, typer.Option(help="Print CSV with full precision instead of a table.")] = False,
    warehouse: Annotated[
        bool,
        typer.Option(help="Ask the working copy (raw_*, staging, tie, ops) instead of the last publish."),
    ] = False,
    limit: Annotated[int, typer.Option(help="Rows to print; 0 prints all.")] = 200,
) -> None:
    """Ask SQL of what was last published. Reads a snapshot file: never waits for a refresh, never disturbs one.

    \b
    tieout query "select * from metrics.metric_catalog"
    tieout query "from marts.fct_sales_order_line limit 5"
    tieout query --warehouse "select * from ops.batch order by loaded_at desc"
    tieout query --warehouse "select * from ops.quarantine"
    """
    import duckdb

    from tieout.cli.errors import CommandError
    from tieout.cli.open import published, working_copy
    from tieout.cli.show import csv_rows, table
    from tieout.settings import settings

    with working_copy(settings()) if warehouse else published(settings()) as con:
        try:
            cursor = con.execute(sql)
            names = [item[0] for item in cursor.description or []]
            rows = cursor.fetchmany(limit + 1) if limit else cursor.fetchall()
        except duckdb.Error as error:
            raise CommandError(str(error)) from None
    cut = bool(limit) and len(rows) > limit
    (csv_rows if csv else table)(names, rows[:limit] if cut else rows)
    if cut:
        typer.echo(f"… cut after {limit} rows; --limit 0 prints all", err=True)
