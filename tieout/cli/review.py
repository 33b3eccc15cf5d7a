"""`tieout review`"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

import typer


def review(
    month: Annotated[str | None, typer.Option(help="2026-10; left out: the month of today.")] = None,
) -> None:
    """Write the monthly review pack: one page for the meeting where departments look at their numbers together.

    \b
    tieout review                    this month so far
    tieout review --month 2026-10    a month that is over, as far as the control tables know it

    Certificates of reports over the month, how much ties out by count and by value, what is unexplained by owner and
    age, checks that failed and for how long, scores with their trend, quarantine, restatements, open cases.
    """
    from datetime import UTC, datetime

    from sources.contract import read_sources
    from tieout.cli.errors import CommandError
    from tieout.cli.open import working_copy
    from tieout.pages.monthly import write_monthly
    from tieout.pages.monthly_content import read_month
    from tieout.settings import settings
    from tieout.tie.scores import modules_of

    now = datetime.now(UTC)
    sources = read_sources(settings().sources)
    zones = {source.timezone for source in sources.values()}
    zone = next(iter(zones)) if len(zones) == 1 else "UTC"
    if month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise CommandError(f"--month {month}: say year and month, for example 2026-10. Nothing was written.")
    first = date.fromisoformat(f"{month}-01") if month else now.date().replace(day=1)
    with working_copy(settings()) as con:
        found = read_month(
            con, first, modules_of(settings().dbt_project / "models" / "marts"), sources, zone, now
        )
    if not found.runs and not found.publishes:
        raise CommandError(f"nothing was verified or published in {first:%Y-%m}. Nothing was written.")
    path = write_monthly(found, settings().pages, zones, now)
    open_checks = sum(item.is_open for item in found.failing)
    print(
        f"{first:%Y-%m}: {found.runs} runs, {found.certified} of {found.publishes} publishes certified, "
        f"{sum(not item.reasons for item in found.reports)} of {len(found.reports)} reports certified at the last, "
        f"{len(found.breaks)} identities with an unexplained part, {open_checks} checks that do not hold"
    )
    print(path)
