"""Reproduce a receipt: ask the same question of the publish it was answered from, or of that publish rebuilt.

The kept snapshot file is asked first, after its tables were compared with what was published. Where it is gone,
landing is replayed as it was loaded then, into a warehouse of its own, and built with the definitions of now, which
must be those of then for everything the number is made of. Nothing that is in use is touched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tieout.doors.published import PublishedTable, PublishLine, line_of, snapshot_hashes, tables_of
from tieout.engine import OFFLINE, connect, literal
from tieout.fingerprint import definition_version, raw_version, roles_version
from tieout.metrics.receipt import Ids, Receipt, ids_of, plain, result_hash
from tieout.progress import Progress
from tieout.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from tieout.metrics.answer import Answer

SHOWN = 5
_PUBLISH = ("marts.publish", "metrics.publish")  # say when a file was written


@dataclass(frozen=True)
class Verified:
    """What became of a receipt. `reasons` say why it is not equal, `notes` what else is worth knowing."""

    state: Literal["equal", "differs", "impossible"]
    how: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    """What the ledger knows of a publish."""

    line: PublishLine | None
    tables: Mapping[str, PublishedTable]
    loaded: frozenset[tuple[str, str, str]]  # batches that were loaded by then


def reproduce(settings: Settings, receipt: Receipt, progress: Progress, *, rebuild: bool = False) -> Verified:
    """Reproduce the number of a receipt.

    Args:
        rebuild: Rebuild the publish from landing even if its snapshot is kept.

    Raises: duckdb.IOException if a refresh is writing the warehouse; TransformError, IngestError if the publish
        cannot be built.
    """
    known = _known(settings, receipt.ids.publish_id)
    snapshot = settings.snapshots / f"tieout-{receipt.ids.publish_id}.duckdb"
    if snapshot.is_file() and not rebuild:
        return _from_snapshot(settings, receipt, snapshot, known)
    if known.line is None:
        return Verified(
            "impossible",
            "not tried",
            (
                f"its snapshot is gone, and the ledger of this installation knows no publish {receipt.ids.publish_id}: "
                "it was made elsewhere, or its warehouse was lost",
            ),
        )
    return _rebuilt(settings, receipt, known, known.line, progress)


def _known(settings: Settings, publish_id: str) -> _Known:
    import duckdb

    if not settings.warehouse.is_file():
        return _Known(None, {}, frozenset())
    with connect(settings.warehouse, read_only=True) as con:
        try:
            line = line_of(con, publish_id)
            if line is None:
                return _Known(None, {}, frozenset())
            loaded = con.execute(
                "select source, stream, batch_id from ops.batch where loaded_at <="
                f" {literal(line.published_at.isoformat())}::timestamptz"
            ).fetchall()
        except duckdb.CatalogException:
            return _Known(None, {}, frozenset())
        try:
            tables = tables_of(con, publish_id)
        except duckdb.CatalogException:  # a ledger from before tables were recorded
            tables = {}
    return _Known(line, tables, frozenset(loaded))


# --- from the kept file ---------------------------------------------------------------------------


def _from_snapshot(settings: Settings, receipt: Receipt, snapshot: Path, known: _Known) -> Verified:
    how = f"from the kept snapshot {snapshot.name}"
    notes = _policy_note(settings, receipt.ids)
    changed, unchecked = _changed(snapshot_hashes(snapshot), known.tables)
    if unchecked:
        notes.append(unchecked)
    if changed:
        return Verified(
            "differs",
            how,
            (
                "the snapshot file was changed after it was published: " + "; ".join(changed[:SHOWN]),
                "what it says now proves nothing. `tieout verify --rebuild` builds that publish again from landing",
            ),
            tuple(notes),
        )
    with locked(snapshot) as con:
        reasons = _compared(con, receipt, masked=True)
    return Verified("differs" if reasons else "equal", how, tuple(reasons), tuple(notes))


def locked(file: Path) -> duckdb.DuckDBPyConnection:
    """A file opened so that SQL can reach nothing else: no other file, no network, no settings."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {**OFFLINE, "enable_external_access": "false"}
    con = duckdb.connect(str(file), read_only=True, config=config)
    con.execute("set timezone = 'UTC'")
    con.execute("set lock_configuration = true")
    return con


def _changed(
    found: Mapping[str, str], published: Mapping[str, PublishedTable]
) -> tuple[list[str], str | None]:
    """Tables of a file that are not what was published, and why that could not be found out, if so."""
    import duckdb

    if not published:
        return [], "that publish was made before the content of tables was recorded; the file was not checked"
    engines = {table.engine for table in published.values()}
    if engines != {f"v{duckdb.__version__}"}:
        return [], f"published with DuckDB {', '.join(sorted(engines))}; its hashes cannot be compared here"
    changed = []
    for name in sorted({*found, *published}):
        then = published[name].snapshot_hash if name in published else None
        now = found.get(name)
        if now is None:
            changed.append(f"{name} is not there any more")
        elif then is None:
            changed.append(f"{name} was not published")
        elif now != then:
            rows, published_rows = int(now.split("-", 1)[0]), published[name].rows
            changed.append(
                f"{name} holds other values in its {rows:,} rows"
                if rows == published_rows
                else f"{name} holds {rows:,} rows, published were {published_rows:,}"
            )
    return changed, None


