"""`tieout demo`"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from tieout.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from tieout.refresh import Outcome

# Three departments, three honest figures called "sales".
SALES = ("sales_order_amount_net", "sales_shipped_amount_net", "revenue_amount_net")


def demo(
    scale: Annotated[
        int | None,
        typer.Option(min=1, help="How large 华辰精工 is; 1 is the smallest. Kept for the next time."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Another seed is another 华辰精工. Kept for the next time.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="What 华辰精工's systems know ends on this day (2025-06-30), or with its history (end). A later day lets the "
            "same company live on: the next refresh loads what is new. Kept for the next time.",
        ),
    ] = None,
) -> None:
    """Run everything on the sample group: two companies, their systems in, certified numbers out.

    \b
    华信精密装备  an ERP company: PostgreSQL, SQLite, CSV, Parquet, Excel
    华辰精工      a manufacturer with a shop and a subsidiary abroad:
                 Kingdee, U8, Jiandaoyun, Feishu, DingTalk, SAP, Salesforce,
                 Jushuitan, Jira …, answered by emulators on this machine

    Sets their systems up, pulls through the real connectors, loads, builds, verifies and publishes, then
    shows what came out. The next run pulls only what is new. Everything lies below var/ (TIEOUT_HOME).

    \b
    tieout demo --scale 10                       ten times the business
    tieout demo --until 2025-06-30               half a year before the end; then --until end
    tieout source off 'hc_*' --unused --reason "one is enough"    with one company
    """
    from tieout.ahead import Ahead
    from tieout.cli.company import company
    from tieout.cli.refresh import say
    from tieout.cli.show import Lines
    from tieout.memory import peak_memory
    from tieout.refresh import refresh
    from tieout.settings import settings

    started = time.perf_counter()
    progress = Lines()
    progress.start("company")
    with Ahead(settings()) as ahead, ExitStack() as systems:
        with ahead.importing():
            systems.enter_context(company(settings(), build=True, scale=scale, seed=seed, until=until))
        progress.end("华信精密装备 and 华辰精工: their systems are up on this machine")
        outcome = refresh(settings(), progress, ahead=ahead)
    say(outcome)
    if outcome.state in ("published", "unchanged"):
        _screen(settings(), outcome)
    print(f"\n{time.perf_counter() - started:.1f} s in all, at most {peak_memory():,.0f} MB of memory")
    sys.exit(int(outcome.exit))


def _screen(settings: Settings, outcome: Outcome) -> None:
    from tieout.cli.master import master_table
    from tieout.cli.open import published, working_copy

    with working_copy(settings) as con:
        _modules(con, settings)
        master_table(con)
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
                sources[row.source].vendor or sources[row.source].connector,
                row.streams,
                row.rows,
                row.quarantined,
            )
            for row in rows
        ],
    )


def _rules(con: duckdb.DuckDBPyConnection) -> None:
    from tieout.cli.show import heading, table
    from tieout.cli.tie import company_table
    from tieout.tie.results import identity_results
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
    company_table(con, identity_results(con))
    print(
        "  ✓ equal in every group  ≈ every cent of the difference has a cause  ✗ something is left unexplained"
    )


def _metrics(con: duckdb.DuckDBPyConnection) -> None:
    from tieout.cli.show import heading

    heading("华信: three departments, three figures that used to be called “sales” (CNY, tax excluded)")
    _side_by_side(con, "month", "%Y-%m", {"company_code": "HX"})
    heading("The group: the same figures of every company and year, out of the same definitions")
    _side_by_side(con, "year", "%Y", {})
    print(
        "  HC sells to HCE too, and its shop is revenue without sales orders; HCE's deliveries are in no system"
    )


def _side_by_side(con: duckdb.DuckDBPyConnection, grain: str, shown: str, where: dict[str, str]) -> None:
    """The three figures by company and period, beside each other."""
    from tieout.cli.show import table
    from tieout.metrics.answer import answer

    found: dict[tuple[str, str], dict[str, object]] = {}
    for name in SALES:
        for period, company, value in answer(con, name, grain=grain, by=("company_code",), where=where).rows:
            found.setdefault((company, f"{period:{shown}}"), {})[name] = value
    table(
        [
            "company",
            grain,
            "销售订单额 sales_order_amount_net",
            "仓库发货额 sales_shipped_amount_net",
            "财务收入 revenue_amount_net",
        ],
        [(*key, *(values.get(name) for name in SALES)) for key, values in sorted(found.items())],
    )


def _next(settings: Settings) -> None:
    from tieout.cli.show import heading

    heading("Go on")
    home = settings.home
    lines = [
        ("why they differ", "tieout tie booked_to_shipped · tieout tie shipped_to_revenue"),
        ("who is who", "tieout master; tieout master review --page"),
        ("which rows", "tieout trace revenue_amount_net --period 2025-11 --where company_code=HX"),
        (
            "what came in",
            "tieout controls · tieout quarantine · tieout drift; tieout prove replay",
        ),
        ("what is wrong", "tieout cases; tieout standards check"),
        ("SQL", 'tieout query "select * from metrics.metric_catalog"'),
        ("BI tools, psql", "make serve: prints the connection, the logins and where their passwords lie"),
        ("notebooks", f"duckdb.connect('{home / 'snapshots' / 'current.duckdb'}', read_only=True)"),
        ("pages", f"{home / 'pages' / 'index.html'}"),
        ("Dagster", "make dev, then http://127.0.0.1:3000"),
    ]
    for what, how in lines:
        print(f"  {what:<16} {how}")
    print("  (the command line is .venv/bin/tieout; `source .venv/bin/activate` shortens it)")
