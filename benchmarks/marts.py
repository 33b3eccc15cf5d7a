"""What the largest fact costs to build as it grows, against a bare `create table as select` of what comes out.

The vouchers of Kingdee in a demo's warehouse are repeated, every copy with ids of its own, so keys, joins and windows meet as many documents as rows ask for.
Each size runs in a process of its own: dbt builds the fact with its tests, then the same rows are only copied.

    .venv/bin/python benchmarks/marts.py HOME [rows …]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, copytree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tieout.engine import connect
from tieout.memory import peak_memory
from tieout.settings import PROJECT, Settings


@dataclass(frozen=True)
class Fact:
    """A fact, the raw table behind most of its rows, and what in that table is other in every copy."""

    name: str
    raw: str
    ids: str


FACTS = (
    Fact(
        "fct_ledger_entry_line",
        "raw_hc_kingdee.gl_voucher_line",
        "voucher_id + copy * 1_000_000_000 as voucher_id, line_id + copy * 1_000_000_000 as line_id",
    ),
)


def main(home: Path, sizes: list[int]) -> None:
    print(
        "| fact | rows | build with tests, s (CPU) | bare copy, s (CPU) | ÷ bare | peak MB |\n|---|---|---|---|---|---|"
    )
    for fact in FACTS:
        for size in sizes:
            with tempfile.TemporaryDirectory(prefix="tieout-marts-") as folder:
                there = Path(folder)
                copyfile(home / "warehouse.duckdb", there / "warehouse.duckdb")
                copytree(home / "dbt", there / "dbt")
                command = [sys.executable, __file__, "one", folder, fact.name, str(size)]
                subprocess.run(command, check=True, cwd=PROJECT)


def one(home: Path, fact: Fact, size: int) -> None:
    """Blow up, build, copy; one line of the table."""
    from tieout.transform import dbt

    settings = Settings(home)
    _repeat(settings, fact, size)
    dbt.preload()
    wall, cpu = _timed(lambda: dbt.build(settings, lambda node: None, select=fact.name))
    peak = peak_memory()
    with connect(settings.warehouse) as con:
        rows = con.execute(f"select count(*) from marts.{fact.name}").fetchall()[0][0]
        bare, bare_cpu = _timed(
            lambda: con.execute(f"create table bare as select * from marts.{fact.name}; checkpoint")
        )
    print(
        f"| `{fact.name}` | {rows:,} | {wall:.1f} ({cpu:.1f}) | {bare:.1f} ({bare_cpu:.1f}) | {wall / bare:.1f} | {peak:,.0f} |",
        flush=True,
    )


def _repeat(settings: Settings, fact: Fact, size: int) -> None:
    history = f"{fact.raw}__history"
    with connect(settings.warehouse) as con:
        held = con.execute(f"select count(*) from {history}").fetchall()[0][0]
        copies = max(1, round(size / held))
        con.execute(
            f"insert into {history} select * exclude (copy) replace ({fact.ids})"
            f" from {history}, range(1, {copies}) as copies (copy)"
        )
        con.execute("checkpoint")


def _timed(work) -> tuple[float, float]:
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


if __name__ == "__main__":
    if sys.argv[1] == "one":
        one(Path(sys.argv[2]), next(fact for fact in FACTS if fact.name == sys.argv[3]), int(sys.argv[4]))
    else:
        main(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]] or [1_000_000, 10_000_000])
