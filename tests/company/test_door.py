"""The SQL door as a BI tool meets it: TLS, a person's own login, the same number as everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal

import pytest

from tests.company.truth import monthly

pytestmark = [pytest.mark.company]


@pytest.fixture(scope="module")
def door(company):
    """`tieout serve` on a free port; yields the connection words without a user."""
    env = {**os.environ, "TIEOUT_HOME": str(company.home), "PYTHONUNBUFFERED": "1"}
    serving = subprocess.Popen(
        [sys.executable, "-m", "tieout.cli", "serve", "--port", "0"],
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = []
        for line in serving.stdout:
            lines.append(line)
            if line.startswith("psql"):
                break
        found = re.search(r'psql +"(.*) user=', "".join(lines))
        assert found, lines
        yield found[1]
    finally:
        serving.terminate()
        serving.wait(20)


def password(company, login: str) -> str:
    return json.loads((company.home / "secrets" / "logins.json").read_text())[login]


def connection(company, door: str, login: str):
    import psycopg

    return psycopg.connect(f"{door} user={login}", password=password(company, login), autocommit=True)


def test_one_metric_is_the_same_number_through_every_door(company, door):
    months = monthly(4)
    with connection(company, door, "bi_finance") as con:
        assert con.info.pgconn.ssl_in_use
        through_psql = dict(
            con.execute(
                "select to_char(period_start, 'YYYY-MM'), value from metrics.metric_values"
                " where metric_name = 'revenue_amount_net' and time_grain = 'month' and dim_set = 'all'"
            ).fetchall()
        )
        from_marts = dict(
            con.execute(
                "select to_char(entry_date, 'YYYY-MM'), sum(revenue_amount_cny) from marts.fct_ledger_entry_line"
                " where is_revenue group by 1"
            ).fetchall()
        )
    said = company.run("metric", "revenue_amount_net", "--grain", "month", "--csv").stdout.splitlines()[1:]
    from_command = {line.split(",")[0][:7]: Decimal(line.split(",")[1]) for line in said}
    from_snapshot = company.run(
        "query", "--csv",
        "select strftime(entry_date, '%Y-%m'), sum(revenue_amount_cny) from marts.fct_ledger_entry_line"
        " where is_revenue group by 1",
    ).stdout.splitlines()[1:]  # fmt: skip
    in_snapshot = {line.split(",")[0]: Decimal(line.split(",")[1]) for line in from_snapshot}
    assert through_psql == from_marts == from_command == in_snapshot == months


def test_a_restricted_login_sees_its_tables_and_no_others(company, door):
    import psycopg

    with connection(company, door, "bi_sales") as con:
        tables = {
            row[0]
            for row in con.execute(
                "select table_name from information_schema.tables where table_schema = 'marts'"
            ).fetchall()
        }
        assert {"fct_sales_order_line", "dim_customer"} <= tables
        assert "fct_ledger_entry_line" not in tables
        assert "dim_employee" not in tables
        for statement in (
            "select * from marts.fct_ledger_entry_line",
            "select * from marts.dim_employee",
            "delete from marts.dim_customer",
            "create table marts.mine (a int)",
            "create table mine (a int)",
            "copy (select 1) to '/tmp/x'",
            "set role tieout_owner",
            "select pg_read_file('/etc/passwd')",
        ):
            with pytest.raises(psycopg.Error):
                con.execute(statement)
        assert con.execute("select count(*), count(phone) from marts.dim_customer").fetchone()[1] == 0


def test_personal_columns_are_null_below_their_clearance(company, door):
    with connection(company, door, "bi_analyst") as con:
        assert con.execute(
            "select count(*) > 0, count(employee_name) from marts.dim_employee"
        ).fetchone() == (True, 0)
    with connection(company, door, "bi_people") as con:
        named = con.execute("select count(employee_name) from marts.dim_employee").fetchone()[0]
    assert named >= 14


def test_comments_are_in_chinese_and_english(company, door):
    with connection(company, door, "bi_sales") as con:
        comment = con.execute("select obj_description('marts.fct_sales_order_line'::regclass)").fetchone()[0]
    assert "销售订单行" in comment
    assert "One row per" in comment


def test_clear_text_and_wrong_passwords_are_refused(company, door):
    import psycopg

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"{door} user=bi_sales", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="TLS"):
        psycopg.connect(
            f"{door} user=bi_sales".replace("sslmode=verify-full", "sslmode=disable"),
            password=password(company, "bi_sales"),
        )


@pytest.mark.skipif(shutil.which("psql") is None, reason="no psql on this machine")
def test_psql_itself(company, door):
    done = subprocess.run(
        ["psql", f"{door} user=bi_sales", "-At", "-c", r"\dv marts.*", "-c",
         "select value from metrics.metric_values where metric_name = 'sales_order_amount_net'"
         " and time_grain = 'month' and dim_set = 'all' and period_start = '2025-11-01'"],
        env={**os.environ, "PGPASSWORD": password(company, "bi_sales")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "fct_sales_order_line" in done.stdout
    assert Decimal(done.stdout.splitlines()[-1]) == monthly(6)["2025-11"]
