"""One refresh: extract → load → transform → metrics → verify → certify → publish.

Each step is a function that may be repeated: a crash at any point leaves what is published as it was,
and the next refresh completes. The same steps are the assets of `pipelines/`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from sources.contract import Source, read_sources
from tieout.ahead import Ahead
from tieout.engine import INGEST_MEMORY, connect, constants, literal
from tieout.fingerprint import decided_version, definition_version, raw_version
from tieout.ingest.controls import compare_controls
from tieout.ingest.drift import comment_columns, effective_sources, open_holds
from tieout.ingest.extract import extract_all
from tieout.ingest.intake.ask import Extracted
from tieout.ingest.landing import shared
from tieout.ingest.ledger import advance_watermarks, ensure_ledger
from tieout.ingest.load import Loaded, load_pending, pending
from tieout.ingest.status import open_quarantine, veiled
from tieout.ingest.switches import missing, switched_off
from tieout.ingest.tables import ensure_raw_tables
from tieout.ingest.wanted import Wanted
from tieout.progress import Progress
from tieout.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from tieout.tie.certificate import Certificate
    from tieout.tie.verdict import Verdict


EVERYTHING = Wanted()
# What dbt calls its nodes, where its plural is not a plain s.
_KINDS = {"saved_query": "saved queries"}


class Exit(IntEnum):
    """Exit codes of `tieout refresh`; everything but 0 wants a person."""

    OK = 0
    STRONG_RULE_BROKEN = 1  # nothing was published
    SOURCE_REFUSED = 2  # a system, file or batch could not be taken in; nothing was published
    NOT_BUILT = 3  # models, suites or the publish itself failed; nothing was published
    NOT_CERTIFIED = 4  # published, but with a reservation, such as rows in quarantine


@dataclass(frozen=True)
class Outcome:
    """How a refresh ended."""

    exit: Exit
    state: str  # published | unchanged | refused | blocked | failed
    message: str
    publish_id: str | None = None
    loaded: int = 0
    certificate: Certificate | None = None


class Busy(Exception):
    """Another refresh is running on the same installation."""


def refresh(
    settings: Settings,
    progress: Progress,
    *,
    now: datetime | None = None,
    force: bool = False,
    wanted: Wanted = EVERYTHING,
    ahead: Ahead | None = None,
) -> Outcome:
    """Bring everything up to date and publish it, if it may be published.

    Args:
        now: Instant of this run (aware); the clock's, if not given.
        force: Build, verify and publish even if nothing has changed.
        wanted: What to pull; the rest stays as it was loaded last.
        ahead: Work that was begun before; begun here, if not given.
    """
    now = now or datetime.now(UTC)
    with (
        only_one(settings),
        stoppable(),
        nullcontext(ahead) if ahead else Ahead(settings) as ahead,
    ):
        sources = read_sources(settings.sources)
        run_id = f"R{now:%Y%m%dT%H%M%S%f}"
        opened(settings, sources, run_id, now)
        try:
            outcome = _refresh(settings, sources, progress, run_id, now, force, wanted, ahead)
        except Exception as error:
            _close_run(settings, run_id, "failed", f"{type(error).__name__}: {error}")
            raise
        _close_run(settings, run_id, outcome.state, outcome.message)
        if outcome.state in ("refused", "blocked", "failed"):
            page(settings, progress, now)
        return outcome


def _refresh(
    settings: Settings,
    sources: dict[str, Source],
    progress: Progress,
    run_id: str,
    now: datetime,
    force: bool,
    wanted: Wanted,
    ahead: Ahead,
) -> Outcome:
    from tieout.transform.dbt import TransformError

    extracted = extract(settings, sources, progress, now, wanted)
    seen = [(item.source, item.stream) for item in extracted if not item.error]
    loads = load(settings, sources, progress, now, seen)
    loaded = sum(item.loaded + item.deleted for item in loads)
    refusals = list(dict.fromkeys(str(item.error) for item in extracted if item.error))
    if refusals:
        message = f"{len(refusals)} refused on the way in; nothing was published, the last publish stays."
        return Outcome(Exit.SOURCE_REFUSED, "refused", "\n".join([message, *refusals]), loaded=loaded)
    waiting = reservations(settings, sources)
    fingerprint = inputs(settings, waiting)
    last = last_publish(settings)
    if last and last["fingerprint"] == fingerprint and not force and _still_there(settings, last):
        keep_numbers(
            settings, progress, last["publish_id"], sources
        )  # the last run may have been killed before
        return Outcome(
            Exit.NOT_CERTIFIED if _reserved(settings) or waiting else Exit.OK,
            "unchanged",
            f"nothing has changed since publish {last['publish_id']}: nothing was built or published",
            last["publish_id"],
            loaded,
        )
    try:
        ahead.wait_parsed()
        transform(settings, progress)
        ahead.wait()
        measure(settings, progress)
        return _published(settings, progress, run_id, fingerprint, now, loaded)
    except TransformError as error:
        return Outcome(Exit.NOT_BUILT, "failed", str(error), loaded=loaded)


def publish_held(settings: Settings, progress: Progress, now: datetime) -> Outcome:
    """Verify and publish what the warehouse holds, built already; no source is asked. The caller holds the lock."""
    sources = read_sources(settings.sources)
    run_id = f"R{now:%Y%m%dT%H%M%S%f}"
    opened(settings, sources, run_id, now)
    fingerprint = inputs(settings, reservations(settings, sources))
    outcome = _published(settings, progress, run_id, fingerprint, now, before="")
    _close_run(settings, run_id, outcome.state, outcome.message)
    return outcome


def _published(
    settings: Settings,
    progress: Progress,
    run_id: str,
    fingerprint: str,
    now: datetime,
    loaded: int = 0,
    *,
    before: str = ", the last publish stays",
) -> Outcome:
    """Verify what was built, and publish it unless a strong rule is broken; `before` says what readers have then."""
    said = verify(settings, progress, run_id, now)
    if said.blocking:
        message = f"{len(said.blocking)} strong rules do not hold; nothing was published{before}."
        return Outcome(
            Exit.STRONG_RULE_BROKEN, "blocked", "\n".join([message, *map(str, said.blocking)]), loaded=loaded
        )
    certificate = publish(settings, progress, said, run_id, fingerprint, now)
    from tieout.claimed.kept import compare_kept

    if unclear := compare_kept(settings, certificate.publish_id, now):
        progress.warn(f"{unclear} figures departments handed in are not explained; see `tieout report list`")
    return Outcome(
        Exit.OK if certificate.certified else Exit.NOT_CERTIFIED,
        "published",
        f"published {certificate.publish_id}",
        certificate.publish_id,
        loaded,
        certificate,
    )


# --- steps ----------------------------------------------------------------------------------------


def opened(settings: Settings, sources: dict[str, Source], run_id: str, now: datetime) -> None:
    """Make the warehouse ready and open the run; runs that never ended were interrupted."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with connect(settings.warehouse) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, effective_sources(sources, shared(settings.landing)))
        con.execute(
            f"update ops.run set state = 'interrupted', finished_at = {constants(now)} where state = 'running'"
        )
        line = constants(run_id, now, "running")
        con.execute(f"insert into ops.run (run_id, started_at, state) values ({line})")


