"""How commands print: tables for people, CSV for pipes, one progress line a step."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal


class Lines:
    """Progress as one line a step; on a terminal the line counts while the step runs."""

    def __init__(self) -> None:
        self._step = ""
        self._total: int | None = None
        self._done = 0
        self._started = 0.0
        self._warnings: list[str] = []
        self._live = sys.stderr.isatty()

    def start(self, step: str, total: int | None = None) -> None:
        self._step, self._total, self._done = step, total, 0
        self._started = time.perf_counter()
        self._draw("…")

    def advance(self, text: str = "") -> None:
        self._done += 1
        self._draw(text)

    def end(self, summary: str, *, ok: bool = True) -> None:
        seconds = time.perf_counter() - self._started
        if self._live:
            sys.stderr.write("\r\x1b[2K")
        mark = "✓" if ok else "✗"
        sys.stderr.write(f"{mark} {self._step:<10} {summary} ({seconds:.1f} s)\n")
        for warning in self._warnings:
            sys.stderr.write(f"    ! {warning}\n")
        self._warnings.clear()
        self._step = ""
        sys.stderr.flush()

    def warn(self, text: str) -> None:
        if self._step:
            self._warnings.append(text)
        else:
            sys.stderr.write(f"    ! {text}\n")

    def _draw(self, text: str) -> None:
        if self._live:
            count = f"{self._done}/{self._total}" if self._total else f"{self._done}" if self._done else ""
            sys.stderr.write(f"\r\x1b[2K  {self._step:<10} {count} {text}"[:110])
            sys.stderr.flush()


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", right: Sequence[int] = ()
) -> None:
    """Print rows as a table; numbers are right-aligned."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    numeric = {
        place
        for place in range(len(columns))
        if place in right
        or (rows and all(row[place] is None or isinstance(row[place], int | float | Decimal) for row in rows))
    }
    grid = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold", box=None)
    for place, column in enumerate(columns):
        grid.add_column(column, justify="right" if place in numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(text(value)) for value in row))
    # Without a terminal nothing may be cut: a script or a log reads it.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    with console.capture() as printed:
        console.print(grid)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as CSV, with full precision."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)


def text(value: object) -> str:
    """A value as people read it: thousands separated, instants to the second."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        whole, point, digits = f"{value:,f}".partition(".")
        return whole + point + digits.rstrip("0").ljust(min(2, len(digits)), "0")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def heading(words: str) -> None:
    """A line that begins a part of the page."""
    print(f"\n\x1b[1m{words}\x1b[0m" if sys.stdout.isatty() else f"\n{words}")
