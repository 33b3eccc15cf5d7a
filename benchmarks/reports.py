"""What it costs to explain a department's report of fifty figures, against a report of one.

    .venv/bin/python benchmarks/reports.py HOME      # a home with a published sample group (`tieout demo`)

The figures are booked orders net of tax, of three companies and two months, eight claims each: the true figure, and the
figure as it comes out with another cut-off, ten times too large, with tax, in ten thousands, in the document's currency, with
an amount nobody knows, and the true one again. True figures are asked of the mart itself. CPU is user + system of a process of
its own, the import of the product and opening the snapshot included.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
CENT = Decimal("0.01")
FIGURES = """
    with line as (
        from marts.fct_sales_order_line
        where is_booked and order_date between ?::date and last_day(?::date) and company_code = ?
    )
    select
        coalesce(sum(order_amount_net_cny), 0),
        coalesce(sum(order_amount_net_cny) filter (order_date <= last_day(order_date) - 2), 0),
        coalesce(sum(order_amount_gross_txn), 0)
    from line
"""


def claims(home: Path) -> list[tuple[str, str, str, object]]:
    """label, month, company, figure as handed in; 48 of them"""
    made: list[tuple[str, str, str, object]] = []
    with duckdb.connect(home / "snapshots" / "current.duckdb", read_only=True) as con:
        for month in ("2025-10", "2025-11"):
            for company in ("HX", "HC", "HCE"):
                day = f"{month}-01"
                true, early, gross = con.execute(FIGURES, [day, day, company]).fetchone() or ()
                with_tax, wan = (true * Decimal("1.13")).quantize(CENT), (true / 10_000).quantize(CENT)
                made += [
                    ("销售订单额（不含税）", month, company, figure)
                    for figure in (
                        true,
                        early,
                        true * 10,
                        with_tax,
                        f"{wan}万",
                        gross,
                        true + CENT * 37,
                        true,
                    )
                ]
    return made


def explained(home: Path, rows: list[tuple[str, str, str, object]]) -> tuple[float, float]:
    """CPU and wall seconds of `tieout report check` on these claims."""
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as folder:
        file = Path(folder) / "report.csv"
        with file.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("指标", "期间", "公司", "数值"), *rows])
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "tieout.cli", "report", "check", str(file)],
            cwd=PROJECT, capture_output=True, text=True, env={"TIEOUT_HOME": str(home), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if f"{len(rows)} figures" not in done.stdout.replace("1 figure ", "1 figures "):
        raise SystemExit(f"the report was not read:\n{done.stdout}{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("home", type=Path)
    home = said.parse_args().home.resolve()
    rows = claims(home)
    one, fifty = explained(home, rows[1:2]), explained(home, rows)
    print(f"one figure that differs: {one[0]:.1f} CPU s, {one[1]:.1f} s")
    print(f"{len(rows)} figures of three companies and two months: {fifty[0]:.1f} CPU s, {fifty[1]:.1f} s")
    print(f"{fifty[0] / one[0]:.1f} times the CPU of one")


if __name__ == "__main__":
    main()