def _close_run(settings: Settings, run_id: str, state: str, message: str) -> None:
    with connect(settings.warehouse) as con:
        line = constants(datetime.now(UTC), state, message)
        con.execute(
            f"update ops.run set (finished_at, state, message) = ({line}) where run_id = {literal(run_id)}"
        )


def extract(
    settings: Settings,
    sources: dict[str, Source],
    progress: Progress,
    now: datetime,
    wanted: Wanted = EVERYTHING,
) -> list[Extracted]:
    """Pull every wanted source side by side into landing."""
    off = switched_off(settings.home)
    asks = wanted.asks(sources, now, off)
    total = sum(asks[name].wants(stream) for name in asks for stream in sources[name].streams)
    progress.start("extract", total)

    def report(outcome: Extracted) -> None:
        crash_point("extract")
        progress.advance(f"{outcome.source}.{outcome.stream}: {outcome.rows:,} rows")

    outcomes = extract_all(sources, shared(settings.landing), asks, report)
    failed = [outcome for outcome in outcomes if outcome.error]
    rows = sum(outcome.rows for outcome in outcomes)
    batches = sum(len(outcome.landed) for outcome in outcomes)
    summary = (
        f"{rows:,} rows read from {total - len(failed)} streams of {len(asks)} systems, {batches} new batches"
        + (f"; {len(off)} systems are switched off" if off else "")
    )
    for note in dict.fromkeys(note for outcome in outcomes for note in outcome.notes):
        progress.warn(note)
    for error in dict.fromkeys(str(outcome.error) for outcome in failed):
        progress.warn(error)
    progress.end(summary + (f", {len(failed)} streams refused" if failed else ""), ok=not failed)
    return outcomes


