"""The comparison as one page people can send: every figure, its causes, their documents."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from tieout.claimed.check import Report
from tieout.claimed.explain import CAUSES
from tieout.pages.board import asset, digest, environment
from tieout.pages.words import DEPARTMENT, TAX, TIME_ROLE, Both, named
from tieout.whole import write_whole

STATES = {
    "agrees": Both("相符", "agrees"),
    "explained": Both("已解释", "explained"),
    "unexplained": Both("未解释", "unexplained"),
}
# From here on a match by coincidence is worth a remark.
DOUBTFUL = 0.01


def write_page(report: Report, file: Path, now: datetime) -> None:
    """Write the page in one piece.

    Args:
        now: Aware; printed on the page.
    """
    style = asset("board.css")
    text = (
        environment()
        .get_template("claims.html.jinja")
        .render(
            report=report,
            states=STATES,
            causes=CAUSES,
            departments=DEPARTMENT,
            taxes=TAX,
            time_roles=TIME_ROLE,
            named=named,
            doubtful=DOUBTFUL,
            count={state: sum(item.state == state for item in report.checked) for state in STATES},
            style=style,
            policy=f"default-src 'none'; img-src data:; style-src {digest(style)}",
            now=now,
        )
    )
    write_whole(file, text)
