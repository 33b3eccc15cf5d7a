"""Every governed metric is the same number through every door: library, long table, macro, wide view, command line,
PostgreSQL, and a snapshot that was copied and renamed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import duckdb
import pytest

from tests.company.conftest import Group
from tieout.engine import connect, literal
from tieout.metrics.answer import answer
from tieout.metrics.definitions import parse
from tieout.metrics.engine import Engine
from tieout.settings import PROJECT
from tieout.strict import from_yaml

pytestmark = [pytest.mark.company, pytest.mark.slow]

Cells = dict[tuple[date | None, tuple[str | None, ...]], Decimal]
Long = dict[tuple[str, str, str], Cells]
# Ratios are binary fractions in the library, eight places in the long table.
PLACES = Decimal("0.00000001")


@pytest.fixture(scope="module")
def published(group: Group) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect((group.home / "snapshots" / "current.duckdb").resolve(), read_only=True) as con:
        yield con


LONG = "select metric_name, time_grain, dim_set, period_start, dims, value from metrics.metric_values"


def long_table(rows: list[tuple]) -> Long:
    found: Long = defaultdict(dict)
    for name, grain, dim_set, start, dims, value in rows:
        members = json.loads(dims)
        found[name, grain, dim_set][start, tuple(members[key] for key in sorted(members))] = value
    return found


@pytest.fixture(scope="module")
def stored(published: duckdb.DuckDBPyConnection) -> Long:
    return long_table(published.execute(LONG).fetchall())


def names(stored: Long) -> list[str]:
    return sorted({name for name, _, _ in stored})


def same(found: Cells, expected: Cells) -> bool:
    return found.keys() == expected.keys() and all(
        found[key] == value or (isinstance(found[key], float) and abs(Decimal(found[key]) - value) <= PLACES)
        for key, value in expected.items()
    )


def asked(con: duckdb.DuckDBPyConnection, name: str, grain: str, dim_set: str) -> Cells:
    """What the library says of one slice of the long table."""
    by = () if dim_set == "all" else tuple(dim_set.split(","))
    dated = grain != "all"
    rows = answer(con, name, grain, by).rows
    return {(row[0] if dated else None, tuple(row[dated:-1])): row[-1] for row in rows}


def test_every_metric_is_published(group: Group, stored: Long) -> None:
    written = {
        metric["name"]
        for path in (PROJECT / "dbt_project" / "models" / "metrics").glob("*.yml")
        for metric in (from_yaml(path.read_text(encoding="utf-8")) or {}).get("metrics", [])
    }
    assert set(names(stored)) == written and len(written) >= 64
    # the working copy says what was published from it
    assert long_table(group.rows(LONG)) == stored


def test_the_library_says_what_the_long_table_holds(published, stored):
    """On the snapshot, whose personal columns are empty: no metric stands on one of them."""
    for (name, grain, dim_set), expected in stored.items():
        if grain == "month":
            assert same(asked(published, name, grain, dim_set), expected), (name, grain, dim_set)


def test_the_macro_says_what_the_long_table_holds(published, stored):
    for (name, grain, dim_set), expected in stored.items():
        if grain == "month":
            rows = published.execute(
                "select metric_name, time_grain, dim_set, period_start, dims, value"
                f" from metrics.metric({literal(name)}, dims_by := {literal(dim_set)})"
            ).fetchall()
            assert long_table(rows) == {(name, grain, dim_set): expected}
    with pytest.raises(duckdb.Error, match="unknown metric, grain or dimensions: revenue / month / all"):
        published.execute("from metrics.metric('revenue')")


def test_the_wide_views_show_what_the_library_says(published, stored):
    manifest = published.execute("select content from metrics.semantic_manifest").fetchone()
    engine = Engine(parse(manifest[0]))  # views have names beside codes: sets that nobody stored
    metrics = set(names(stored))
    views = {
        name: [column for (column,) in published.execute(f"select column_name from (describe metrics.{name})").fetchall()]
        for (name,) in published.execute("select export_name from metrics.export_query").fetchall()
    }  # fmt: skip
    assert len(views) >= 15
    for view, columns in views.items():
        shown = [column for column in columns if column in metrics]
        by = [column for column in columns if column not in metrics and column != "period_start"]
        listed = ", ".join(columns)
        rows = [
            dict(zip(columns, row, strict=True))
            for row in published.execute(f"select {listed} from metrics.{view}").fetchall()
        ]
        for name in shown:
            in_view = {
                (row["period_start"], tuple(row[key] for key in by)): row[name]
                for row in rows
                if row[name] is not None
            }
            single = published.execute(engine.query(name, "month", by)).fetchall()
            library = {(row[0], tuple(row[1:-1])): row[-1] for row in single}
            assert in_view == library and rows, (view, name)


@pytest.mark.parametrize(
    "name", ["sales_order_amount_net", "stock_value_balance", "ticket_average_resolution_hours"]
)
def test_the_command_line_prints_what_the_long_table_holds(group: Group, stored: Long, name: str) -> None:
    printed = group.run("metric", name, "--grain", "month", "--csv").stdout
    found = {
        (date.fromisoformat(row["period_start"][:10]), ()): Decimal(row["value"])
        for row in csv.DictReader(io.StringIO(printed))
    }
    expected = stored[name, "month", "all"]
    assert found.keys() == expected.keys()
    assert all(abs(found[key] - value) <= PLACES for key, value in expected.items())


@pytest.fixture(scope="module")
def door(group: Group) -> Iterator[str]:
    """`tieout serve` on a free port; yields the connection words without a user."""
    serving = subprocess.Popen(
        [sys.executable, "-m", "tieout.cli", "serve", "--port", "0"],
        env={**os.environ, "TIEOUT_HOME": str(group.home), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines: list[str] = []
        for line in serving.stdout or ():
            lines.append(line)
            if line.startswith("psql"):
                break
        found = re.search(r'psql +"(.*) user=', "".join(lines))
        assert found, lines
        yield found[1]
    finally:
        serving.terminate()
        serving.wait(20)


def test_postgresql_holds_every_value_of_the_long_table(group: Group, stored: Long, door: str) -> None:
    import psycopg

    password = json.loads((group.home / "secrets" / "logins.json").read_text())["bi_analyst"]
    with psycopg.connect(f"{door} user=bi_analyst", password=password, autocommit=True) as con:
        through = long_table(con.execute(LONG).fetchall())
    assert through == stored


def test_a_snapshot_copied_and_renamed_says_the_same(group: Group, stored: Long, tmp_path) -> None:
    """No query names the file it was compiled in."""
    renamed = tmp_path / "拷贝 of last week.duckdb"
    shutil.copy((group.home / "snapshots" / "current.duckdb").resolve(), renamed)
    with connect(renamed, read_only=True) as con:
        assert long_table(con.execute(LONG).fetchall()) == stored
        seen = set()
        for (name, grain, dim_set), expected in stored.items():
            if grain == "month" and name not in seen:
                seen.add(name)
                assert same(asked(con, name, grain, dim_set), expected), name
        assert seen == set(names(stored))
        view = con.execute("select sum(revenue_amount_net) from metrics.three_sales_monthly").fetchone()
    assert view and view[0] == sum(stored["revenue_amount_net", "month", "all"].values())