def load(
    settings: Settings,
    sources: dict[str, Source],
    progress: Progress,
    now: datetime,
    seen: Sequence[tuple[str, str]] = (),
) -> list[Loaded]:
    """Load whatever has landed and is not yet loaded: one writer.

    Args:
        seen: (source, stream) of every pull of this run that did not fail; their watermarks advance.
    """
    landing = shared(settings.landing)
    taken = effective_sources(sources, landing)
    with connect(settings.warehouse, memory=INGEST_MEMORY) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, taken)
        for name, source in taken.items():
            comment_columns(con, sources[name], source)
        progress.start("load", len(pending(con, taken, landing)))

        def report(outcome: Loaded) -> None:
            crash_point("load")
            progress.advance(f"{outcome.source}.{outcome.stream}")

        outcomes = load_pending(con, taken, landing, now, report)
        advance_watermarks(con, seen, now)
        compared = compare_controls(con, sources, landing)
        aside = open_quarantine(con)
        shown = veiled(con, sources, aside[:10])
    for row in shown:
        progress.warn(f"quarantined: {row}")
    if aside:
        more = f"… and {len(aside) - 10} more: " if len(aside) > 10 else ""
        progress.warn(f"{more}`tieout quarantine` lists them, `tieout quarantine show ID` says what to do")
    for total in compared:
        if not total.agrees:
            progress.warn(
                f"{total.source}: {total.name} should be {total.source_says}, but we hold {total.we_hold}: `tieout controls`"
            )
    waiting = held(settings, sources)
    for line in waiting:
        progress.warn(line)
    progress.end(
        f"{sum(item.loaded for item in outcomes):,} rows loaded, "
        f"{sum(item.unchanged for item in outcomes):,} unchanged, "
        f"{sum(item.deleted for item in outcomes):,} deleted, {len(aside):,} in quarantine",
        ok=not aside and not waiting,
    )
    return outcomes


def held(settings: Settings, sources: Mapping[str, Source]) -> list[str]:
    """Batches that wait for a person because the shape of their stream has changed, one line each."""
    landing = shared(settings.landing)
    return [
        f"{batch.source}.{batch.stream} is held since {batch.extracted_at[:16]}: {batch.held} (`tieout drift`)"
        for name, source in sources.items()
        for stream in source.streams
        for batch in open_holds(landing, name, stream)
    ]


def reservations(settings: Settings, sources: Mapping[str, Source]) -> list[str]:
    """What a publish is without, one line each: sources that are off and that models read, and batches on hold."""
    staging = settings.dbt_project / "models" / "staging"
    off = [
        f"{name} is switched off since {item.at[:10]} ({item.by}: {item.reason}): what reads it is without it"
        for name, item in missing(settings.home).items()
        if any((staging / name).glob("*.sql"))
    ]
    return [*off, *held(settings, sources)]


def transform(settings: Settings, progress: Progress) -> None:
    """Build staging, intermediate, marts and identities with dbt.

    Raises: TransformError; what is published is untouched.
    """
    from tieout.transform import dbt

    progress.start("transform")
    counts: dict[str, int] = {}

    def report(node: dbt.Node) -> None:
        crash_point("transform")
        counts[node.kind] = counts.get(node.kind, 0) + 1
        progress.advance(
            node.unique_id.split(".")[-1] if node.kind == "test" else node.unique_id.split(".", 2)[-1]
        )

    try:
        dbt.build(settings, report, keep_views=True)
    except dbt.TransformError:
        progress.end("models do not build", ok=False)
        raise
    progress.end(
        ", ".join(f"{count} {_KINDS.get(kind, kind + 's')}" for kind, count in sorted(counts.items()))
    )


