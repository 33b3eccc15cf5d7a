"""Scores and the monthly review, on hand-made control tables: three runs in a month, one before, one after."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tieout.engine import connect
from tieout.ingest.ledger import ensure_ledger
from tieout.pages.monthly import percent, spark, strip, write_monthly
from tieout.pages.monthly_content import read_month
from tieout.tie.scores import modules_of, scores

D = Decimal
ZONE = "Asia/Shanghai"
NOW = datetime(2026, 12, 20, 8, tzinfo=UTC)
MODULES = {"fct_order": "sales", "fct_entry": "finance"}
OCTOBER, FIRST, SECOND, THIRD, DECEMBER = (
    datetime(2026, 10, 30, 4, tzinfo=UTC), datetime(2026, 11, 2, 4, tzinfo=UTC), datetime(2026, 11, 12, 4, tzinfo=UTC),
    # 30 November 23:30 in Shanghai, and half an hour later
    datetime(2026, 11, 30, 15, 30, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC),
)  # fmt: skip


class Ledger:
    """Writes runs as a refresh would."""

    def __init__(self, con) -> None:
        self.con = con

    def run(self, name: str, at: datetime, *, failed: str = "", tied: str = "holds", off: str = "0") -> None:
        rules = [("fct_order", "key", "critical", "sales"), ("fct_order", "dated", "warning", "sales"),
                 ("fct_entry", "key", "critical", "finance"), ("fct_entry", "odd", "warning", "sales")]  # fmt: skip
        for table, check, severity, owner in rules:
            state = "passed" if f"{table}.{check}" not in failed.split() else "failed"
            self.con.execute(
                "insert into ops.check_result values (?, ?, ?, ?, ?, ?, ?, null, ?, ?, ?)",
                [
                    name,
                    f"marts.{table}",
                    table,
                    check,
                    f"{check}甲 / {check} A",
                    severity,
                    state,
                    7,
                    owner,
                    at,
                ],
            )
        self.con.execute(
            "insert into ops.identity_result values (?, 'a_is_b', '甲等于乙 / A is B', 'finance', 'warning', ?, 1000, 900,"
            " -100, -100, ?, 3, 1, ?)",
            [name, tied, D(off), at],
        )
        if D(off):  # two groups whose unexplained amounts would cancel out
            for group, amount in (("g1", D(off)), ("g2", -D(off)), ("g3", D(0))):
                if amount:
                    self.con.execute(
                        "insert into ops.break values (?, 'a_is_b', ?, 500, 450, -50, 'unexplained', ?, '[]', 'finance')",
                        [name, group, amount],
                    )

    def certificate(self, name: str, at: datetime, certified: bool) -> None:
        self.con.execute(
            "insert into ops.certificate (publish_id, run_id, certified, reasons, watermarks, issued_at)"
            " values (?, ?, ?, '[]', '{}', ?)",
            [name, name, certified, at],
        )
        reason = "[]" if certified else '[{"kind": "off", "zh": "系统停用 <b>", "en": "a system is off <b>"}]'
        self.con.execute(
            "insert into ops.report_certificate values (?, 'revenue', '收入 / Revenue', 'finance', ?, ?, '[]', '2026-10-31',"
            " null, 'd', '{}', ?)",
            [name, certified, reason, at],
        )
        self.con.execute(
            "insert into ops.publish values (?, ?, 'f', 'h', 1, 1, 's', 'd', ?)", [name, name, at]
        )


@pytest.fixture
def con(tmp_path):
    with connect(tmp_path / "warehouse.duckdb") as con:
        ensure_ledger(con)
        ledger = Ledger(con)
        ledger.run("R0", OCTOBER, failed="fct_entry.odd fct_order.dated")
        ledger.run("R1", FIRST, failed="fct_entry.odd", tied="broken", off="20")
        ledger.run("R2", SECOND, failed="fct_order.key", tied="broken", off="10")
        ledger.run("R3", THIRD, failed="fct_order.key", tied="broken", off="30")
        ledger.run("R4", DECEMBER)
        for name, at, good in (("R1", FIRST, True), ("R2", SECOND, False), ("R3", THIRD, False)):
            ledger.certificate(name, at, good)
        con.execute("create schema tie")
        con.execute(
            "create table tie.identity_result as select 'a_is_b' as identity, 'CNY' as unit, 1000 as left_total"
        )
        yield con


def november(con, **more):
    return read_month(con, date(2026, 11, 1), MODULES, {}, more.pop("zone", ZONE), more.pop("now", NOW))


# --- scores ---------------------------------------------------------------------------------------------


def test_a_strong_rule_weighs_as_much_as_three_weak_ones(con):
    found = {item.name: item for item in scores(con, "module", MODULES)}

    # sales: strong 3 + weak 1; finance: strong 3 + weak 1 + the identity 1
    assert [point.score for point in found["sales"].history] == [D("0.75"), 1, D("0.25"), D("0.25"), 1]
    assert [point.score for point in found["finance"].history] == [D("0.8"), D("0.6"), D("0.8"), D("0.8"), 1]
    assert found["sales"].moved == D("0.25")


def test_owners_are_scored_by_what_they_own_wherever_it_lies(con):
    found = {item.name: item for item in scores(con, "owner", MODULES, until=DECEMBER)}

    # sales owns two rules of fct_order and the odd one of fct_entry: 3 + 1 + 1
    assert found["sales"].history[-1].score == D(2) / 5
    assert (found["sales"].rules, found["sales"].held, found["sales"].failed) == (3, 2, 1)


def test_a_rule_that_could_not_run_counts_as_not_held(con):
    con.execute("update ops.check_result set status = 'error' where run_id = 'R4' and check_id = 'odd'")

    found = {item.name: item for item in scores(con, "module", MODULES)}

    assert (found["finance"].errors, found["finance"].failed) == (1, 0)
    assert found["finance"].score == D("0.8")


def test_modules_are_the_folders_of_the_marts(tmp_path):
    for place in ("sales/fct_order", "shared/dim_date"):
        path = tmp_path / f"{place}.sql"
        path.parent.mkdir()
        path.write_text("select 1", encoding="utf-8")

    assert modules_of(tmp_path) == {"fct_order": "sales", "dim_date": "shared"}


# --- the month -------------------------------------------------------------------------------------------


def test_a_month_begins_and_ends_at_midnight_of_the_company(con):
    assert [rate.run_id for rate in november(con).rates] == ["R1", "R2", "R3"]
    assert [rate.run_id for rate in november(con, zone="UTC").rates] == ["R1", "R2", "R3", "R4"]
    assert [rate.run_id for rate in november(con, now=SECOND + timedelta(1)).rates] == ["R1", "R2"]


def test_what_ties_out_by_value_lets_nothing_cancel(con):
    last = november(con).rates[-1]

    assert (last.identities, last.good, last.by_count) == (1, 0, 0)
    assert last.values == (("CNY", D(1000), D(60)),), "30 and -30 are 60 that nobody explains"


def test_an_unexplained_amount_is_as_old_as_its_unbroken_series(con):
    (found,) = november(con).breaks

    assert (found.identity, found.owner, found.groups, found.amount) == ("a_is_b", "finance", 2, D(60))
    assert (found.since, found.runs) == (FIRST, 3)
    # from 2 November 04:00 to midnight of 1 December in Shanghai
    assert found.days == 28


def test_failing_checks_are_open_or_mended_and_each_has_its_length(con):
    found = {(item.table, item.since): item for item in november(con).failing}

    still = found["marts.fct_order", SECOND]
    mended = found["marts.fct_entry", OCTOBER]
    assert (still.is_open, still.strong, still.days, still.runs, still.rows) == (True, True, 18, 2, 7)
    # it failed in October and at the first run of November, and was mended by the second
    assert (mended.is_open, mended.strong, mended.days, mended.runs) == (False, False, 3, 2)
    assert len(found) == 2, "what failed in October alone is not of this month"


def test_a_report_shows_every_publish_and_why_not_at_the_last(con):
    (found,) = november(con).reports

    assert [state for _, state in found.states] == [True, False, False]
    assert found.certified == 1
    assert [(reason.zh, reason.en) for reason in found.reasons] == [("系统停用 <b>", "a system is off <b>")]


def test_rows_set_aside_are_counted_in_the_month_and_at_its_end(con):
    rows = (("a", FIRST, None), ("b", FIRST, "b2"), ("c", OCTOBER, None), ("d", DECEMBER, None))
    for key, at, closed in rows:
        con.execute(
            "insert into ops.quarantine (source, stream, batch_id, origin, record_key, rule, reason, record, owner,"
            " quarantined_at, record_hash, closed_by) values ('tms', 'waybill', 'b1', 'o', ?, 'min', 'r', '{}', 'l', ?, 'x', ?)",
            [key, at, closed],
        )
    con.execute(
        "insert into ops.batch values ('tms', 'waybill', 'b2', '*', true, 'o', ?, ?, 1, 1, 0, 0, 0, 1, 'h', 'v')",
        [SECOND, SECOND],
    )

    assert november(con).quarantine == (("tms.waybill", 2, 2),)
    assert november(con, now=SECOND).quarantine == (("tms.waybill", 2, 3),), "b2 was not loaded yet"


def test_restatements_are_those_of_the_month_in_total_once(con):
    assert november(con).restated is None
    con.execute(
        "create table ops.restatement (publish_id text, metric_name text, time_grain text, dim_set text, cause text,"
        " amount decimal(38, 8))"
    )
    assert november(con).restated == ()
    con.execute(
        "insert into ops.restatement values ('R2', 'revenue', 'month', 'all', 'late_row', 5), ('R3', 'revenue', 'month', 'all',"
        " 'late_row', -2), ('R3', 'revenue', 'month', 'customer_code', 'late_row', 5), ('R0', 'revenue', 'month', 'all', 'x', 9)"
    )

    (found,) = november(con).restated

    assert (found.metric, found.cause, found.numbers, found.amount) == ("revenue", "late_row", 2, D(3))


# --- the page ----------------------------------------------------------------------------------------------


@pytest.fixture
def text(con, tmp_path) -> str:
    path = write_monthly(november(con), tmp_path / "pages", {ZONE}, NOW)
    assert path.name == "review-2026-11.html"
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    return path.read_text("utf-8")


def test_the_page_says_it_in_both_languages_and_runs_nothing(text):
    assert "2026 年 11 月：<em>1</em> 张报表尚不能认证" in text
    assert "1 of 1 reports could not be certified at the last publish of November 2026<" in text
    assert "default-src 'none'" in html.unescape(text) and "<script" not in text
    assert not re.search(r"(src|href)=\"(http|//)", text)


def test_what_systems_said_is_text_and_no_markup(text):
    assert "系统停用 &lt;b&gt;" in text and "系统停用 <b>" not in text


def test_the_figures_of_the_month_are_on_the_page(text):
    plain = re.sub(r"<[^>]+>|\s+", " ", text)

    assert "1,000.00 60.00 94.0%" in re.sub(r" +", " ", plain)
    assert "甲等于乙" in plain and "A is B" in plain
    assert "此安装没有重述台账" in plain
    assert text.count('<rect class="yes"') == 1 and text.count('<rect class="no"') == 2


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "–"), (D(1), "100%"), (D(0), "0.0%"), (D("0.947"), "94.7%"), (D("0.9999"), "99.99%"),
        (D("0.99999999"), "99.999999%"), (1 - D("1e-12"), "<100%"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_up_to_all(share, shown):
    assert percent(share) == shown


def test_drawings_survive_one_point_and_strange_names():
    assert "<b>" not in spark([D(1)], '"><b>') and "polyline" in spark([D(1), D(0), D("0.5")], "x")
    assert strip([(FIRST, True)] * 100).count("<rect") == 60