def _policy_note(settings: Settings, ids: Ids) -> list[str]:
    now = roles_version(settings.dbt_project / "access" / "roles.yaml")
    if ids.policy_version in (None, now):
        return []
    return [f"the access rules have changed since (then {ids.policy_version}, now {now})"]


def _compared(con: duckdb.DuckDBPyConnection, receipt: Receipt, *, masked: bool) -> list[str]:
    """Ask again and compare; returns what differs.

    Args:
        masked: The file is the very publish, so its ids must be those of the receipt as well.
    """
    said = _asked(con, receipt)
    reasons = []
    now = ids_of(con, said.definition_version)
    if masked and now != receipt.ids:
        before, after = vars(receipt.ids), vars(now) if now else {}
        reasons += [
            f"{name}: the receipt says {value}, the publish {after.get(name)}"
            for name, value in before.items()
            if after.get(name) != value
        ]
    rows = plain(said.rows)
    if (said.columns, result_hash(said.columns, rows)) != (receipt.columns, receipt.result_hash):
        reasons += _rows_that_differ(receipt, said.columns, rows)
    if masked and said.sql != receipt.sql:
        reasons.append("the SQL of the receipt is not what the definitions of that publish compile to")
    return reasons


def _asked(con: duckdb.DuckDBPyConnection, receipt: Receipt) -> Answer:
    from tieout.metrics.answer import answer

    asked = receipt.question
    return answer(
        con,
        asked.metric,
        grain=asked.grain,
        by=asked.by,
        period=asked.period,
        where=dict(asked.where),
    )


def _rows_that_differ(
    receipt: Receipt, columns: tuple[str, ...], rows: tuple[tuple[str | None, ...], ...]
) -> list[str]:
    if columns != receipt.columns:
        return [f"columns were {', '.join(receipt.columns)}, are {', '.join(columns)}"]
    if receipt.rows is None:
        return [f"{receipt.row_count:,} rows with another hash than the {len(rows):,} found now"]
    then = {row[:-1]: row[-1] for row in receipt.rows}
    now = {row[:-1]: row[-1] for row in rows}
    different = [key for key in {**then, **now} if then.get(key, "no row") != now.get(key, "no row")]
    lines = [
        f"{' / '.join(map(str, key)) or 'the value'}: {then.get(key, 'no row')} in the receipt, {now.get(key, 'no row')} found"
        for key in different[:SHOWN]
    ]
    more = [f"and {len(different) - SHOWN:,} more rows"] if len(different) > SHOWN else []
    return [*lines, *more] or ["the same rows in another order"]


# --- from landing ---------------------------------------------------------------------------------


def _rebuilt(
    settings: Settings, receipt: Receipt, known: _Known, line: PublishLine, progress: Progress
) -> Verified:
    from sources.contract import read_sources
    from tieout.ingest.drift import effective_sources
    from tieout.ingest.landing import Landing
    from tieout.ingest.replay import keep_compiled, load_everything
    from tieout.refresh import measure, transform

    how = "rebuilt from landing as it was loaded then"
    notes = _policy_note(settings, receipt.ids)
    # Beside the home, not in it: landing is linked to, and a home may be copied while this runs.
    aside = replace(settings, home=settings.home / f".verify-{os.getpid()}")
    aside.home.mkdir(parents=True)
    try:
        gone = landing_as_of(settings.landing, aside.landing, known.loaded, line.published_at)
        if gone:
            return Verified("impossible", how, tuple(gone), tuple(notes))
        if (settings.home / "dbt").is_dir():  # dbt parses only what has changed
            shutil.copytree(settings.home / "dbt", aside.home / "dbt")
        unchanged = definition_version(settings.project) == line.fingerprint[16:32]
        if not unchanged:
            changes = _definitions_changed(aside, receipt, known.tables)
            if changes:
                return Verified("impossible", how, tuple(changes), tuple(notes))
            notes.append(
                "definitions or program changed since, but nothing this number is made of, as far as models and metrics say"
            )
        landing = Landing(aside.landing)
        sources = effective_sources(read_sources(settings.sources), landing)
        load_everything(aside.warehouse, sources, landing, progress, line.published_at)
        with connect(aside.warehouse) as con:
            same_rows = raw_version(con) == line.fingerprint[:16]
        if not same_rows:
            notes.append("the rows loaded from landing are not exactly those of then (see `tieout storage`)")
        keep_compiled(settings.warehouse, aside.warehouse)
        transform(aside, progress)
        measure(aside, progress)
        snapshot = _masked(aside, receipt, line)
        notes += _tables_that_differ(snapshot_hashes(snapshot), known.tables)
        with locked(snapshot) as con:
            reasons = _compared(con, receipt, masked=False)
    finally:
        shutil.rmtree(aside.home, ignore_errors=True)
    if not reasons:
        return Verified("equal", how, (), tuple(notes))
    if unchanged and same_rows:
        return Verified("differs", how, tuple(reasons), tuple(notes))
    why = "rows in landing" if unchanged else "definitions or program"
    return Verified(
        "impossible",
        how,
        (f"the {why} of then are not there any more; with those of now:", *reasons),
        tuple(notes),
    )


