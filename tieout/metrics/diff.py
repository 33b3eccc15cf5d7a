"""How far every published number would move, if one set of definitions took the place of another.

Both sets are compiled and computed on the same data, month by month and in total, for every way to split that they
declare, and joined in full: numbers that come or go count from or to zero. Only metrics whose definition, or whose way
to a member, differs are computed. If other SQL differs, each side is built into a copy of the warehouse first.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tieout.engine import connect, literal, quoted
from tieout.metrics.answer import dim_set
from tieout.metrics.definitions import Definitions, read_yaml
from tieout.metrics.diff_words import Change, changes, said
from tieout.metrics.errors import DefinitionError, MetricError, unknown

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.engine import Engine
    from tieout.settings import Settings

METRICS = Path("dbt_project") / "models" / "metrics"
# What besides the definitions decides a mart: models, macros, seeds, contracts.
_SQL = (("dbt_project", {".sql", ".csv", ".py", ".yml", ".yaml"}), ("sources", {".yaml"}))


class DiffError(MetricError):
    """The two sides cannot be compared; nothing was computed."""


@dataclass(frozen=True)
class Movement:
    """One number: `period` is a month or `all`."""

    dim_set: str
    period: str
    member: str
    before: Decimal | None
    after: Decimal | None

    @property
    def amount(self) -> Decimal:
        return (self.after or Decimal(0)) - (self.before or Decimal(0))


@dataclass(frozen=True)
class MetricDiff:
    """What one metric would do.

    `status` is changed, new, removed or data (the same definition on other marts). `movements` are the numbers that
    differ, largest first; `numbers` is how many were compared. `error` says why it cannot be computed.
    """

    metric: str
    owner: str
    status: str
    changes: tuple[Change, ...]
    numbers: int
    movements: tuple[Movement, ...]
    touches: tuple[str, ...]
    old_version: str | None
    new_version: str | None
    error: str = ""

    @property
    def kinds(self) -> str:
        if self.status in {"new", "removed"}:
            return self.status
        return ", ".join(dict.fromkeys(item.kind for item in self.changes)) or (
            "input" if self.status == "changed" else "data"
        )

    @property
    def words(self) -> str:
        return "; ".join(item.words for item in self.changes) or {
            "changed": "what it is computed from", "data": "other SQL below it",
        }.get(self.status, self.status)  # fmt: skip

    @property
    def largest(self) -> Movement | None:
        """Of the numbers of a month, if any moves: a total over all time moves by all of them."""
        months = (item for item in self.movements if item.period != "all")
        return next(months, self.movements[0] if self.movements else None)

    @property
    def total(self) -> Decimal:
        """Movement of the totals of its months; of balances and ratios the sum of these says little."""
        return sum((item.amount for item in self._totals), Decimal(0))

    @property
    def _totals(self) -> list[Movement]:
        months = [item for item in self.movements if item.period != "all"]
        sets = {item.dim_set for item in months}
        least = "all" if "all" in sets else min(sets, default="")
        return [item for item in months if item.dim_set == least]


@dataclass(frozen=True)
class Side:
    """One set of definitions and the tree it was read from."""

    name: str
    tree: Path
    definitions: Definitions


def side(project: Path, rev: str | None, folder: Path) -> Side:
    """The definitions of a revision, unpacked into `folder`; of the working tree, if no revision is given.

    Raises: DiffError if git does not know the revision.
    """
    if rev is None:
        return Side("working tree", project, read_yaml(project / METRICS))
    unpack(project, rev, folder)
    return Side(rev, folder, read_yaml(folder / METRICS))


def folder_side(path: Path) -> Side:
    """The definitions of another folder: a whole project, or the folder of metrics itself.

    Raises: DiffError if there are none.
    """
    metrics = path / METRICS if (path / METRICS).is_dir() else path
    if not any(metrics.glob("*.yml")):
        raise DiffError(f"{path}: there are no metric definitions (*.yml). Nothing was compared.")
    return Side(str(path), path, read_yaml(metrics))


def revision_of(project: Path, wanted: Mapping[str, str], folder: Path, last: int = 40) -> str | None:
    """The newest revision in which every metric has the version wanted; None if none of the `last` ones has.

    Raises: DiffError if git cannot be asked.
    """
    if shutil.which("git") is None:
        raise DiffError("git is not installed here, so no revision can be read.")
    done = subprocess.run(
        ["git", "-C", str(project), "log", "--format=%h", f"-{last}", "HEAD", "--", str(METRICS)],
        capture_output=True,
        text=True,
        check=False,
    )
    for rev in done.stdout.split():
        unpack(project, rev, folder / rev, (str(METRICS),))
        definitions = read_yaml(folder / rev / METRICS)
        if all(
            name in definitions.metrics and definitions.version(name) == version
            for name, version in wanted.items()
        ):
            return rev
    return None


def unpack(project: Path, rev: str, folder: Path, parts: Sequence[str] = ()) -> None:
    """Write the tree of a revision, as far as it decides numbers, into a folder.

    Raises: DiffError with git's own words.
    """
    if shutil.which("git") is None:
        raise DiffError("git is not installed here, so no revision can be read. Use --against FOLDER.")
    if rev.startswith("-"):
        raise DiffError(f"{rev} is no revision. Name one that `git log` knows, such as HEAD~1.")
    parts = [
        name for name in ("dbt_project", "sources", "expectations", "tieout") if (project / name).exists()
    ]
    done = subprocess.run(
        ["git", "-C", str(project), "archive", "--format=tar", rev, *parts],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise DiffError(
            f"{rev} cannot be read: {done.stderr.decode(errors='replace').strip()}. Nothing was compared. "
            "Name a revision that `git log` knows, or use --against FOLDER."
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")


def sql_differs(old: Side, new: Side) -> list[str]:
    """Files that decide the marts and are not the same on both sides; empty for a bare folder of metrics."""
    if not all((item.tree / "dbt_project").is_dir() for item in (old, new)):
        return []
    before, after = (_files(item.tree) for item in (old, new))
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _files(tree: Path) -> dict[str, str]:
    found = {}
    for folder, suffixes in _SQL:
        for path in (tree / folder).rglob("*"):
            name = path.relative_to(tree)
            ours = name.is_relative_to(METRICS) and path.suffix == ".yml"
            aside = {"target", "logs", "access", "metric_versions"} & set(name.parts)
            if path.suffix in suffixes and not ours and not aside:
                found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def built(settings: Settings, chosen: Side, home: Path, report: Callable[[str], None]) -> Path:
    """Build a side's models into a copy of the warehouse under `home`; returns the copy.

    Raises: TransformError; the warehouse itself is only read.
    """
    from tieout.transform import dbt

    home.mkdir(parents=True)
    copy = replace(settings, home=home, project=chosen.tree)
    shutil.copyfile(settings.warehouse, copy.warehouse)
    if settings.master.is_dir():
        shutil.copytree(settings.master, copy.master)
    dbt.parse(copy)
    dbt.build(copy, lambda node: report(node.unique_id.split(".", 2)[-1]))
    return copy.warehouse


def compare(
    old: Side,
    new: Side,
    warehouses: tuple[Path, Path],
    *,
    metrics: Sequence[str] = (),
    expectations: Path | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> list[MetricDiff]:
    """Every metric that differs; owners and names sorted.

    Args:
        warehouses: The data each side is computed on; the same file twice, if only definitions differ.
        metrics: Only these; every one, if empty.
        expectations: Folder of suites and identities, searched for the names of what moved.

    Raises: UnknownName for a metric neither side has.
    """
    names = sorted(old.definitions.metrics.keys() | new.definitions.metrics.keys())
    for name in metrics:
        if name not in names:
            raise unknown("metric", name, names)
    same_data = warehouses[0] == warehouses[1]
    found = []
    engines: dict[str, Engine] = {}
    with connect() as con:
        for place, path in enumerate(warehouses):
            con.execute(f"attach {literal(str(path))} as side{place} (read_only)")
        for name in metrics or names:
            if same_data and _depends(old.definitions, name) == _depends(new.definitions, name):
                continue
            progress(name)
            item = _compared(con, engines, old, new, name, expectations)
            if item.status != "data" or item.movements or item.error:
                found.append(item)
    return sorted(found, key=lambda item: (item.owner, item.metric))


def _depends(definitions: Definitions, name: str) -> str | None:
    """What the number and its split depend on; None if there is no such metric."""
    if name not in definitions.metrics:
        return None
    known = definitions.dimensions(name)
    wanted = {known[part] for names in _sets(definitions, name) for part in names if part in known}
    reached = [
        repr(reach)
        for base in definitions.base_metrics(name)
        for measure in base.measures
        for dunder, reach in sorted(
            definitions.reaches(definitions.models[definitions.measures[measure].model]).items()
        )
        if dunder in wanted
    ]
    raw = [definitions.metric(name).raw.get("filter"), definitions.metric(name).raw.get("type_params")]
    return repr((definitions.version(name), reached, _sets(definitions, name), raw))


def _sets(definitions: Definitions, name: str) -> list[tuple[str, ...]]:
    meta = definitions.metric(name).meta
    total: list[tuple[str, ...]] = [] if meta.requires_by else [()]
    return list(dict.fromkeys([*total, *(tuple(sorted(names)) for names in meta.by)]))


def _compared(
    con: duckdb.DuckDBPyConnection,
    engines: dict[str, Engine],
    old: Side,
    new: Side,
    name: str,
    expectations: Path | None,
) -> MetricDiff:
    there = [name in item.definitions.metrics for item in (old, new)]
    status = {(True, True): "changed", (False, True): "new"}.get((there[0], there[1]), "removed")
    latest = (new if there[1] else old).definitions
    versions = [
        item.definitions.version(name) if has else None for item, has in zip((old, new), there, strict=True)
    ]
    if status == "changed" and _depends(old.definitions, name) == _depends(new.definitions, name):
        status = "data"
    differences = (
        tuple(changes(said(old.definitions, name), said(new.definitions, name))) if all(there) else ()
    )
    numbers, movements, error = 0, [], ""
    sets = dict.fromkeys(
        names
        for item, has in zip((old, new), there, strict=True)
        if has
        for names in _sets(item.definitions, name)
    )
    try:
        for names in sets:
            for grain in ("month", None):
                count, moved = _numbers(con, engines, (old, new), name, grain, names)
                numbers += count
                movements += moved
    except Incomputable as failure:
        error = str(failure)
    movements.sort(
        key=lambda item: (-abs(item.amount), item.period == "all", item.dim_set, item.period, item.member)
    )
    return MetricDiff(
        name, latest.metric(name).meta.owner, status, differences, numbers, tuple(movements),
        touches((old.definitions, new.definitions), name, expectations), versions[0], versions[1], error,
    )  # fmt: skip


class Incomputable(Exception):
    """One side of one metric has no numbers."""


def _numbers(
    con: duckdb.DuckDBPyConnection,
    engines: dict[str, Engine],
    sides: tuple[Side, Side],
    name: str,
    grain: str | None,
    names: tuple[str, ...],
) -> tuple[int, list[Movement]]:
    """How many numbers there are of one dimension set, and those that differ."""
    import duckdb

    from tieout.metrics.engine import Engine

    for place, item in enumerate(sides):
        select = "select cast(null as text) as period, '' as member, cast(null as decimal(38, 8)) as value where false"
        declared = name in item.definitions.metrics and names in _sets(item.definitions, name)
        if declared:
            engine = engines.setdefault(str(place), Engine(item.definitions))
            period = "strftime(period_start, '%Y-%m')" if grain else "'all'"
            member = (
                " || ' · ' || ".join(f"coalesce(cast({quoted(part)} as text), '–')" for part in names) or "''"
            )
            try:
                sql = engine.query(name, grain, names)
            except MetricError as error:
                raise Incomputable(f"{item.name}: {error}") from error
            select = f"select {period} as period, {member} as member, cast(value as decimal(38, 8)) as value from ({sql})"
        con.execute(f"use side{place}")
        try:
            con.execute(f"create or replace temp table diff_{place} as {select}")
        except duckdb.Error as error:
            raise Incomputable(f"{item.name}: {str(error).splitlines()[0]}") from error
    rows = con.execute(
        "select coalesce(a.period, b.period), coalesce(a.member, b.member), a.value, b.value"
        " from temp.diff_0 as a full join temp.diff_1 as b"
        " on a.period is not distinct from b.period and a.member = b.member"
    ).fetchall()
    moved = [
        Movement(dim_set(names), period or "without a date", member, before, after)
        for period, member, before, after in rows
        if (before or 0) != (after or 0)
    ]
    return len(rows), moved


def touches(sets: Iterable[Definitions], name: str, expectations: Path | None) -> tuple[str, ...]:
    """Wide views with the metric, metrics computed from it, and suites and identities that name it."""
    found: dict[str, None] = {}
    for definitions in sets:
        for export in definitions.exports:
            if name in export.metrics:
                found[f"view {export.name}"] = None
        for other in definitions.metrics.values():
            if any(item.metric == name for item in other.inputs):
                found[f"metric {other.name}"] = None
    if expectations is not None:
        for path in sorted(expectations.rglob("*.yaml")):
            if name in path.read_text(encoding="utf-8"):
                found[f"{path.parent.name} {path.stem}"] = None
    return tuple(found)


def broken(definitions: Definitions) -> str:
    """Rules that a set of definitions breaks, in one text; empty if none."""
    from tieout.metrics.rules import require

    try:
        require(definitions)
    except DefinitionError as error:
        return str(error)
    return ""
