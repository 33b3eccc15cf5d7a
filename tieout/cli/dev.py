"""`tieout dev`"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Annotated

import typer


def dev(
    port: Annotated[int, typer.Option(help="Port of the pages.")] = 3000,
    command: Annotated[list[str] | None, typer.Argument(help="Another Dagster command, after --.")] = None,
) -> None:
    """Open Dagster: the whole graph, its runs, checks and schedule, at http://127.0.0.1:3000.

    The sample company's systems run as long as it is open, so the job `refresh_all` works at once.

    \b
    tieout dev
    tieout dev -- job execute -m pipelines.definitions -j refresh_all   one run, without the pages
    """
    from tieout.cli.company import company
    from tieout.settings import settings

    home = settings().home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(settings().project / "pipelines" / "dagster.yaml", home / "dagster.yaml")
    arguments = command or ["dev", "-w", "workspace.yaml", "-p", str(port)]
    with company(settings()):
        env = {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}
        run = subprocess.run([sys.executable, "-m", "dagster", *arguments], env=env, cwd=settings().project)
    sys.exit(run.returncode)