def landing_as_of(
    landing: Path, folder: Path, loaded: Collection[tuple[str, str, str]], moment: datetime
) -> list[str]:
    """Links to the batches that were loaded by a moment, and copies of what was decided by then.

    Returns: why that moment cannot be had any more; empty if it can.
    """
    from tieout.ingest.landing import Landing

    if not loaded:
        return ["the ledger does not say any more which batches were loaded then"]
    wanted, problems = set(loaded), []
    place = Landing(landing)
    for source in _folders(landing):
        if source.name.startswith("_"):
            _decided_by(source, folder / source.name, moment)
            continue
        for stream in _folders(source):
            there = folder / source.name / stream.name
            if stream.name.startswith("_"):
                _decided_by(stream, there, moment)
                continue
            there.mkdir(parents=True, exist_ok=True)
            for batch in place.batches(source.name, stream.name):
                named = {batch.known_as, *batch.folds}
                if (source.name, stream.name, batch.known_as) in wanted:
                    (there / batch.batch_id).symlink_to(
                        place.folder(batch).resolve(), target_is_directory=True
                    )
                elif wanted & {(source.name, stream.name, name) for name in named}:
                    problems.append(
                        f"{source.name}.{stream.name}: batches of then were compacted together with later ones"
                    )
                wanted -= {(source.name, stream.name, name) for name in named}
    missing = sorted({f"{source}.{stream}" for source, stream, _ in wanted})
    if missing:
        problems.append(
            f"batches of {', '.join(missing[:SHOWN])}{' …' if len(missing) > SHOWN else ''} are not in landing any more"
        )
    return problems


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def _decided_by(source: Path, target: Path, moment: datetime) -> None:
    """Copy a folder of decisions, without those taken later."""
    import json

    for path in sorted(source.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix == ".json":
            try:
                said: Any = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                said = None
            at = said.get("at") if isinstance(said, dict) else None
            if isinstance(at, str) and datetime.fromisoformat(at) > moment:
                continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def _definitions_changed(
    aside: Settings, receipt: Receipt, published: Mapping[str, PublishedTable]
) -> list[str]:
    """What the number is made of and is defined otherwise now; empty if nothing is."""
    from tieout.metrics.definitions import read
    from tieout.transform.dbt import parse
    from tieout.transform.fingerprints import model_fingerprints

    manifest = parse(aside)
    definitions = read(manifest.with_name("semantic_manifest.json"))
    name = receipt.question.metric
    if name not in definitions.metrics:
        return [f"there is no metric {name} any more"]
    changes = []
    version = definitions.version(name)
    if version != receipt.ids.definition_version:
        changes.append(
            f"the definition of {name} has changed: then {receipt.ids.definition_version}, now {version}"
        )
    if not published:
        return [*changes, "that publish was made before fingerprints of models were recorded"]
    now = model_fingerprints(manifest, aside.project)
    for table in tables_in(receipt.sql):
        then = published[table].definition if table in published else None
        if now.get(table) != then:
            changes.append(
                f"the model {table}, or something above it, has changed: then {then}, now {now.get(table)}"
            )
    return changes


def tables_in(sql: str) -> list[str]:
    """Tables a query reads, as `schema.name`."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read="duckdb")
    return sorted({f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db})


def _masked(aside: Settings, receipt: Receipt, line: PublishLine) -> Path:
    """A snapshot file of the rebuilt warehouse, masked as the one of then."""
    from tieout.doors.door import ANALYST, access_of
    from tieout.doors.publish import PublishMeta
    from tieout.doors.snapshot import write_snapshot
    from tieout.transform.catalogue import catalogue
    from tieout.transform.dbt import target

    access = access_of(aside)
    tables = catalogue(target(aside) / "manifest.json")
    role = receipt.ids.role or ANALYST
    return write_snapshot(
        aside.warehouse,
        aside.snapshots,
        line.publish_id,
        meta=PublishMeta(line.published_at),
        role=role,
        clearance=access.roles[role].clearance,
        classes={name: table.classes for name, table in tables.items()},
        unclassified=access.unclassified,
    )


def _tables_that_differ(found: Mapping[str, str], published: Mapping[str, PublishedTable]) -> list[str]:
    """How the rebuilt tables compare with all that were published then, as notes."""
    tables = {name: table for name, table in published.items() if name not in _PUBLISH}
    rebuilt = {name: content for name, content in found.items() if name not in _PUBLISH}
    if not tables:
        return []
    changed, unchecked = _changed(rebuilt, tables)
    if unchecked:
        return [unchecked]
    same = f"{len(tables) - len(changed)} of {len(tables)} tables are as they were published then"
    return [same + (": " + "; ".join(changed[:SHOWN]) if changed else "")]
