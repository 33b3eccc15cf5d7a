"""`tieout profile`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def profile(
    paths: Annotated[
        list[Path], typer.Argument(help="Recorded answers (JSON, JSON lines, XML, HAR), files, or folders.")
    ],
    out: Annotated[
        str | None,
        typer.Option(help="File to write the contract to; - prints it (the report then goes to stderr)."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the source: lower-case ASCII; writes sources/NAME/source.yaml."),
    ] = None,
    door: Annotated[
        str | None,
        typer.Option(
            help="How it will be read: http or files. JSON and XML may be either; http if not said."
        ),
    ] = None,
    owner: Annotated[str, typer.Option(help="Who answers for the system.")] = "data",
) -> None:
    """Look at recorded data of an interface without documentation, and draft its contract.

    Finds where the rows are (lists inside become streams of their own), types, keys, code lists, units, currency,
    tax, times as numbers, local dates, personal data, pointers between objects, cursors and paging; each with
    its confidence and reason. Only samples are looked at. What a browser recorded (HAR: network tab, "save all as
    HAR") may hold passwords and tokens: they are neither printed nor written. Nothing that exists is overwritten.

    \b
    tieout profile answers/                              report only
    tieout profile tms.har --name tms                    report, and sources/tms/source.yaml
    tieout profile 发货-*.xlsx 客户.csv --name wms --out -  the contract on stdout, the report on stderr
    """
    from tieout.cli.errors import CommandError
    from tieout.ingest.profiling import profile as look
    from tieout.ingest.profiling.contract import draft_profile
    from tieout.ingest.profiling.report import report
    from tieout.settings import settings

    kind = next((item for item in ("http", "files") if item == door), None)
    if door is not None and kind is None:
        raise CommandError(f"--door {door}: use http or files. Nothing was profiled.")
    target = None
    if out != "-" and (out or name):
        target = Path(out) if out else settings().sources / str(name) / "source.yaml"
        if target.exists():
            raise CommandError(
                f"{target} exists, and people may have worked on it. Nothing was profiled. "
                f"Write elsewhere (--out new.yaml, or --out - to look) and compare."
            )
    found = look(paths)
    typer.echo(report(found), err=out == "-")
    if out is None and name is None:
        typer.echo("For a contract: --name NAME writes sources/NAME/source.yaml, --out FILE another file.")
        return
    made = draft_profile(found, name or "profiled", kind, owner)
    for note in made.notes:
        if note not in found.notes:
            typer.echo(f"note: {note}", err=True)
    if target is None:
        typer.echo(made.text, nl=False)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(made.text, encoding="utf-8")
    part.replace(target)
    typer.echo(
        f"{target}: {made.streams} streams, {made.columns} columns, all guessed. Read it, then run: tieout sync"
    )
