"""`tieout refresh`"""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def refresh(
    force: Annotated[
        bool, typer.Option(help="Build, verify and publish even if nothing has changed.")
    ] = False,
) -> None:
    """Pull every source, load, build, verify, certify and publish. Safe to repeat, to kill and to run again.

    Connections come from the environment (`env:` references in sources/*/source.yaml); the sample
    company's are read from its doors.env.

    Exit codes: 0 published, or nothing had changed · 1 a strong rule broke, nothing published ·
    2 a source or file was refused, nothing published · 3 it could not be built ·
    4 published, but not certified (rows in quarantine).
    """
    from tieout.cli.company import company
    from tieout.cli.show import Lines
    from tieout.refresh import refresh as run
    from tieout.settings import settings

    with company(settings()):
        outcome = run(settings(), Lines(), force=force)
    say(outcome)
    sys.exit(int(outcome.exit))


def say(outcome) -> None:
    """One closing line on standard output; the reasons are on standard error already."""
    from tieout.refresh import Exit

    lines = outcome.message.splitlines()
    print(lines[0][0].upper() + lines[0][1:])
    if outcome.state == "failed":
        print("\n".join(lines[1:]), file=sys.stderr)
    if outcome.exit in (Exit.STRONG_RULE_BROKEN,):
        print(
            "Next: `tieout tie` shows each identity with its difference and cause; `tieout status` the checks."
        )
    if outcome.exit == Exit.SOURCE_REFUSED:
        print("Next: mend what the lines above name, then repeat; what has landed is not asked for again.")
    if outcome.certificate and not outcome.certificate.certified:
        print("Not certified: " + "; ".join(outcome.certificate.reasons))
