"""`tieout serve`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tieout.settings import Settings

if TYPE_CHECKING:
    from tieout.doors.tls import TlsFront


def serve(
    port: Annotated[
        int | None, typer.Option(help="TLS port to listen on (TIEOUT_SQL_PORT, default 5439).")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
) -> None:
    """Open the SQL door: a PostgreSQL over TLS with the last publish, for psql and BI tools. Ctrl-C closes it.

    Prints, for every login, how to connect and where its password lies. A refresh may run and publish
    while the door is open; nobody is disconnected.
    """
    import asyncio

    from tieout.cli.errors import CommandError
    from tieout.doors.door import DATABASE, Embedded
    from tieout.doors.tls import TlsFront, certificates
    from tieout.settings import settings

    here = settings()
    if here.postgres_dsn:
        raise CommandError(
            "TIEOUT_POSTGRES_DSN names a PostgreSQL of your own, and it serves its clients itself. "
            f"Connect to its database with the logins in {here.home / 'secrets' / 'logins.json'}."
        )
    names = () if host in ("127.0.0.1", "localhost", "0.0.0.0") else (host,)
    with Embedded(here).server.running() as server:
        server.create_database(DATABASE)
        front = TlsFront(
            lambda: ("127.0.0.1", server.port),
            certificates(here.home / "tls", names),
            host=host,
            port=here.sql_port if port is None else port,
            log_file=here.logs / "door.jsonl",
        )
        try:
            asyncio.run(front.serve(opened=lambda: _say(front, here)))
        except OSError as error:
            raise CommandError(
                f"port {front.port} cannot be opened: {error.strerror}. Choose another with --port."
            ) from None


def _say(front: TlsFront, settings: Settings) -> None:
    from tieout.cli.show import table
    from tieout.doors.door import DATABASE, access_of

    access = access_of(settings)
    passwords = settings.home / "secrets" / "logins.json"
    where = (
        f"host=127.0.0.1 port={front.port} dbname={DATABASE} sslmode=verify-full sslrootcert={front.files.ca}"
    )
    print(f"the SQL door is open on port {front.port} (TLS only); Ctrl-C closes it\n")
    table(
        ["login", "role", "sees"],
        [
            (name, role, f"{access.roles[role].title.zh} / {access.roles[role].title.en}")
            for name, role in access.logins.items()
        ],
    )
    print(f"\npasswords  {passwords}")
    print(f'psql       psql "{where} user=bi_sales"')
    print(
        f"JDBC       jdbc:postgresql://127.0.0.1:{front.port}/{DATABASE}?sslmode=verify-full&sslrootcert={front.files.ca}"
    )
    print("try        select * from metrics.metric_catalog;  \\d marts.*", flush=True)
