"""`tieout sync` (behind `make sync`)"""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def sync(
    check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if a generated file is stale.")] = False,
) -> None:
    """Write the files that are generated from contracts, metrics and identities."""
    from tieout import sync as generated
    from tieout.settings import settings

    stale = generated.differing(settings()) if check else generated.write(settings())
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(settings().project)}")
    if check and stale:
        print("run `make sync`")
    objections = _objections() if check else []
    for line in objections:
        print(line)
    if check and (stale or objections):
        sys.exit(1)


def _objections() -> list[str]:
    """Definitions of metrics that nobody agreed to."""
    from tieout.metrics.approve import objections
    from tieout.metrics.definitions import read_yaml
    from tieout.settings import settings

    project = settings().dbt_project
    return [str(item) for item in objections(project, read_yaml(project / "models" / "metrics"))]
