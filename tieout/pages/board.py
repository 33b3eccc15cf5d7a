"""The board: one static page that says whether the departments' figures agree, and if not, why.

Everything is inside the one file, nothing is asked from outside, and nothing runs that this module did not write
(the page's own policy forbids other scripts). It opens from a folder, without a server.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

from sources.contract import Source
from tieout.pages import words
from tieout.pages.charts import Bars, Group, Waterfall, grouped_bars, waterfall
from tieout.pages.content import Board, Identity, Sales, read_board
from tieout.pages.words import Both, Clock, figure, month, named

if TYPE_CHECKING:
    import duckdb
    from jinja2 import Environment, FileSystemBytecodeCache
    from markupsafe import Markup

# Three departments, three honest figures called "sales", and the identities that lead from one to the next.
SALES = ("sales_order_amount_net", "sales_shipped_amount_net", "revenue_amount_net")
BRIDGES = ("booked_to_shipped", "shipped_to_revenue")

# The chart shows so many months, the table beneath it all.
MONTHS_DRAWN = 12

# The certificate states its reasons in English; these are the ones it has words for.
_REASONS = (
    (re.compile(r"(\d+) rows are in quarantine: .*"), "{0} 行在隔离区，合计中不含这些行"),
    (re.compile(r"control total (\S+) of (.+) does not agree: .*"), "{1} 的控制总数（{0}）不一致"),
    (re.compile(r"(\S+) is held since (\S+): .*"), "{0} 的结构有变，{1} 起的数据待人决定"),
    (re.compile(r"the publish has no certificate"), "这次发布没有证书"),
)


def write_board(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    sources: Mapping[str, Source],
    now: datetime,
    sales: Sequence[str] = SALES,
    bridges: Sequence[str] = BRIDGES,
) -> Path:
    """Write `<folder>/index.html` in one piece: whoever opens it sees the old page or the new one.

    Args:
        con: The warehouse; read-only is enough. What was never built is said on the page, not raised.
        sources: Contracts: titles, and which columns may be shown (L1 and L2).
        now: Aware; printed on the page.
        sales: Metrics compared month by month.
        bridges: Identities from the first of them to the second, from the second to the third, ...

    Returns: the file.
    """
    clock = Clock({source.timezone for source in sources.values()})
    text = page(read_board(con, sources, sales, bridges), clock, now)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "index.html"
    temporary = folder / f".index.html.{os.getpid()}"
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def page(board: Board, clock: Clock, now: datetime) -> str:
    """The page as HTML; values from the warehouse are escaped by the template."""
    style, script = asset("board.css"), asset("board.js")
    return (
        environment()
        .get_template("board.html.jinja")
        .render(
            board=board,
            words=words,
            style=style,
            script=script,
            policy=f"default-src 'none'; img-src data:; style-src {digest(style)}; script-src {digest(script)}",
            now=now,
            clock=clock,
            bars=_bars(board.sales) if board.sales and board.sales.months else None,
            falls={
                identity.result.identity: _fall(identity) for identity in board.identities if identity.steps
            },
            months_drawn=MONTHS_DRAWN,
        )
    )


def reason_in_chinese(reason: str) -> Both:
    """A reason of the certificate with its Chinese wording, if it is one of those we have words for."""
    for pattern, chinese in _REASONS:
        if match := pattern.fullmatch(reason):
            return Both(chinese.format(*match.groups()), reason)
    return Both(reason)


def _bars(sales: Sales) -> Bars:
    drawn = [period for period in sales.months if period is not None][-MONTHS_DRAWN:]
    groups = [
        Group(month(period), tuple(one.by_month.get(period) for one in sales.series)) for period in drawn
    ]
    return grouped_bars(groups, [one.metric.label for one in sales.series], sales.series[0].metric.unit)


def _fall(identity: Identity) -> Waterfall:
    return waterfall(
        [
            (step.name, step.title_zh, step.title_en, step.amount)
            for step in identity.steps
            if step.amount is not None  # it never is where a bridge is drawn: unlike units have none
        ]
    )


@cache
def environment() -> Environment:
    """Where the pages' templates are, and the words they use."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        bytecode_cache=_template_cache(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "breakable": _breakable,
        "figure": figure,
        "month": month,
        "named": named,
        "reason": reason_in_chinese,
    }
    return made


def _template_cache() -> FileSystemBytecodeCache | None:
    """Compiled templates lie beside compiled modules: a refresh is a new process, and compiling takes it 0.3 s."""
    from jinja2 import FileSystemBytecodeCache

    folder = Path(cache_from_source(__file__)).parent
    usable = not sys.dont_write_bytecode and folder.is_dir() and os.access(folder, os.W_OK)
    return FileSystemBytecodeCache(str(folder)) if usable else None


def _breakable(identifier: str) -> Markup:
    """A long identifier that may be broken after an underscore, and is still copied whole."""
    from markupsafe import Markup, escape

    return escape(identifier).replace("_", Markup("_<wbr>"))


@cache
def asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def digest(text: str) -> str:
    """An inline style or script as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
