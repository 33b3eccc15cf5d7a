"""What a refresh costs against plain dbt, when everything, something and nothing has changed.

Each command runs as a process of its own; CPU is user + system of it and all its children, read from the
kernel when they have ended. The order is fixed and every ratio is of two commands of the same run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds of one command."""

    cpu: float
    wall: float


def cost(command: list[str], env: dict[str, str]) -> Cost:
    """Run a command to its end.

    Raises: subprocess.CalledProcessError if it fails; a benchmark of failures measures nothing.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, env=env, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(cpu, time.perf_counter() - started)


def median(costs: list[Cost]) -> Cost:
    return sorted(costs, key=lambda item: item.cpu)[len(costs) // 2]


def main(rounds: int = 1) -> None:
    tieout = [sys.executable, "-m", "tieout.cli"]
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        env = {
            **os.environ,
            "TIEOUT_HOME": str(home),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }
        dbt_env = {**env, "TIEOUT_WAREHOUSE": str(home / "warehouse.duckdb"), "DBT_VERSION_CHECK": "false"}
        dbt = [
            sys.executable, "-m", "dbt.cli.main", "build", "--project-dir", "dbt_project", "--profiles-dir", "dbt_project",
            "--target-path", str(home / "dbt"), "--log-path", str(home / "logs" / "dbt"), "--quiet",
        ]  # fmt: skip
        first = cost([*tieout, "demo"], env)
        found: dict[str, list[Cost]] = {"dbt": [], "nothing": [], "models": [], "all": [], "dagster": []}
        job = ["dev", "--", "job", "execute", "-m", "pipelines.definitions", "-j", "refresh_all"]
        build = "from tieout.settings import settings; from tieout.transform.dbt import build; build(settings(), lambda node: None)"
        for _ in range(rounds):
            found["dbt"].append(cost(dbt, dbt_env))
            found["models"].append(cost([sys.executable, "-c", build], env))
            found["nothing"].append(cost([*tieout, "refresh"], env))
            found["all"].append(cost([*tieout, "refresh", "--force"], env))
            found["dagster"].append(cost([*tieout, *job], env))
    plain = median(found["dbt"])
    rows = [
        ("first run of the demo, sample company set up", first, None),
        ("plain `dbt build`, command line", plain, None),
        ("models and tests inside a refresh", median(found["models"]), plain),
        ("refresh, nothing changed", median(found["nothing"]), plain),
        ("refresh --force: build, metrics, suites, identities, publish", median(found["all"]), plain),
        ("the same as a Dagster job", median(found["dagster"]), median(found["all"])),
    ]
    print("| what | CPU s | wall s | ratio |\n|---|---|---|---|")
    for what, item, against in rows:
        ratio = (
            f"{item.cpu / against.cpu:.2f} × {'refresh --force' if against is not plain else 'plain dbt'}"
            if against
            else "–"
        )
        print(f"| {what} | {item.cpu:.1f} | {item.wall:.1f} | {ratio} |")


if __name__ == "__main__":
    main(rounds=int(sys.argv[1]) if len(sys.argv) > 1 else 1)
