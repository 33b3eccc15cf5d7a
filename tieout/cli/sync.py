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
        sys.exit(1)
