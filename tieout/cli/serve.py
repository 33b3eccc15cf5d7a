"""`tieout serve`"""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    port: Annotated[
        int | None, typer.Option(help="TLS port to listen on (TIEOUT_SQL_PORT, default 5439).")
    ] = None,
) -> None:
    """Open the SQL door: a PostgreSQL over TLS with the last publish, for psql and BI tools. Ctrl-C closes it.

    Prints, for every login, the connection and where its password lies. A refresh may run and publish
    while the door is open; nobody is disconnected.
    """
    from dataclasses import replace

    from tieout.doors.door import open_door
    from tieout.settings import settings

    here = settings() if port is None else replace(settings(), sql_port=port)
    open_door(here).serve()
