"""`tieout source …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Connect a system: draft its contract from what its database says of itself.")


@app.callback()
def source() -> None:
    """Connect a system: draft its contract from what its database says of itself."""


@app.command("draft")
def draft(
    name: Annotated[str, typer.Argument(help="Name of the source: lower-case ASCII, such as erp.")],
    connector: Annotated[str, typer.Option(help="postgres, mysql (MariaDB too) or sqlite.")],
    dsn: Annotated[
        str | None,
        typer.Option(
            help="Reference to the connection: env:NAME, file:PATH or secret:NAME. Never the password itself."
        ),
    ] = None,
    path: Annotated[str | None, typer.Option(help="SQLite: the file, or a reference to it.")] = None,
    schema: Annotated[
        str | None,
        typer.Option(help="Schema to read (PostgreSQL: public; MySQL: the connection's database)."),
    ] = None,
    tables: Annotated[
        str,
        typer.Option(help="Tables, separated by commas; % stands for any characters. Views by full name."),
    ] = "%",
    out: Annotated[
        str | None, typer.Option(help="File to write; - prints. Without it sources/NAME/source.yaml.")
    ] = None,
    module: Annotated[str, typer.Option(help="Business module, such as finance.")] = "general",
    owner: Annotated[str, typer.Option(help="Who answers for the system.")] = "data",
    title: Annotated[str | None, typer.Option(help="Title of the system, Chinese/English.")] = None,
) -> None:
    """Write a complete contract from a database's catalogue and a look at its rows (read-only).

    Every table becomes a stream that works at once: key, types, required columns, control totals asked of the
    database itself. Names become ASCII, the originals stay in `from`. What only people know is proposed with a
    remark: read it, then run `tieout sync` and `tieout refresh`. Nothing that exists is overwritten.

    \b
    tieout source draft erp --connector postgres --dsn env:ERP_DSN
    tieout source draft erp --connector postgres --dsn env:ERP_DSN --tables 'sale_%,party_party' --out -
    tieout source draft wms --connector mysql --dsn secret:wms_dsn --owner logistics --title 仓储/Warehouse
    tieout source draft pos --connector sqlite --path /data/pos.db
    """
    from tieout.cli.errors import CommandError
    from tieout.ingest.drafting import DRAFTED, Wanted
    from tieout.ingest.drafting import draft as make
    from tieout.settings import settings

    kind = next((item for item in DRAFTED if item == connector), None)
    if kind is None:
        raise CommandError(f"--connector {connector}: use one of {', '.join(DRAFTED)}. Nothing was drafted.")
    place = path if kind == "sqlite" else dsn
    if place is None:
        raise CommandError(f"{kind} needs {'--path' if kind == 'sqlite' else '--dsn'}. Nothing was drafted.")
    target = None if out == "-" else Path(out) if out else settings().sources / name / "source.yaml"
    if target is not None and target.exists():
        raise CommandError(
            f"{target} exists, and people may have worked on it. Nothing was drafted. "
            f"Draft elsewhere (--out new.yaml, or --out - to look) and compare."
        )
    zh, _, en = (title or "").partition("/")
    made = make(
        Wanted(
            name=name,
            connector=kind,
            place=place,
            schema=schema,
            tables=tuple(item.strip() for item in tables.split(",") if item.strip()),
            module=module,
            owner=owner,
            title_zh=zh or None,
            title_en=en or zh or None,
        )
    )
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    if target is None:
        typer.echo(made.text, nl=False)
        return
    _write(target, made.text)
    typer.echo(
        f"{target}: {made.streams} streams, {made.columns} columns. Read it, then run: tieout sync, tieout refresh"
    )


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)
