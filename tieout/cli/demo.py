"""`tieout demo`"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tieout.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from tieout.refresh import Outcome

# Three departments, three honest figures called "sales".
SALES = ("sales_order_amount_net", "sales_shipped_amount_net", "revenue_amount_net")


def demo() -> None:
    """Run everything on the sample company 华信精密装备: five systems in, certified numbers out.

    Sets up the company's systems (PostgreSQL, SQLite, CSV, Parquet and Excel), pulls, loads, builds,
    verifies and publishes, then shows what came out. The first run takes about a minute; the next one
    finds nothing changed and does nothing. Everything lies below var/ (TIEOUT_HOME).
    """
    from tieout.cli.company import company
    from tieout.cli.refresh import say
    from tieout.cli.show import Lines
    from tieout.refresh import refresh
    from tieout.settings import settings

    started = time.perf_counter()
    progress = Lines()
    progress.start("company")
    with company(settings(), build=True):
        progress.end("华信精密装备: PostgreSQL, SQLite, CSV, Parquet and Excel are up on this machine")
        outcome = refresh(settings(), progress)
    say(outcome)
    if outcome.state in ("published", "unchanged"):
        _screen(settings(), outcome)
    print(f"\n{time.perf_counter() - started:.1f} s in all")
    sys.exit(int(outcome.exit))


def _screen(settings: Settings, outcome: Outcome) -> None:
    from tieout.cli.open import published, working_copy

    with working_copy(settings) as con:
        _modules(con, settings)
        _rules(con)
    with published(settings) as con:
        _metrics(con)
    _next(settings)


def _modules(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    from sources.contract import read_sources
    from tieout.cli.show import heading, table
    from tieout.ingest.status import module_rows

    sources = read_sources(settings.sources)
    heading("Rows by module")
    rows = module_rows(con, sources)
    table(
        ["module", "system", "door", "streams", "rows", "quarantined"],
        [
            (
                row.module,
                sources[row.source].title.zh,
                sources[row.source].connector,
                row.streams,
                row.rows,
                row.quarantined,
            )
            for row in rows
        ],
    )


def _rules(con: duckdb.DuckDBPyConnection) -> None:
    from tieout.cli.show import heading, table
    from tieout.cli.tie import identity_table
    from tieout.tie.verdict import last_verified_run, verdict

    run = last_verified_run(con)
    assert run is not None
    checks = verdict(con, run).of("check")
    heading(f"Checks: {sum(rule.holds for rule in checks)} of {len(checks)} pass")
    off = [rule for rule in checks if not rule.holds]
    if off:
        table(
            ["", "check", "what", "owner"],
            [("!" if rule.blocks else "~", rule.title, rule.detail, rule.owner) for rule in off],
        )
    heading("Identities between departments")
    identity_table(con, brief=True)
    print(
        "  ✓ equal in every group  ≈ every cent of the difference has a cause  ✗ something is left unexplained"
    )


def _metrics(con: duckdb.DuckDBPyConnection) -> None:
    from tieout.cli.show import heading, table
    from tieout.metrics.answer import answer

    months: dict[object, dict[str, object]] = {}
    for name in SALES:
        for period, value in answer(con, name, grain="month").rows:
            months.setdefault(period, {})[name] = value
    heading("Three departments, three figures that used to be called “sales” (CNY, tax excluded)")
    table(
        [
            "month",
            "销售订单额 sales_order_amount_net",
            "仓库发货额 sales_shipped_amount_net",
            "财务收入 revenue_amount_net",
        ],
        [
            (f"{period:%Y-%m}", *(values.get(name) for name in SALES))
            for period, values in sorted(months.items(), key=str)
        ],
    )


def _next(settings: Settings) -> None:
    from tieout.cli.show import heading

    heading("Go on")
    home = settings.home
    lines = [
        ("why they differ", "tieout tie booked_to_shipped · tieout tie shipped_to_revenue"),
        ("which rows", "tieout trace revenue_amount_net --period 2025-11"),
        (
            "what came in",
            "tieout controls · tieout quarantine · tieout drift; tieout prove replay (six minutes)",
        ),
        ("SQL", 'tieout query "select * from metrics.metric_catalog"'),
        ("BI tools, psql", "make serve: prints the connection, the logins and where their passwords lie"),
        ("notebooks", f"duckdb.connect('{home / 'snapshots' / 'current.duckdb'}', read_only=True)"),
        ("pages", f"{home / 'pages' / 'index.html'}"),
        ("Dagster", "make dev, then http://127.0.0.1:3000"),
    ]
    for what, how in lines:
        print(f"  {what:<16} {how}")
    print("  (the command line is .venv/bin/tieout; `source .venv/bin/activate` shortens it)")
