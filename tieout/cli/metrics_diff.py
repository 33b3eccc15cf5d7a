"""What `tieout metrics diff` does and prints."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.cli.show import heading, table, text
from tieout.settings import Settings

if TYPE_CHECKING:
    from tieout.metrics.diff import MetricDiff, Movement


def differences(
    settings: Settings,
    rev: str | None,
    to: str | None,
    against: Path | None,
    metrics: Sequence[str] = (),
    definitions_only: bool = False,
) -> list[MetricDiff]:
    """Compare two sets of definitions on the warehouse; SQL that differs is built into copies, unless left aside.

    Raises: MetricError, TransformError.
    """
    from tieout.cli.open import working_copy
    from tieout.metrics.diff import broken, built, compare, folder_side, side, sql_differs

    with tempfile.TemporaryDirectory(prefix="tieout-diff-") as unpacked:
        folder = Path(unpacked)
        old = folder_side(against) if against else side(settings.project, rev, folder / "old")
        new = side(settings.project, to, folder / "new")
        with working_copy(settings) as con:
            row = con.execute(
                "select definition_version from ops.certificate order by issued_at desc limit 1"
            ).fetchone()
        for one in (old, new):
            if rules := broken(one.definitions):
                say(f"{one.name}: {rules}")
        warehouses = [settings.warehouse, settings.warehouse]
        files = sql_differs(old, new)
        if files and definitions_only:
            say(f"other SQL differs, too, and was left aside: {_few(files)}")
        elif files:
            say(f"other SQL differs: {_few(files)}")
            for number, one in enumerate((old, new)):
                if row is None or not is_built(row[0], one.tree):
                    say(f"building {one.name} into a copy of the warehouse, about a minute …")
                    warehouses[number] = built(settings, one, folder / f"home{number}", _tick)
                    say("")
        return compare(
            old, new, (warehouses[0], warehouses[1]), metrics=metrics, expectations=settings.expectations,
            progress=_tick,
        )  # fmt: skip


def is_built(version: str, tree: Path) -> bool:
    """Whether a warehouse of this definition version was made by this very tree."""
    from tieout.fingerprint import definition_version

    return definition_version(tree) == version


def _few(files: Sequence[str]) -> str:
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    return ", ".join(files[:5]) + more


def say(words: str) -> None:
    """Words beside the answer, on stderr."""
    sys.stderr.write(("\r\x1b[2K" if sys.stderr.isatty() else "") + (f"{words}\n" if words else ""))


def _tick(words: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K  {words}"[:110])
        sys.stderr.flush()


def show(settings: Settings, found: list[MetricDiff], limit: Decimal, details: bool) -> int:
    """Print the differences; returns the exit code."""
    say("")
    if not found:
        print("no published number moves")
        return 0
    table(
        ["owner", "metric", "change", "in words", "numbers", "moved", "most", "from", "to", "total of months"],
        [
            [
                item.owner, item.metric, item.kinds, item.error or item.words, item.numbers, len(item.movements),
                place(item.largest), *ends(item.largest), item.total,
            ]
            for item in found
        ],
    )  # fmt: skip
    for item in found:
        if item.touches:
            print(f"{item.metric} is read by: {', '.join(item.touches)}")
    if details:
        for item in found:
            _details(item)
    moved = [item for item in found if any(abs(one.amount) > limit for one in item.movements)]
    waiting = [item for item in moved if not _agreed(settings, item)]
    owners = sorted({item.owner for item in moved})
    print(
        f"\n{len(moved)} metrics of {', '.join(owners) or 'nobody'} move by more than {text(limit)};"
        f" {len(waiting)} without an approval"
    )
    if any(item.error for item in found):
        return 3
    for item in waiting:
        print(f"  {item.metric}: `tieout metrics approve {item.metric} --by NAME --reason …`")
    return 1 if waiting else 0


def _details(item: MetricDiff) -> None:
    heading(f"{item.metric} · {item.words}")
    for change in item.changes:
        print(f"  {change.kind}: {change.words}")
    by_total = sorted({one.dim_set for one in item.movements}, key=lambda name: (name != "all", name))
    for dim_set in by_total:
        rows = [one for one in item.movements if one.dim_set == dim_set]
        rows.sort(key=lambda one: (one.period == "all", one.period, one.member))
        shown = rows if dim_set == "all" else sorted(rows, key=lambda one: -abs(one.amount))[:12]
        table(
            ["period", "member", "before", "after", "moves"],
            [[one.period, one.member, one.before, one.after, one.amount] for one in shown],
            title=f"by {dim_set}: {len(shown)} of {len(rows)}",
        )


def place(most: Movement | None) -> str:
    """Month and member of a movement."""
    return "" if most is None else " · ".join(filter(None, (most.period, most.member)))


def ends(most: Movement | None) -> tuple[Decimal | None, Decimal | None]:
    """Before and after."""
    return (most.before, most.after) if most else (None, None)


def _agreed(settings: Settings, item: MetricDiff) -> bool:
    """Whether what would take over was agreed to last, validly: the definition; of other SQL, the numbers."""
    from tieout.metrics.approve import approvers, history, invalid

    entries = history(settings.dbt_project, item.metric)
    if len(entries) < 2 or entries[-1].version != item.new_version:
        return False
    if item.status != "changed" and not (item.status == "data" and _kept(settings, item)):
        return False
    trusted = approvers(settings.dbt_project)
    return not any(invalid(item.metric, was, now, trusted) for was, now in pairwise(entries))


def _kept(settings: Settings, item: MetricDiff) -> bool:
    """Whether the numbers that moved are, where they went to, those the last version answers for."""
    from tieout.metrics import agreed_numbers
    from tieout.metrics.approve import history

    last, kept = (
        history(settings.dbt_project, item.metric)[-1],
        agreed_numbers.read(settings.dbt_project, item.metric),
    )
    if kept is None or last.numbers is None or last.numbers.digest != kept.digest:
        return False
    now = {agreed_numbers.spot(*cell): value for cell, value in kept.cells.items()}
    went = [
        one for one in item.movements if one.dim_set == (",".join(kept.by) or "all") and one.period != "all"
    ]
    return bool(went) and all(now.get((one.period, one.member)) == one.after for one in went)
