"""The proof of replay: the same batches in order, shuffled, doubled and killed midway give the same tables.

Every variant is built in a process of its own and a warehouse of its own, on the landing as it is, and its tables
are compared by content hash with those of the batches loaded in order. The landing is only read; the warehouse
in use and what is published are only compared with.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sources.contract import Source, read_sources
from tieout.engine import INGEST_MEMORY, connect
from tieout.ingest.controls import compare_controls
from tieout.ingest.drift import effective_sources
from tieout.ingest.errors import IngestError
from tieout.ingest.landing import Landing, Manifest
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_batch, loadable
from tieout.ingest.replay import Difference, contents, differences, keep_compiled
from tieout.ingest.tables import ensure_raw_tables
from tieout.progress import Silent
from tieout.settings import Settings

IN_ORDER, SHUFFLED, DOUBLED = "in order", "shuffled", "doubled"
SEEDS = (1, 2, 3)
# A model in the middle of the project: what is built by then is half of the marts.
MODEL = 60


class ProofError(IngestError):
    """A variant could not be run to its end; nothing that is in use was touched."""


@dataclass(frozen=True)
class Variant:
    """One way to come from landing to tables; `kill` is where its first run dies (TIEOUT_CRASH_AT), if anywhere."""

    name: str
    order: str = IN_ORDER
    seed: int = 0
    kill: str | None = None


@dataclass(frozen=True)
class Proved:
    """One variant against the batches in order: `tables` compared, which of them differ, how long it took."""

    variant: str
    tables: int
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def equal(self) -> int:
        return self.tables - len(self.differences)


def variants(batches: int, *, raw_only: bool) -> list[Variant]:
    """Orders, repeats, and a kill at every boundary of a step."""
    found = [Variant(f"shuffled, seed {seed}", SHUFFLED, seed) for seed in SEEDS]
    found.append(Variant("every batch twice", DOUBLED))
    places = {"first": 1, "middle": (batches + 1) // 2, "last": batches}
    found += [Variant(f"killed after the {name} batch", kill=f"load:{n}") for name, n in places.items()]
    if not raw_only:
        found += [
            Variant("killed while models are built", kill=f"transform:{MODEL}"),
            Variant("killed before metrics", kill="measure"),
            Variant("killed before the verdict", kill="verify"),
        ]
    return found


def prove_replay(
    settings: Settings,
    folder: Path,
    report: Callable[[Proved], None],
    *,
    raw_only: bool = False,
    live: bool = True,
    jobs: int = 2,
) -> list[Proved]:
    """Run every variant and compare; `report` is called after each, from worker threads.

    Args:
        settings: Whose landing is replayed.
        folder: For the warehouses; emptied variant by variant.
        raw_only: Only raw tables and the ledger, no marts.
        live: Compare the warehouse in use too: it came from increments, this one from all batches at once.

    Raises: ProofError if there is nothing to replay, or if a variant cannot be run.
    """
    from tieout.refresh import only_one

    sources = read_sources(settings.sources)
    held = None
    with only_one(settings):  # only so long: what lands from here on is no part of the proof
        landing = _frozen(settings.landing, folder / "landing")
        if live and settings.warehouse.is_file():
            began = time.perf_counter()
            with connect(settings.warehouse, read_only=True) as con:
                held = contents(con, built=not raw_only)
            seconds = _since(began)
    batches = sum(len(loadable(landing, s.name, name)) for s in sources.values() for name in s.streams)
    if not batches:
        raise ProofError(
            f"{settings.landing} holds no batch of any stream. Nothing was proved; run `tieout refresh` first."
        )
    reference = folder / "in-order"
    began = time.perf_counter()
    expected = _run(settings, landing, reference, Variant(IN_ORDER), raw_only=raw_only)
    proved = [Proved("in order (the others are compared with it)", len(expected), (), _since(began))]
    report(proved[0])

    def compared(name: str, found: Mapping[str, str], seconds: float) -> Proved:
        one = Proved(name, len({*expected, *found}), tuple(differences(expected, found)), seconds)
        report(one)
        return one

    if held is not None:
        proved.append(compared("the warehouse in use (loaded as batches came)", held, seconds))

    def prove(variant: Variant) -> Proved:
        began, home = time.perf_counter(), folder / variant.name.replace(" ", "-").replace(",", "")
        parsed = reference / "dbt"
        if parsed.is_dir():  # dbt parses its project once
            shutil.copytree(parsed, home / "dbt")
            keep_compiled(reference / "warehouse.duckdb", home / "warehouse.duckdb")
        found = _run(settings, landing, home, variant, raw_only=raw_only)
        shutil.rmtree(home, ignore_errors=True)
        return compared(variant.name, found, _since(began))

    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="variant") as pool:
        proved += pool.map(prove, variants(batches, raw_only=raw_only))
    return proved


def _frozen(landing: Path, folder: Path) -> Landing:
    """The batches and decisions as they are now: links to batches, which never change."""
    for source in _folders(landing):
        if source.name.startswith("_"):
            shutil.copytree(source, folder / source.name)
            continue
        for stream in _folders(source):
            if stream.name.startswith("_"):
                shutil.copytree(stream, folder / source.name / stream.name)
                continue
            there = folder / source.name / stream.name
            there.mkdir(parents=True)
            for batch in _folders(stream):
                if not batch.name.startswith("."):
                    (there / batch.name).symlink_to(batch.resolve(), target_is_directory=True)
    return Landing(folder)


def _folders(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []


def _run(
    settings: Settings, landing: Landing, home: Path, variant: Variant, *, raw_only: bool
) -> dict[str, str]:
    """Build one variant in processes of its own; returns the content hash of every table."""
    home.mkdir(parents=True, exist_ok=True)
    # Keys that were given are part of what is replayed; each variant goes on from a copy of its own.
    own = Settings(home=home)
    own.landing.mkdir()
    for there in landing.root.iterdir():
        if there.name == own.master.name:
            shutil.copytree(there, own.master)
        else:
            (own.landing / there.name).symlink_to(there, target_is_directory=True)
    if variant.kill:
        code = _process(settings, home, variant, raw_only=raw_only, kill=variant.kill)
        if code != -signal.SIGKILL:
            raise ProofError(
                f"{variant.name}: the run should have been killed at {variant.kill}, but ended with {code}. "
                f"Nothing was proved. Details: {home / 'run.log'}"
            )
    code = _process(settings, home, variant, raw_only=raw_only)
    if code:
        last = (home / "run.log").read_text(encoding="utf-8").strip().splitlines()[-1:]
        raise ProofError(
            f"{variant.name}: did not come to its end ({' '.join(last) or code}). Nothing was proved; "
            f"`tieout replay --check` shows the same failure with its details."
        )
    with connect(home / "warehouse.duckdb", read_only=True) as con:
        return contents(con, built=not raw_only)


def _process(
    settings: Settings, home: Path, variant: Variant, *, raw_only: bool, kill: str | None = None
) -> int:
    environment = {key: value for key, value in os.environ.items() if key != "TIEOUT_CRASH_AT"}
    if kill:
        environment["TIEOUT_CRASH_AT"] = kill
    # Checks are part of a run only where it dies before their verdict; else they would cost a third of the time.
    steps = "load" if raw_only else "verify" if kill == "verify" else "measure"
    with (home / "run.log").open("ab") as log:
        return subprocess.run(
            [sys.executable, "-m", "tieout.proof", str(home), variant.order, str(variant.seed), steps],
            env={**environment, "PYTHONPATH": str(settings.project)},
            stdout=log,
            stderr=log,
        ).returncode


# --- what runs in the process of a variant ----------------------------------------------------------


def steps(settings: Settings, order: str, seed: int, last: str) -> None:
    """Load in one order, then build up to the step `last`: the same functions that a refresh runs."""
    from tieout.refresh import crash_point, measure, transform, verify

    landing = Landing(settings.landing)
    sources = effective_sources(read_sources(settings.sources), landing)
    now = datetime.now(UTC)
    with connect(settings.warehouse, memory=INGEST_MEMORY) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, sources)
        known = set(con.execute("select source, stream, batch_id from ops.batch").fetchall())
        for manifest in sequence(sources, landing, order, seed):
            if order == IN_ORDER and (manifest.source, manifest.stream, manifest.batch_id) in known:
                continue  # loaded before this process was killed
            load_batch(con, sources[manifest.source], landing, manifest, now)
            crash_point("load")
        compare_controls(con, sources, landing)
    if last == "load":
        return
    transform(settings, Silent())
    measure(settings, Silent())
    if last == "verify":
        verify(settings, Silent(), f"R{now:%Y%m%dT%H%M%S%f}", now)


def sequence(sources: Mapping[str, Source], landing: Landing, order: str, seed: int) -> list[Manifest]:
    """Every batch that may be loaded: in order, in a random one, or each of them twice in a row."""
    batches = [
        manifest
        for source in sources.values()
        for stream in source.streams
        for manifest in loadable(landing, source.name, stream)
    ]
    if order == SHUFFLED:
        random.Random(seed).shuffle(batches)
    if order == DOUBLED:
        batches = [manifest for manifest in batches for _ in range(2)]
    return batches


def _since(began: float) -> float:
    return time.perf_counter() - began


if __name__ == "__main__":
    _home, _order, _seed, _last = sys.argv[1:]
    steps(Settings(home=Path(_home)), _order, int(_seed), _last)