def measure(settings: Settings, progress: Progress) -> None:
    """Compile the metric definitions into schema `metrics`."""
    from tieout.metrics.layer import build_layer
    from tieout.transform.dbt import target

    progress.start("metrics")
    crash_point("measure")
    with connect(settings.warehouse) as con:
        layer = build_layer(
            con, target(settings) / "semantic_manifest.json", target(settings) / "manifest.json"
        )
    progress.end(f"{layer.metrics} metrics, {layer.views} views, {layer.values:,} values")


def verify(settings: Settings, progress: Progress, run_id: str, now: datetime) -> Verdict:
    """Run the expectation suites, ask the facts to keep their measures' types, read the identities; all go to `ops`.

    Raises: SuiteError, TieError, ReportError if they cannot run at all.
    """
    from expectations.suite import record as record_checks
    from expectations.suite import run_suites
    from tieout.metrics.mixing import record as record_types
    from tieout.tie.cases import record as record_cases
    from tieout.tie.report_issue import reports_of
    from tieout.tie.results import record as record_identities

    progress.start("verify")
    reports_of(settings)  # one that names what does not exist is refused before anything is judged
    checks = run_suites(
        settings.warehouse, settings.expectations / "suites", lambda name, done, total: progress.advance(name)
    )
    crash_point("verify")
    with connect(settings.warehouse) as con:
        con.execute("begin")
        record_checks(con, run_id, checks, now)
        record_types(con, run_id, now)
        record_identities(con, run_id, now)
        record_cases(con, run_id, now)
        con.execute("commit")
        said = judged(settings, con, run_id)
    parts = [
        f"{sum(rule.holds for rule in said.of(kind))} of {len(said.of(kind))} {words}"
        for kind, words in (("check", "checks pass"), ("identity", "identities tie out or are explained"))
    ]
    unjudged = [rule for rule in said.rules if rule.off and not rule.holds]
    if unjudged:
        parts.append(f"{len(unjudged)} not judged: a system they need is switched off")
    for rule in said.rules:
        if not rule.holds and rule not in unjudged:
            progress.warn(f"{'STRONG ' if rule.blocks else ''}{rule}")
    progress.end(", ".join(parts), ok=not said.blocking)
    return said


def judged(settings: Settings, con: duckdb.DuckDBPyConnection, run_id: str) -> Verdict:
    """What the rules of a run said, knowing which tables lack a source that is switched off."""
    from tieout.tie.verdict import verdict
    from tieout.transform.dbt import target
    from tieout.transform.downstream import built_from

    stated = {path.stem for path in (settings.expectations / "reconciliation").glob("*.yaml")}
    off = built_from(target(settings) / "manifest.json", missing(settings.home))
    return verdict(con, run_id).expecting(stated).without(off)


def publish(
    settings: Settings, progress: Progress, said: Verdict, run_id: str, fingerprint: str, now: datetime
) -> Certificate:
    """Certify, then switch PostgreSQL and the snapshot file to the new state, each atomically."""
    from tieout.doors import door
    from tieout.doors.published import record_tables
    from tieout.fingerprint import schema_hashes
    from tieout.tie.certificate import issue
    from tieout.tie.report_issue import issue_reports
    from tieout.transform.dbt import target
    from tieout.transform.fingerprints import model_fingerprints

    publish_id = f"P{now:%Y%m%dT%H%M%S}-{fingerprint[:8]}"
    with connect(settings.warehouse) as con:
        version = definition_version(settings.project)
        sources = read_sources(settings.sources)
        certificate = issue(
            con,
            publish_id,
            run_id,
            said,
            version,
            now,
            sources,
            reservations(settings, sources),
            door.policy_version(settings),
        )
        issue_reports(settings, con, certificate, sources)
        hashes = schema_hashes(con, ("marts", "metrics"))
    progress.start("publish")
    crash_point("publish")
    done = door.publish(settings, certificate, hashes, progress)
    crash_point("published")
    definitions = model_fingerprints(target(settings) / "manifest.json", settings.project)
    with connect(settings.warehouse) as con:
        record_tables(con, publish_id, hashes, done.in_snapshot, definitions)
        con.execute(
            "insert or replace into ops.publish values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                publish_id,
                run_id,
                fingerprint,
                done.data_hash,
                done.tables,
                done.rows,
                done.snapshot.name,
                done.door,
                now,
            ],
        )
    keep_numbers(settings, progress, publish_id, sources)
    page(settings, progress, now)
    progress.end(
        f"{done.rows:,} rows in {done.tables} tables, {done.copied} of them new, "
        f"to {done.door} and {done.snapshot.name}"
    )
    return certificate


