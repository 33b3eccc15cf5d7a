"""What `tieout metrics approve`, `numbers` and `versions` do and print."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.cli.metrics_diff import differences, ends, is_built, place, say
from tieout.cli.show import table, text
from tieout.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tieout.metrics.agreed_numbers import Moved, Numbers, Said
    from tieout.metrics.approve import Entry
    from tieout.metrics.definitions import Definitions
    from tieout.metrics.diff import MetricDiff


def approve_new(settings: Settings, by: str, reason: str) -> None:
    """Write first versions and say so."""
    from tieout.metrics.approve import first_versions

    written = first_versions(settings.dbt_project, _definitions(settings), by, _today(), reason)
    for name in written:
        print(f"first version: {name}")
    print(f"{len(written)} metrics got their first version; commit dbt_project/metric_versions")


def approve_changes(
    settings: Settings, metric: str | None, *, by: str, key: Path, reason: str, effective: date | None
) -> None:
    """Measure what moves since what was agreed to last, and sign for it: one metric, or all the signer speaks for.

    Raises: MetricError.
    """
    from tieout.metrics.approve import approve, approvers, history, measured

    definitions = _definitions(settings)
    if metric is not None:
        definitions.metric(metric)
    now = _said(settings)
    kept = _kept(settings, definitions, now)
    below = {item.metric: item for item in _moved(settings, definitions, kept, now)}
    edited = [
        name
        for name in sorted(definitions.metrics)
        if (entries := history(settings.dbt_project, name))
        and entries[-1].version != definitions.version(name)
    ]
    changed = [metric] if metric else sorted({*edited, *below})
    speaks = approvers(settings.dbt_project).get(by)
    left = [
        name
        for name in changed
        if metric is None
        and speaks is not None
        and not {"*", _last(settings, name).owner} & set(speaks.owners)
    ]
    changed = [name for name in changed if name not in left]
    unmeasured = [name for name in changed if name in edited and name not in below]
    since = _since_agreed(settings, unmeasured) if unmeasured else {}
    if unmeasured and now is None:
        say("the warehouse was not made by these files, so their numbers are not kept: "
            "`tieout refresh` first, and one approval is enough for both")  # fmt: skip
    for name in changed:
        known = name in below or since is not None
        item: MetricDiff | None = below.get(name) or (since or {}).get(name)
        entry = approve(
            settings.dbt_project, definitions, name, by=by, key=key, reason=reason, today=_today(),
            movement=measured(item, _publish(settings)) if known else None,
            # kept with the version are numbers of the data that are kept of it: nobody's own by accident
            numbers=now.of(name, kept[name]) if now is not None and name in kept else None, effective_from=effective,
        )  # fmt: skip
        most = item.largest if item else None
        words = f"{len(item.movements) if item else 0} numbers move" if known else "not measured"
        print(
            f"{name}: {entry.changed}; {words}"
            + (f", most in {place(most)}: {text(most.before)} → {text(most.after)}" if most else "")
            + f"; version {entry.version} holds from {entry.effective_from}, signed by {by}"
        )
    print(f"{len(changed)} changes agreed to; commit dbt_project/metric_versions with what they are about")
    if left:
        print(
            f"{len(left)} wait for others: {', '.join(f'{name} ({_last(settings, name).owner})' for name in left)}"
        )


def _last(settings: Settings, name: str) -> Entry:
    from tieout.metrics.approve import history

    return history(settings.dbt_project, name)[-1]


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
        say("what was agreed to last is in no recent revision, so what moves is not measured")
        return None
    found = differences(settings, rev, None, None, changed, definitions_only=True)
    return {item.metric: item for item in found}


def _publish(settings: Settings) -> str:
    from tieout.cli.open import working_copy

    with working_copy(settings) as con:
        row = con.execute("select publish_id from ops.publish order by published_at desc limit 1").fetchone()
    return str(row[0]) if row else ""


def _definitions(settings: Settings) -> Definitions:
    from tieout.metrics.definitions import read_yaml

    return read_yaml(settings.dbt_project / "models" / "metrics")


def _today() -> date:
    return datetime.now(UTC).date()


# --- numbers --------------------------------------------------------------------------------------


def show_numbers(settings: Settings, metric: str | None, *, keep: bool, limit: Decimal) -> int:
    """Compare the warehouse with the numbers that were agreed to, print what moved; returns the exit code.

    Raises: MetricError.
    """
    from tieout.metrics import agreed_numbers
    from tieout.metrics.approve import keep as keep_one

    definitions = _definitions(settings)
    if metric is not None:
        definitions.metric(metric)
    now = _said(settings)
    if now is None:
        raise agreed_numbers.NumbersError(
            "the warehouse was not made by these files. `tieout refresh` first. Nothing was compared."
        )
    names = [metric] if metric else sorted(definitions.metrics)
    if keep:
        there = _kept(settings, definitions, now)
        fresh = [name for name in names if name in now.metrics and name not in there]
        for name in fresh:
            keep_one(settings.dbt_project, name, now.metrics[name])
        print(f"numbers of {len(fresh)} metrics kept; commit dbt_project/metric_versions")
    kept = {name: was for name, was in _kept(settings, definitions, now).items() if name in names}
    if not kept:
        raise agreed_numbers.NumbersError(
            "the numbers that are kept are of other data than this warehouse holds. Nothing was compared. "
            "To compare with from now on: `tieout metrics numbers --keep`."
        )
    moved = _moved(settings, definitions, kept, now)
    _print_moved(moved, month_by_month=metric is not None)
    above = [item for item in moved if item.others or any(abs(one.amount) > limit for one in item.movements)]
    missing = [name for name in names if name not in kept]
    if missing:
        print(f"{len(missing)} not compared, kept of other data or not at all: {', '.join(missing[:8])}")
    print(
        f"{len(kept) - len(moved)} of {len(kept)} metrics say the numbers that were agreed to"
        f" ({sum(len(was.cells) for was in kept.values()):,} of them, of data {now.data})"
    )
    for item in above:
        print(f"  {item.metric} ({item.owner}): `tieout metrics approve {item.metric} --by NAME --reason …`")
    return 1 if above else 0


def _said(settings: Settings) -> Said | None:
    """What the warehouse says of every metric; None if other files made it."""
    from tieout.cli.open import working_copy
    from tieout.metrics import agreed_numbers

    if not settings.warehouse.is_file():
        return None
    with working_copy(settings) as con:
        row = con.execute(
            "select definition_version from ops.certificate order by issued_at desc limit 1"
        ).fetchone()
        if row is None or not is_built(row[0], settings.project):
            return None
        return agreed_numbers.said(con)


def _kept(settings: Settings, definitions: Definitions, now: Said | None) -> dict[str, Numbers]:
    """Kept numbers by metric, as far as they are of the data the warehouse holds."""
    from tieout.metrics import agreed_numbers

    found = {name: agreed_numbers.read(settings.dbt_project, name) for name in sorted(definitions.metrics)}
    return {
        name: was
        for name, was in found.items()
        if was is not None and now is not None and was.data == now.data
    }


def _moved(
    settings: Settings, definitions: Definitions, kept: Mapping[str, Numbers], now: Said | None
) -> list[Moved]:
    """Metrics that say other numbers of the same data than are kept."""
    from tieout.metrics import agreed_numbers

    if now is None:
        return []
    found = (
        agreed_numbers.moved(definitions, name, was, now.of(name, was), settings.expectations)
        for name, was in kept.items()
    )
    return sorted((item for item in found if item), key=lambda item: (item.owner, item.metric))


def _print_moved(moved: list[Moved], *, month_by_month: bool) -> None:
    if moved:
        table(
            ["owner", "metric", "numbers", "moved", "most", "from", "to", "total of months"],
            [
                [
                    item.owner, item.metric, item.numbers, len(item.movements), place(item.largest), *ends(item.largest),
                    item.total,
                ]
                for item in moved
            ],
        )  # fmt: skip
    for item in moved:
        # A coarser split moves with the finer one that is shown.
        shown = {"all", *(item.movements[0].dim_set.split(",") if item.movements else ())}
        if others := [name for name in item.others if not (item.movements and set(name.split(",")) <= shown)]:
            print(f"{item.metric} moves by {', '.join(others)}, too: `tieout metrics diff REV` shows where")
        if item.touches:
            print(f"{item.metric} is read by: {', '.join(item.touches)}")
        if month_by_month:
            rows = sorted(item.movements, key=lambda one: (one.period, one.member))
            table(
                ["month", "member", "before", "after", "moves"],
                [[one.period, one.member, one.before, one.after, one.amount] for one in rows],
            )


# --- versions -------------------------------------------------------------------------------------


def show_rewritten(settings: Settings, rev: str) -> int:
    """Say which versions of a revision were edited or taken out since; returns the exit code.

    Raises: MetricError if the revision cannot be read.
    """
    from tieout.metrics.approve import rewritten
    from tieout.metrics.diff import unpack

    with tempfile.TemporaryDirectory(prefix="tieout-versions-") as unpacked:
        unpack(settings.project, rev, Path(unpacked))
        then = _histories(Path(unpacked) / "dbt_project")
    found = rewritten(_histories(settings.dbt_project), then, _definitions(settings).metrics)
    for item in found:
        print(item)
    kept = sum(len(entries) for entries in then.values())
    print(f"{len(found)} of {len(then)} histories ({kept} versions) of {rev} were edited since")
    return 1 if found else 0


def _histories(dbt_project: Path) -> dict[str, tuple[Entry, ...]]:
    from tieout.metrics.approve import folder, history

    return {path.stem: history(dbt_project, path.stem) for path in sorted(folder(dbt_project).glob("*.yaml"))}


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
