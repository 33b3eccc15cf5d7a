"""One trial in a process of its own: copy a built group, plant, pull everything once, build, judge, write findings down.

    TIEOUT_TEST_SEVERITY=warn python -m tieout.detection.trial HOME GROUP COUNT SEED [--overlap]

COUNT 0 is the clean company.

The installation is a fresh one, so the first pull sees every fault. A renamed field stops the streams of its system, and
nothing else in them would be seen: those files are set aside for the first pull and looked at with a second one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tieout.detection.finding import Finding
from tieout.detection.key import EVERYTHING, Fault, belongs, planted
from tieout.settings import Settings

if TYPE_CHECKING:
    from tieout.ingest.intake.ask import Extracted

PARTS = ("company", "huachen")
FINDINGS = "findings.json"
SEVERITY = "TIEOUT_TEST_SEVERITY"  # a test of a model that fails says so, and stops nothing


def copied_group(group: Path, home: Path) -> Settings:
    """The systems of a built group in an installation of their own: nothing is loaded in it yet."""
    home.mkdir(parents=True)
    for part in PARTS:
        # owners of files are kept: PostgreSQL insists on its own
        subprocess.run(["cp", "-a", str(group / part), str(home / part)], check=True)
        for file in (home / part).glob("*.env"):  # doors are written down with their whole paths
            file.write_text(file.read_text("utf-8").replace(str(group), str(home)), "utf-8")
    return Settings(home=home)


def plant(folder: Path, count: int, seed: int, *, overlap: bool = False) -> list[Fault]:
    """Plant `count` of every kind; the company's own program does it."""
    command = [sys.executable, "-m", "sandbox.huachen", "plant", "mix", "--doors", str(folder)]
    command += ["--count", str(count), "--seed", str(seed), *(["--overlap"] if overlap else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"nothing could be planted: {done.stderr.strip()}")
    return planted(folder)


def run(settings: Settings, faults: list[Fault]) -> list[Finding]:
    """Pull, load, build and judge without publishing; a rule that does not hold stops nothing here."""
    from expectations.suite import record as record_checks
    from expectations.suite import run_suites
    from sources.contract import read_sources
    from tieout import refresh
    from tieout.cli.company import company
    from tieout.cli.show import Lines
    from tieout.detection import read
    from tieout.engine import connect
    from tieout.ingest.drift import open_holds
    from tieout.ingest.landing import Landing
    from tieout.ingest.wanted import Wanted
    from tieout.tie.results import record as record_identities
    from tieout.transform import dbt

    sources, progress, now = read_sources(settings.sources), Lines(), datetime.now(UTC)
    refresh.opened(settings, sources, "R1", now)
    systems = {source for fault in faults for source, stream, _ in fault.rows if stream == EVERYTHING}
    drifted = sorted(name for name in sources if any(belongs(name, system) for system in systems))
    again: list[Extracted] = []
    with company(settings):
        with _without_drift(settings):
            pulled = refresh.extract(settings, sources, progress, now)
        if refused := [f"{item.source}.{item.stream}: {item.error}" for item in pulled if item.error]:
            raise RuntimeError(
                f"{len(refused)} streams were refused before anything was renamed, such as {refused[0]}"
            )
        refresh.load(settings, sources, progress, now, [(i.source, i.stream) for i in pulled])
        if drifted:
            wanted = Wanted(tuple(drifted), full=True)
            again = refresh.extract(settings, sources, progress, datetime.now(UTC), wanted)
            reached(again)
            came = [(item.source, item.stream) for item in again if not item.error]
            refresh.load(settings, sources, progress, datetime.now(UTC), came)
    found = read.held((item.source, item.stream, str(item.error)) for item in again if item.error)
    # of a field that no contract names it is said that it went or came, though nothing waits for it
    found += read.held(
        (item.source, item.stream, note)
        for item in again
        for note in item.notes
        if note.startswith((f"{item.source}.{item.stream}: ", f"{item.source}: its metadata changed"))
    )
    landing = Landing(settings.landing)
    found += read.held(
        (name, stream, batch.held or "")
        for name in sources
        for stream in sources[name].streams
        for batch in open_holds(landing, name, stream)
    )
    nodes: list[dbt.Node] = []
    progress.start("transform")
    dbt.build(settings, nodes.append, keep_views=True)
    progress.end(f"{len(nodes)} nodes")
    refresh.measure(settings, progress)
    checks = run_suites(settings.warehouse, settings.expectations / "suites")
    with connect(settings.warehouse) as con:
        record_checks(con, "R1", checks, now)
        record_identities(con, "R1", now)
        found += [*read.findings(con, checks), *read.tests(con, nodes, dbt.target(settings) / "compiled")]
        found += read.roots(con)
    return found


def reached(pulled: Iterable[Extracted]) -> None:
    """A system that could not be asked is no finding: nothing is measured then.

    Raises: Unreachable if nobody answered, or only with errors of the server's own.
    """
    from tieout.ingest.intake.http.client import Unreachable

    for item in pulled:
        if isinstance(item.error, Unreachable):
            raise item.error


@contextmanager
def _without_drift(settings: Settings) -> Generator[None]:
    """A block in which no system has renamed a field."""
    files = list((settings.home / "huachen" / "systems").glob("*.faults.json"))
    for file in files:
        file.replace(file.with_suffix(".aside"))
    try:
        yield
    finally:
        for file in files:
            file.with_suffix(".aside").replace(file)


def written(found: list[Finding]) -> str:
    """Findings as JSON."""
    return json.dumps([asdict(item) for item in found], ensure_ascii=False, default=_plain)


def findings(home: Path) -> list[Finding]:
    """What a trial wrote down."""
    said = json.loads((home / FINDINGS).read_text("utf-8"))
    return [_finding(item) for item in said]


def _finding(said: dict[str, Any]) -> Finding:
    amount = said["amount"]
    return Finding(
        said["kind"], said["rule"], said["says"], said["group"], said["title"],
        None if amount is None else Decimal(amount),
        frozenset((source, stream, key) for source, stream, key in said["rows"]),
        frozenset(said["documents"]),
        frozenset((rule, group) for rule, group in said["parts"]),
    )  # fmt: skip


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value)


def main(home: Path, group: Path, count: int, seed: int, *, overlap: bool) -> None:
    """What runs in the process of a trial."""
    settings = copied_group(group, home)
    faults = plant(home / "huachen", count, seed, overlap=overlap) if count else []
    (home / FINDINGS).write_text(written(run(settings, faults)), "utf-8")
    for name in ("landing", "dbt"):  # what is left is looked at by people: the warehouse and the stores
        shutil.rmtree(home / name, ignore_errors=True)


if __name__ == "__main__":
    _home, _group, _count, _seed, *_rest = sys.argv[1:]
    main(Path(_home), Path(_group), int(_count), int(_seed), overlap="--overlap" in _rest)