def keep_numbers(
    settings: Settings, progress: Progress, publish_id: str, sources: Mapping[str, Source]
) -> None:
    """Enter a publish into the restatement ledger, once; what fails here is made up for by the next refresh."""
    from tieout.metrics.restate import record
    from tieout.transform.dbt import target

    keys = {
        (source.name, stream): promised.key
        for source in sources.values()
        for stream, promised in source.streams.items()
    }
    crash_point("restate")
    try:
        with connect(settings.warehouse) as con:
            manifest = target(settings) / "manifest.json"
            found = record(con, settings.snapshots, publish_id, keys=keys, manifest=manifest)
    except Exception as error:  # the publish stands; its numbers are still to be compared
        progress.warn(
            f"the published numbers were not compared: {type(error).__name__}: {error}. The next refresh does it."
        )
        return
    if found.restated:
        progress.warn(str(found))


def page(settings: Settings, progress: Progress, now: datetime) -> None:
    """Write the page people look at: the last publish, and whether a later run was stopped."""
    from tieout.pages.board import write_board
    from tieout.pages.dictionary import write_dictionary

    try:
        with connect(settings.warehouse) as con:
            sources = read_sources(settings.sources)
            write_board(con, settings.pages, sources, now)
            write_dictionary(con, settings.pages, sources, now)
    except Exception as error:  # the numbers stand as they are; a page that fails must not say otherwise
        progress.warn(f"the page was not written: {type(error).__name__}: {error}")


# --- what a result depends on, and what is published ----------------------------------------------


def inputs(settings: Settings, waiting: Sequence[str] | None = None) -> str:
    """Fingerprint of everything a publish depends on: loaded rows, definitions, and what it is without."""
    if waiting is None:
        waiting = reservations(settings, read_sources(settings.sources))
    mark = hashlib.sha256("".join(waiting).encode()).hexdigest()[:4] if waiting else ""
    with connect(settings.warehouse) as con:
        decided = decided_version(settings.master)
        return f"{raw_version(con)}{definition_version(settings.project)}{decided}{mark}"


def last_publish(settings: Settings) -> dict[str, str] | None:
    """The newest line of `ops.publish`, if anything was ever published."""
    if not settings.warehouse.is_file():
        return None
    with connect(settings.warehouse) as con:
        cursor = con.execute("select * from ops.publish order by published_at desc limit 1")
        names = [item[0] for item in cursor.description]
        row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def _still_there(settings: Settings, last: dict[str, str]) -> bool:
    from tieout.doors.door import holds

    return holds(settings, last["publish_id"], last["snapshot"])


def _reserved(settings: Settings) -> bool:
    """Whether what was loaded speaks against a certificate: rows in quarantine, totals that do not agree."""
    with connect(settings.warehouse) as con:
        row = con.execute(
            "select exists (from ops.quarantine_open) or exists (from ops.control_now where not agrees)"
        ).fetchone()
        return bool(row and row[0])


# --- one run at a time, and runs that are killed --------------------------------------------------


@contextmanager
def only_one(settings: Settings) -> Generator[None]:
    """Hold the installation's refresh lock; the kernel frees it if this process is killed.

    Raises: Busy if another refresh holds it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "refresh.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Busy(
                f"another refresh is running here (process {file.read().strip() or 'unknown'}). "
                f"Nothing was done; wait for it, then repeat."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def stoppable() -> Generator[None]:
    """Let SIGTERM end a run like Ctrl-C does: transactions are rolled back, servers stopped."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


_passed: dict[str, int] = {}


def crash_point(step: str) -> None:
    """Kill this process at `step` if a test asks for it: TIEOUT_CRASH_AT=<step>[:<n>] (the n-th time).

    Proof that a kill at any point is harmless needs a kill at that point, not near it.
    """
    wanted, _, times = os.environ.get("TIEOUT_CRASH_AT", "").partition(":")
    if wanted != step:
        return
    _passed[step] = _passed.get(step, 0) + 1
    if _passed[step] >= int(times or 1):
        os.kill(os.getpid(), signal.SIGKILL)
