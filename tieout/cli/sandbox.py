"""`tieout sandbox …`: the made-up company 华辰精工 of this installation, as programs of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from tieout.settings import Settings

app = typer.Typer(
    help="华辰精工, the sample company with every vendor's system: build it, plant faults into it, mend it.",
    no_args_is_help=True,
)


@app.callback()
def sandbox() -> None:
    """华辰精工, the sample company with every vendor's system: build it, plant faults into it, mend it.

    \b
    tieout sandbox plant mix     one fault of every kind, each with a key in answers/faults.json
    tieout refresh               what does the platform notice?
    tieout sandbox mend          take them all away again
    """


@app.command()
def build(
    scale: Annotated[int, typer.Option(min=1, help="How many times the business of the smallest.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 2026,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="The last day that is known, such as 2025-06-30; without it, the end."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write everything again; faults are gone.")] = False,
) -> None:
    """Write what every system holds, and the answer key. The same seed and scale give the same company.

    `tieout demo` does this by itself; a second build finds everything in place.

    \b
    tieout sandbox build --until 2025-07-31      the same company a month later: then `tieout refresh`
    """
    known = ["--until", until] if until else []
    forced = ["--force"] if force else []
    _run_with_mes("build", "--scale", str(scale), "--seed", str(seed), *known, *forced)


@app.command()
def plant(
    kind: Annotated[
        str, typer.Argument(help="A kind that `tieout sandbox faults` lists, or mix: some of every kind.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many (of each kind in a mix).")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed takes other rows.")] = 1,
    overlap: Annotated[
        bool,
        typer.Option(
            "--overlap", help="Rather take rows that an earlier fault has changed: several faults on one key."
        ),
    ] = False,
) -> None:
    """Put faults into what the systems show; what truly happened, and its totals, stay.

    The key of each fault (every row and field, true and shown value, period, amount at stake) is added to
    answers/faults.json. The same seed on the same build plants the same. Times of change stay as they were,
    so a stream that is pulled in increments shows a fault after `tieout backfill` over the fault's period.

    \b
    tieout sandbox plant paid-twice
    tieout sandbox plant wrong-amount --count 5 --seed 7
    tieout sandbox plant mix
    """
    _run("plant", kind, "--count", str(count), "--seed", str(seed), *(["--overlap"] if overlap else []))


@app.command()
def faults() -> None:
    """Every kind of fault in one line, and those that are planted now."""
    _run("faults")


@app.command()
def mend() -> None:
    """Take every planted fault away: the company is built anew with its seed and scale."""
    _run_with_mes("mend")


@app.command()
def where() -> None:
    """Where the company's systems, databases, files and answers lie."""
    from tieout.cli.company import huachen
    from tieout.settings import settings

    folder = huachen(settings())
    if not (folder / "doors.env").is_file():
        print(f"{folder}: not built yet. Next: tieout sandbox build")
        return
    for part, words in (
        ("systems", "what the emulated vendors' systems hold, one SQLite file each"),
        ("databases", "databases that are reached as databases"),
        ("drops", "files that offices drop"),
        ("answers", "the answer key and the keys of planted faults; the platform never reads it"),
        ("doors.env", "addresses and secrets"),
    ):
        print(f"{folder / part}\n    {words}")


def _run_with_mes(*arguments: str) -> None:
    """A run that writes the MES, too, which lies in the PostgreSQL of the sample group."""
    from tieout.cli.company import doors
    from tieout.doors.server import PostgresServer
    from tieout.settings import settings

    with PostgresServer(doors(settings()) / "postgres").running() as server:
        _run(*arguments, "--postgres", "env:ADMIN", ADMIN=server.superuser_dsn())


def _run(command: str, *arguments: str, **env: str) -> None:
    """The company's own program, which knows nothing of the platform, nor the platform of it; it speaks for itself."""
    from tieout.settings import settings

    done = subprocess.run(_command(settings(), command, *arguments), env={**os.environ, **env}, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


def _command(settings: Settings, command: str, *arguments: str) -> list[str]:
    from tieout.cli.company import huachen

    return [sys.executable, "-m", "sandbox.huachen", command, *arguments, "--doors", str(huachen(settings))]
