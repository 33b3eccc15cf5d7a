"""What `tieout metrics diff`, `approve` and `versions` do and print."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.cli.show import heading, table, text
from tieout.settings import Settings

if TYPE_CHECKING:
    from tieout.metrics.diff import MetricDiff, Movement, Side


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

    with tempfile.TemporaryDirectory(prefix="tieout-diff-") as place:
        folder = Path(place)
        old = folder_side(against) if against else side(settings.project, rev, folder / "old")
        new = side(settings.project, to, folder / "new")
        with working_copy(settings) as con:
            row = con.execute(
                "select definition_version from ops.certificate order by issued_at desc limit 1"
            ).fetchone()
        for one in (old, new):
            if rules := broken(one.definitions):
                _say(f"{one.name}: {rules}")
        warehouses = [settings.warehouse, settings.warehouse]
        files = sql_differs(old, new)
        if files and definitions_only:
            _say(f"other SQL differs, too, and was left aside: {_few(files)}")
        elif files:
            _say(f"other SQL differs: {_few(files)}")
            for number, one in enumerate((old, new)):
                if row is None or not _is_built(row[0], one):
                    _say(f"building {one.name} into a copy of the warehouse, about a minute …")
                    warehouses[number] = built(settings, one, folder / f"home{number}", _tick)
                    _say("")
        return compare(
            old, new, (warehouses[0], warehouses[1]), metrics=metrics, expectations=settings.expectations,
            progress=_tick,
        )  # fmt: skip


def _is_built(version: str, one: Side) -> bool:
    """Whether the warehouse was made by this very tree."""
    from tieout.fingerprint import definition_version

    return definition_version(one.tree) == version


def _few(files: Sequence[str]) -> str:
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    return ", ".join(files[:5]) + more


def _say(words: str) -> None:
    sys.stderr.write(("\r\x1b[2K" if sys.stderr.isatty() else "") + (f"{words}\n" if words else ""))


def _tick(words: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K  {words}"[:110])
        sys.stderr.flush()


def show(settings: Settings, found: list[MetricDiff], limit: Decimal, details: bool) -> int:
    """Print the differences; returns the exit code."""
    _say("")
    if not found:
        print("no published number moves")
        return 0
    table(
        ["owner", "metric", "change", "in words", "numbers", "moved", "most", "from", "to", "total of months"],
        [
            [
                item.owner, item.metric, item.kinds, item.error or item.words, item.numbers, len(item.movements),
                _place(item.largest), *_ends(item.largest), item.total,
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


def _place(most: Movement | None) -> str:
    return "" if most is None else " · ".join(filter(None, (most.period, most.member)))


def _ends(most: Movement | None) -> tuple[Decimal | None, Decimal | None]:
    return (most.before, most.after) if most else (None, None)


def _agreed(settings: Settings, item: MetricDiff) -> bool:
    """Whether the side that would take over is the version that was agreed to last, validly; other SQL is not."""
    from tieout.metrics.approve import approvers, history, invalid

    if item.status != "changed":
        return False
    entries = history(settings.dbt_project, item.metric)
    if not entries or entries[-1].version != item.new_version:
        return False
    trusted = approvers(settings.dbt_project)
    pairs = pairwise(entries)
    return len(entries) > 1 and not any(invalid(item.metric, was, now, trusted) for was, now in pairs)


# --- agreeing -------------------------------------------------------------------------------------


def approve_new(settings: Settings, by: str, reason: str) -> None:
    """Write first versions and say so."""
    from tieout.metrics.approve import first_versions
    from tieout.metrics.definitions import read_yaml

    definitions = read_yaml(settings.dbt_project / "models" / "metrics")
    written = first_versions(settings.dbt_project, definitions, by, _today(), reason)
    for name in written:
        print(f"first version: {name}")
    print(f"{len(written)} metrics got their first version; commit dbt_project/metric_versions")


def approve_changes(
    settings: Settings, metric: str | None, *, by: str, key: Path, reason: str, effective: date | None
) -> None:
    """Measure what moves between the committed definitions and the files, and sign for it.

    Raises: MetricError.
    """
    from tieout.metrics.approve import approve, history, measured
    from tieout.metrics.definitions import read_yaml

    definitions = read_yaml(settings.dbt_project / "models" / "metrics")
    if metric is not None:
        definitions.metric(metric)
    changed = [
        name
        for name in ([metric] if metric else sorted(definitions.metrics))
        if metric
        or (
            (entries := history(settings.dbt_project, name))
            and entries[-1].version != definitions.version(name)
        )
    ]
    moved = _since_agreed(settings, changed)
    for name in changed:
        item = moved.get(name) if moved is not None else None
        entry = approve(
            settings.dbt_project, definitions, name, by=by, key=key, reason=reason, today=_today(),
            movement=measured(item, _publish(settings)) if moved is not None else None, effective_from=effective,
        )  # fmt: skip
        most = item.largest if item else None
        known = f"{len(item.movements) if item else 0} numbers move" if moved is not None else "not measured"
        print(
            f"{name}: {entry.changed}; {known}"
            + (f", most in {_place(most)}: {text(most.before)} → {text(most.after)}" if most else "")
            + f"; version {entry.version} holds from {entry.effective_from}, signed by {by}"
        )
    print(f"{len(changed)} changes agreed to; commit dbt_project/metric_versions with the definitions")


def _since_agreed(settings: Settings, changed: list[str]) -> dict[str, MetricDiff] | None:
    """How far the metrics move from what was agreed to last; None if no revision holds that."""
    from tieout.metrics.approve import history
    from tieout.metrics.diff import revision_of

    wanted = {
        name: entries[-1].version for name in changed if (entries := history(settings.dbt_project, name))
    }
    if not wanted:
        return {}
    with tempfile.TemporaryDirectory(prefix="tieout-diff-") as folder:
        rev = revision_of(settings.project, wanted, Path(folder))
    if rev is None:
        _say("what was agreed to last is in no recent revision, so what moves is not measured")
        return None
    found = differences(settings, rev, None, None, changed, definitions_only=True)
    return {item.metric: item for item in found}


def _publish(settings: Settings) -> str:
    from tieout.cli.open import working_copy

    with working_copy(settings) as con:
        row = con.execute("select publish_id from ops.publish order by published_at desc limit 1").fetchone()
    return str(row[0]) if row else ""


def _today() -> date:
    return datetime.now(UTC).date()


def show_versions(settings: Settings, metric: str | None) -> None:
    """Print the history of one metric, or the last version of every one.

    Raises: MetricError for a name that does not exist.
    """
    from tieout.metrics.approve import folder, history
    from tieout.metrics.errors import unknown

    names = sorted(path.stem for path in folder(settings.dbt_project).glob("*.yaml"))
    if metric is not None and metric not in names:
        raise unknown("metric", metric, names)
    rows = []
    for name in [metric] if metric else names:
        entries = history(settings.dbt_project, name)
        for entry in entries if metric else entries[-1:]:
            largest = entry.movement.largest if entry.movement else None
            rows.append(
                [
                    name, entry.version, entry.effective_from, entry.changed, entry.movement.moved if entry.movement else None,
                    f"{largest.period} {largest.member}: {largest.before} → {largest.after}" if largest else "",
                    entry.approved_by, entry.reason, "signed" if entry.signature else "",
                ]
            )  # fmt: skip
    table(
        [
            "metric",
            "version",
            "effective from",
            "what changed",
            "numbers moved",
            "most",
            "agreed by",
            "reason",
            "",
        ],
        rows,
    )
