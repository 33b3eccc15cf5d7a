"""`tieout prove …`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Proofs anyone can repeat on their own data.", no_args_is_help=True)


@app.callback()
def prove() -> None:
    """Proofs anyone can repeat on their own data."""


@app.command("replay")
def replay(
    landing: Annotated[
        Path | None, typer.Option(help="Replay this landing; without it, the one of this installation.")
    ] = None,
    raw_only: Annotated[
        bool, typer.Option("--raw-only", help="Raw tables and ledger only: no marts, seconds not minutes.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Variants that run at the same time.")] = 2,
) -> None:
    """Load the same batches in order, shuffled, doubled, and killed at every boundary; compare every table.

    Each variant has a warehouse of its own in a temporary folder. Compared are the content hashes of every raw
    table (with its past and history), of the loader's ledger, and of every mart, metric and identity table;
    the warehouse in use, which was loaded increment by increment, is compared too.

    Exit codes: 0 all are equal · 1 some differ (they are listed) · 3 a variant could not be run.
    """
    import tempfile
    import threading
    import time

    from tieout.cli.errors import CommandError
    from tieout.cli.show import Lines, table
    from tieout.proof import Proved, prove_replay, variants
    from tieout.settings import Settings, settings

    if landing is not None and not landing.is_dir():
        raise CommandError(f"{landing} is no folder. Nothing was proved.")
    began, progress, one = time.perf_counter(), Lines(), threading.Lock()
    with tempfile.TemporaryDirectory(prefix="tieout-proof-") as folder:
        asked = settings()
        if landing is not None:
            asked = Settings(home=Path(folder) / "given")
            asked.home.mkdir()
            asked.landing.symlink_to(landing.resolve(), target_is_directory=True)
        progress.start("prove", len(variants(1, raw_only=raw_only)) + 1 + (landing is None))

        def report(proved: Proved) -> None:
            with one:
                progress.advance(f"{proved.variant}: {proved.equal} of {proved.tables} equal")

        proved = prove_replay(asked, Path(folder), report, raw_only=raw_only, live=landing is None, jobs=jobs)
    compared, equal = sum(item.tables for item in proved[1:]), sum(item.equal for item in proved[1:])
    progress.end(f"{len(proved)} variants", ok=equal == compared)
    table(
        ["variant", "tables", "equal", "seconds"],
        [(item.variant, item.tables, item.equal, f"{item.seconds:.1f}") for item in proved],
        right=(3,),
    )
    for item in proved:
        for off in item.differences[:10]:
            print(f"  ✗ {item.variant}: {off.table} ({off.rows_held} rows, {off.rows_rebuilt} rows)")
        if len(item.differences) > 10:
            print(f"  ✗ {item.variant}: … and {len(item.differences) - 10} more")
    print(
        f"{equal:,} of {compared:,} tables equal in {len(proved) - 1} variants, {time.perf_counter() - began:.0f} s"
    )
    sys.exit(0 if equal == compared else 1)
