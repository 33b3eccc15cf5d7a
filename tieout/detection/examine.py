"""Run the trials one after the other, each in a process and an installation of its own, and score them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tieout.detection import trial as one
from tieout.detection.clean import Keys
from tieout.detection.key import Fault, planted
from tieout.detection.score import Score, Trial, score
from tieout.fingerprint import definition_version
from tieout.settings import PROJECT, Settings

GROUP, CLEAN, STRANGERS = "group", "clean", "strangers"
_DONE = "done.json"
_STRANGE_SEED = 1_000_000  # no trial is planted with it


class ExamError(Exception):
    """A trial could not be run to its end; the message says which and where its log lies."""


@dataclass(frozen=True)
class Result:
    """What was measured, when, where and of what; `seconds` is what all trials together took."""

    score: Score
    when: datetime
    commit: str
    machine: str
    seconds: float


@dataclass(frozen=True)
class _Plan:
    name: str
    count: int
    seed: int
    overlap: bool = False


def examine(
    folder: Path,
    report: Callable[[str], None],
    *,
    seeds: int = 3,
    first: int = 1,
    dense: bool = True,
    overlap: bool = True,
    jobs: int = 1,
) -> Result:
    """Plant, refresh and compare.

    Args:
        folder: For the trials; those that are done there, by the same definitions, are not run again.
        report: Called after each trial with what it took.
        seeds: How many trials have one fault of every kind.
        first: The seed of the first of them; the others follow.
        dense: One more has two of every kind.
        overlap: One more has several faults on one key.
        jobs: Trials at a time.

    Raises: ExamError if a trial cannot be run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    version = definition_version(PROJECT)
    group = folder / GROUP
    if not (group / "huachen" / ".built.json").is_file():
        _group(group)
    strangers = _strangers(folder, group)
    plans = [_Plan(f"one of each, seed {seed}", 1, seed) for seed in range(first, first + seeds)]
    after = first + seeds
    plans += [_Plan(f"two of each, seed {after}", 2, after)] if dense else []
    plans += [_Plan(f"several on one key, seed {after + 1}", 1, after + 1, overlap=True)] if overlap else []
    with ThreadPoolExecutor(jobs) as pool:
        everything = [_Plan(CLEAN, 0, 0), *plans]
        seconds = list(pool.map(lambda plan: _run(plan, folder, group, version, report), everything))
    took = sum(seconds)
    trials = []
    for plan, spent in zip(plans, seconds[1:], strict=True):
        home = folder / _slug(plan)
        faults = planted(home / "huachen")
        trials.append(Trial(plan.name, tuple(faults), tuple(one.findings(home)), tuple(strangers), spent))
    keys = Keys(group / "huachen", PROJECT / "sandbox" / "huaxin" / "truth")
    measured = score(trials, one.findings(folder / CLEAN), keys.holds)
    return Result(measured, datetime.now(UTC), _commit(), _machine(), took)


def _group(home: Path) -> None:
    """Both companies of the sample group, freshly built."""
    from tieout.cli.company import company

    with company(Settings(home=home), build=True):
        pass


def _strangers(folder: Path, group: Path) -> list[Fault]:
    """Faults of another seed in a company that is never pulled."""
    home = folder / STRANGERS
    if not home.exists():
        one.copied_group(group, home)
        one.plant(home / "huachen", 1, _STRANGE_SEED)
    return planted(home / "huachen")


def _run(plan: _Plan, folder: Path, group: Path, version: str, report: Callable[[str], None]) -> float:
    """Run a trial if it has not been run by these definitions; returns what it took."""
    home = folder / _slug(plan)
    done = home / _DONE
    if done.is_file():
        said = json.loads(done.read_text("utf-8"))
        if said["version"] == version:
            report(f"{plan.name}: done before")
            return said["seconds"]
    shutil.rmtree(home, ignore_errors=True)
    log = folder / f"{_slug(plan)}.log"
    command = [
        sys.executable,
        "-m",
        "tieout.detection.trial",
        str(home),
        str(group),
        str(plan.count),
        str(plan.seed),
    ]
    began = time.perf_counter()
    with log.open("wb") as out:
        code = subprocess.run(
            [*command, *(["--overlap"] if plan.overlap else [])],
            env={**os.environ, "PYTHONPATH": str(PROJECT), one.SEVERITY: "warn"}, stdout=out, stderr=out,
        ).returncode  # fmt: skip
    if code:
        last = log.read_text("utf-8", errors="replace").strip().splitlines()[-3:]
        raise ExamError(
            f"{plan.name}: the trial ended with {code}. Nothing was measured. Its last words: {' '.join(last)} "
            f"With --folder, its whole log stays."
        )
    seconds = time.perf_counter() - began
    done.write_text(json.dumps({"version": version, "seconds": seconds}), "utf-8")
    report(f"{plan.name}: {seconds:.0f} s")
    return seconds


def _slug(plan: _Plan) -> str:
    return plan.name.replace(",", "").replace(" ", "-")


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True
    )
    return asked.stdout.strip() or "unknown"


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, Python {platform.python_version()}"
