"""The board: what it says equals the tables, it asks nothing of anybody, and it shows nobody's name."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from sources.contract import Source
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.status import module_rows
from tieout.ingest.tables import ensure_raw_tables
from tieout.metrics.answer import answer
from tieout.pages.board import page, reason_in_chinese, write_board
from tieout.pages.words import figure
from tieout.strict import from_yaml
from tieout.tie import cases, generate, results
from tieout.tie.certificate import Certificate, issue
from tieout.tie.claims import Claim
from tieout.tie.verdict import verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RUN = "R1"
NASTY = "<script>alert('x')</script> & Söhne"

TMS = """
source: tms
title: {zh: 运输管理, en: Transport}
module: logistics
owner: logistics
connector: files
connection: {path: DROP}
class: L2
schedule: {cron: "0 2 * * *"}
streams:
  waybill:
    title: {zh: 运单, en: Waybills}
    grain: one row per waybill
    from: "运单_*.csv"
    format: {kind: csv}
    key: [waybill_no]
    load: slice
    columns:
      waybill_no: {type: text, required: true}
      quantity: {type: "decimal(18, 2)", min: 0}
  driver:
    title: {zh: 司机, en: Drivers}
    grain: one row per driver
    from: 司机.csv
    format: {kind: csv}
    key: [driver_no]
    module: hr
    columns:
      driver_no: {type: text, required: true}
      driver_name: {type: text, class: L3}
      phone: {type: text, class: L3}
      city: {type: text}
"""

CLAIM = {
    "title": {"zh": "发货等于开票", "en": "Shipped is invoiced"},
    "description": {"zh": "玩具", "en": "Toy"},
    "owner": "logistics",
    "with": "finance",
    "process": "sales",
    "severity": "warning",
    "unit": "CNY",
    "by": ["party"],
    "left": {"label": {"zh": "发货", "en": "Shipped"}, "model": "fct_shipped", "measure": "amount", "document": "order_no"},
    "right": {"label": {"zh": "开票", "en": "Invoiced"}, "model": "fct_invoiced", "measure": "amount", "document": "order_no"},
    "causes": [
        {
            "cause": "open",
            "title": {"zh": "已发未开", "en": "Shipped, not invoiced"},
            "model": "fct_draft",
            "measure": "-amount",
            "document": "order_no",
        }
    ],
}  # fmt: skip

METRICS = {
    "sales_order_amount_net": ("销售订单额", "sales", "ordered", {"2025-10": "100.10", "2025-11": "250.00"}),
    "sales_shipped_amount_net": (
        "仓库发货额",
        "warehouse",
        "shipped",
        {"2025-10": "90.00", "2025-11": "200.05"},
    ),
    "revenue_amount_net": ("财务收入", "finance", "posted", {"2025-11": "150.00"}),
}


@dataclass
class Warehouse:
    """A warehouse of one source, three metrics and a few identities; a test changes one thing and looks."""

    con: duckdb.DuckDBPyConnection
    source: Source
    claims: dict[str, Claim] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, Source]:
        return {self.source.name: self.source}

    def book(self, table: str, party: str, amount: str, order_no: str = "A") -> None:
        self.con.execute(
            f"""insert into marts.{table}
            select 'tms', 'waybill', cast(count(*) + 1 as text), ?, ?, cast(? as decimal(18, 4)) from marts.{table}""",
            [party, order_no, amount],
        )

    def tie(self, name: str = "shipped_to_revenue", **changes: object) -> None:
        """Build an identity as dbt would, and write what all of them say to the ledger."""
        self.claims[name] = Claim.model_validate(CLAIM | {"claim": name} | changes)

        def relation(model: str) -> str:
            return f"tie.{model}" if model.startswith("identity_") else f"marts.{model}"

        claims = tuple(self.claims.values())
        models = {claim.model: generate.identity_sql(claim) for claim in claims}
        models |= {
            "identity_break": generate.break_sql(claims),
            "identity_result": generate.result_sql(claims),
        }
        for model, sql in models.items():
            self.con.execute(f"create or replace table tie.{model} as {generate.resolved(sql, relation)}")
        results.record(self.con, RUN, NOW)

    def check(
        self, check_id: str, status: str = "passed", severity: str = "critical", **said: object
    ) -> None:
        self.con.execute(
            "insert into ops.check_result values (?, 'marts.fct_shipped', 'fct_shipped', ?, ?, ?, ?, ?, ?, 'sales', ?)",
            [RUN, check_id, f"{check_id} 检查 / {check_id} check", severity, status, said.get("observed"),
             said.get("unexpected_count"), NOW],
        )  # fmt: skip

    def load(self, stream: str, rows: int, totals: int = 0, disagreeing: int = 0, batch: str = "B1") -> None:
        contract = self.source.streams[stream]
        columns = ", ".join(
            f"'{column}' || i" if s.type == "text" else "1" for column, s in contract.columns.items()
        )
        self.con.execute(
            f"""insert into raw_tms.{stream}__history
            select {columns}, ?, ?, 0, '文件.csv', i, false, true from range({rows}) as r(i)""",
            [batch, NOW],
        )
        self.con.execute(
            "insert into ops.batch values ('tms', ?, ?, '*', true, '文件.csv', ?, ?, ?, ?, 0, 0, 0, 1, 'h', 'v')",
            [stream, batch, NOW, NOW, rows, rows],
        )
        self.con.execute(
            "insert or replace into ops.watermark values ('tms', ?, ?, ?, null)", [stream, NOW, batch]
        )
        # As the loader does: a newer complete batch closes what was wrong with the one before.
        self.con.execute("update ops.quarantine set closed_by = ? where stream = ?", [batch, stream])
        for number in range(totals):
            self.con.execute(
                "insert into ops.control_total values ('tms', ?, ?, '文件.csv', ?, '7', '6', '6', '0', ?)",
                [stream, batch, f"sum_{number}", number >= disagreeing],
            )

    def quarantine(
        self, stream: str, rule: str, reason: str, key: str = "K1", origin: str = "文件.csv"
    ) -> None:
        self.con.execute(
            "insert into ops.quarantine values ('tms', ?, 'B1', ?, 3, ?, ?, ?, '{}', 'logistics', ?, '', null, null, null)",
            [stream, origin, key, rule, reason, NOW],
        )

    def publish(self, run_id: str = RUN) -> Certificate:
        self.con.execute("insert into ops.run values (?, ?, null, 'running', null, null)", [run_id, NOW])
        said = verdict(self.con, run_id)
        certificate = issue(self.con, "P1", run_id, said, "definitions0000", NOW)
        self.con.execute(
            "insert into ops.publish values ('P1', ?, 'f', 'h', 12, 3456, 'snapshot.duckdb', 'door', ?)",
            [run_id, NOW],
        )
        return certificate


@pytest.fixture
def warehouse() -> Warehouse:
    """Everything holds: three identities' worth of rows tie out, two checks pass, all is loaded and published."""
    con = duckdb.connect()
    con.execute("create schema marts; create schema tie; create schema metrics")
    ensure_ledger(con)
    source = Source.model_validate(from_yaml(TMS))
    ensure_raw_tables(con, {"tms": source})
    for table in ("fct_shipped", "fct_invoiced", "fct_draft"):
        con.execute(
            f"""create table marts.{table} (source_system text, source_stream text, source_record text,
            party text, order_no text, amount decimal(18, 4))"""
        )
    con.execute("create table marts.fct_stock_balance_day as select date '2025-11-30' as balance_date")
    con.execute(
        "create table marts.dim_organisation as select '华信 & Söhne' as organisation_name, 'company' as organisation_kind"
    )
    metrics(con)
    company = Warehouse(con, source)
    company.load("waybill", rows=3, totals=2)
    company.load("driver", rows=2)
    company.check("key_is_unique")
    company.check("amount_is_known")
    for party, amount in [("C1", "100.10"), ("C2", "50.00")]:
        company.book("fct_shipped", party, amount)
        company.book("fct_invoiced", party, amount)
    company.tie()
    return company


def metrics(con: duckdb.DuckDBPyConnection) -> None:
    """The layer as far as `answer` reads it."""
    con.execute(
        """create table metrics.metric_catalog (metric_name text, label text, description_zh text, description_en text,
            owner text, unit text, currency text, tax text, time_role text, additivity text, formula text,
            replaces text, requires_by text, dimensions text, definition_version text);
        create table metrics.compiled_query (metric_name text, time_grain text, dim_set text, sql text)"""
    )
    for name, (label, owner, time_role, values) in METRICS.items():
        con.execute(
            "insert into metrics.metric_catalog values (?, ?, '口径', 'Definition', ?, 'CNY', 'CNY', 'excluded', ?,"
            " 'additive', 'sum(amount)', '销售额', '', '', 'v')",
            [name, label, owner, time_role],
        )
        rows = ", ".join(
            f"(date '{month}-01', cast({value} as decimal(18, 4)))" for month, value in values.items()
        )
        monthly = f"select period_start, value from (values {rows}) as v(period_start, value)"
        for grain, sql in (("month", monthly), ("all", f"select sum(value) as value from ({monthly}) as m")):
            con.execute("insert into metrics.compiled_query values (?, ?, 'all', ?)", [name, grain, sql])


VOID = {"meta", "link", "br", "wbr"}  # elements of HTML without an end; those of SVG may close themselves
CLOSED = {"rect", "line", "circle"}


class Page(HTMLParser):
    """A page as a reader without eyes has it: its words, tables and links; a tag left open is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.by_id: dict[str, list[str]] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self.inside: list[str | None] = []
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.tags.append((tag, known))
        if identifier := known.get("id"):
            self.ids.append(identifier)
        if tag in VOID:
            return
        self.open.append(tag)
        self.inside.append(known.get("id") or known.get("data-identity"))
        if tag == "tr" and (table := self.table()):
            self.tables.setdefault(table, []).append([])
        if tag in {"td", "th"} and (table := self.table()):
            self.tables[table][-1].append("")

    def handle_startendtag(self, tag, attrs):
        assert tag in CLOSED, f"<{tag}/> does not close itself in HTML"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()
        self.inside.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in {"style", "script"}:
            self.raw[self.open[-1]] = data
            return
        self.words.append(data)
        for identifier in filter(None, self.inside):
            self.by_id.setdefault(identifier, []).append(data)
        innermost = next((tag for tag in reversed(self.open) if tag in {"td", "th", "table"}), None)
        if innermost in {"td", "th"} and (table := self.table()):
            self.tables[table][-1][-1] += data

    def table(self) -> str | None:
        """The name of the innermost table."""
        for tag, name in zip(reversed(self.open), reversed(self.inside), strict=True):
            if tag == "table":
                return name
        return None

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def said(self, identifier: str) -> str:
        return " ".join("".join(self.by_id[identifier]).split())

    def rows(self, table: str) -> list[list[str]]:
        return [[" ".join(cell.split()) for cell in row] for row in self.tables[table]]


def written(company: Warehouse, folder: Path) -> Page:
    return Page(write_board(company.con, folder, company.sources, NOW).read_text("utf-8"))


def amount(cell: str) -> Decimal | None:
    """The figure a cell begins with."""
    match = re.match(r"[-+]?[\d,]+(\.\d+)?", cell)
    return Decimal(match[0].replace(",", "")) if match else None


# --- the file -------------------------------------------------------------------------------------


def test_the_page_stands_alone(warehouse, tmp_path):
    warehouse.book("fct_shipped", "C1", "7.00", "B")
    warehouse.tie()
    warehouse.publish()

    board = written(warehouse, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert not re.search(r"https?:|url\((?!#)|@import", board.source)
    for tag, attributes in board.tags:
        assert "src" not in attributes and "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag not in {"iframe", "object", "embed", "form", "base"}
        if tag in {"a", "link"}:
            assert re.match(r"#|data:,$|dictionary\.html$", attributes["href"] or "")
    assert len(board.ids) == len(set(board.ids))
    links = {
        to[1:]
        for tag, attributes in board.tags
        if tag == "a" and (to := attributes["href"] or "").startswith("#")
    }
    assert links <= set(board.ids)


def test_only_our_own_style_and_script_may_run(warehouse, tmp_path):
    board = written(warehouse, tmp_path)

    [policy] = [
        a["content"]
        for tag, a in board.tags
        if tag == "meta" and "Content-Security" in (a.get("http-equiv") or "")
    ]
    assert policy.startswith("default-src 'none'")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(board.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_a_page_that_fails_leaves_the_old_one(warehouse, tmp_path, monkeypatch):
    write_board(warehouse.con, tmp_path, warehouse.sources, NOW)
    before = (tmp_path / "index.html").read_bytes()

    def full(self, *_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        write_board(warehouse.con, tmp_path, warehouse.sources, NOW + timedelta(days=1))

    assert (tmp_path / "index.html").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_reading_writes_nothing(warehouse, tmp_path):
    file = tmp_path / "warehouse.duckdb"
    warehouse.publish()
    warehouse.con.execute(f"attach '{file}' as copy; copy from database memory to copy; detach copy")
    with duckdb.connect(str(file), read_only=True) as con:
        write_board(con, tmp_path / "pages", warehouse.sources, NOW)

    assert (tmp_path / "pages" / "index.html").is_file()


# --- the numbers ----------------------------------------------------------------------------------


def test_sales_by_month_are_the_metrics_own_values(warehouse, tmp_path):
    header, *months, total = written(warehouse, tmp_path).rows("sales-by-month")

    for place, name in enumerate(METRICS, start=1):
        values = {f"{month:%Y-%m}": value for month, value in answer(warehouse.con, name, grain="month").rows}
        assert {row[0]: amount(row[place]) for row in months} == {
            "2025-10": values.get("2025-10"),
            "2025-11": values["2025-11"],
        }
        assert amount(total[place]) == answer(warehouse.con, name).rows[0][0]
    assert len(header) == 6
    assert [amount(cell) for cell in months[1][4:]] == [Decimal("-49.95"), Decimal("-50.05")]
    assert [amount(cell) for cell in total[4:]] == [Decimal("-60.05"), Decimal("-140.05")]


def test_every_identity_is_on_the_page_with_its_figures(warehouse, tmp_path):
    warehouse.book("fct_shipped", "C1", "7.25", "B")
    warehouse.book("fct_draft", "C1", "7.00", "B")
    warehouse.tie()
    warehouse.tie("also", causes=[])

    board = written(warehouse, tmp_path)

    found = results.identity_results(warehouse.con)
    assert len(found) == 2
    for result in found:
        row = next(
            row for row in board.rows("identity-table") if any(result.identity in cell for cell in row)
        )
        assert "未对平" in row[0]
        figures = [result.left_total, result.right_total, result.difference, result.unexplained]
        assert [amount(cell) for cell in row[2:]] == figures
        assert "物流" in row[1] and "财务" in row[1]


def test_open_cases_are_on_the_page_by_their_cause_and_nobody_is_named(warehouse, tmp_path):
    assert "根因" not in written(warehouse, tmp_path).text
    warehouse.con.execute(
        "insert into raw_tms.driver__history select * replace ('王小明' as driver_name) from raw_tms.driver__history limit 1"
    )
    warehouse.book("fct_shipped", "C1", "7.25", "ORD7")
    warehouse.book("fct_shipped", "C2", "3.00", "王小明")
    warehouse.tie()
    warehouse.con.execute(
        """create table marts.fct_data_case as select 'delivery_never_invoiced' as case_kind, 'ORD7' as subject,
            'ORD7' as cause_subject, 'finance' as owner, 'sent' as detail, 7.25::decimal(18, 2) as amount_txn,
            'CNY' as currency_code, 'tms' as source_system, 'waybill' as source_stream, '9' as source_record"""
    )
    cases.record(warehouse.con, RUN, NOW)

    board = written(warehouse, tmp_path)

    head, known, unknown = board.rows("cause-table")
    assert "已出库未开票" in known[0] and "像是" not in known[0]
    assert (known[1], amount(known[2])) == ("ORD7", Decimal("7.25"))
    assert "财务" in known[3] and "发货等于开票" in known[5]
    assert "像是：右侧缺单据" in unknown[0] and "物流" in unknown[3]
    assert (unknown[1], amount(unknown[2])) == ("•••", Decimal("-3.00"))
    assert "2 个未了结的案件" in board.said("causes") and len(head) == 6


def test_a_bridge_on_the_page_adds_up(warehouse, tmp_path):
    warehouse.book("fct_shipped", "C1", "7.25", "B")
    warehouse.book("fct_draft", "C1", "7.00", "B")
    warehouse.tie()

    rows = written(warehouse, tmp_path).rows("shipped_to_revenue")

    figures = [amount(row[-1]) for row in rows]
    assert sum(figures[:-1]) == figures[-1] == Decimal("150.10")
    assert [row[0][0] for row in rows] == ["发", "▼", "✗", "开"]


def test_where_the_bridge_and_the_metric_differ_the_page_says_so(warehouse, tmp_path):
    said = "The bridge does not start and end at exactly these totals"
    assert said in written(warehouse, tmp_path).text  # shipped 150.10 against the metric's 290.05

    for party, left, right in [("C3", "139.95", "0"), ("C4", "0", "-0.10")]:
        warehouse.book("fct_shipped", party, left)
        warehouse.book("fct_invoiced", party, right)
    warehouse.tie()

    assert said not in written(warehouse, tmp_path).text


def test_quantities_in_unlike_units_are_not_added_up(warehouse, tmp_path):
    warehouse.book("fct_shipped", "C1", "7777", "B")
    warehouse.tie("pieces_and_metres", unit="base unit of the product", mixed_units=True)
    warehouse.claims.pop("shipped_to_revenue")
    warehouse.tie("pieces_and_metres", unit="base unit of the product", mixed_units=True)

    board = written(warehouse, tmp_path)

    assert "逐组比较" in board.said("identity-pieces_and_metres")
    assert "7,927" not in board.text  # the sum of both groups
    assert "7,877.1" in board.text  # one group's own


def test_rows_and_control_totals_are_those_of_the_ledger(warehouse, tmp_path):
    board = written(warehouse, tmp_path)

    *shown, total = board.rows("module-table")[1:]
    assert [(row[0].split()[1], amount(row[2]), amount(row[3]), amount(row[6])) for row in shown] == [
        (
            module.module.title() if module.module != "hr" else "HR",
            module.streams,
            module.rows,
            module.quarantined,
        )
        for module in module_rows(warehouse.con, warehouse.sources)
    ]
    assert amount(total[3]) == 5
    assert board.said("totals-agreeing").startswith("2 / 2")


def test_a_control_total_that_does_not_agree_is_named(warehouse, tmp_path):
    warehouse.load("driver", rows=1, totals=3, disagreeing=1, batch="B2")

    board = written(warehouse, tmp_path)

    assert board.said("totals-agreeing").startswith("4 / 5")
    [row] = board.rows("disagreement-table")[1:]
    assert [amount(cell) for cell in row[2:]] == [7, 6]
    assert "tms.driver" in row[0]


def test_totals_of_a_whole_system_count_too(warehouse, tmp_path):
    warehouse.con.execute(
        "insert into ops.control_total values ('tms', '', '', 'tms', 'balance', '7', '6', '6', '0', false)"
    )

    # The two of a stream agree; the one of the whole system, which belongs to no stream, does not.
    assert written(warehouse, tmp_path).said("totals-agreeing").startswith("2 / 3")


def test_a_stream_that_waits_for_a_decision_is_said_in_chinese_too():
    words = reason_in_chinese("tms.waybill is held since 2026-11-01T12:00: 件数 was renamed (`tieout drift`)")
    assert words.zh == "tms.waybill 的结构有变，2026-11-01T12:00 起的数据待人决定"


def test_what_a_newer_batch_put_right_is_not_held_against_it(warehouse, tmp_path):
    warehouse.quarantine("waybill", "min", "quantity = -3: is below 0")
    assert written(warehouse, tmp_path).said("quarantined").startswith("1")

    warehouse.load("waybill", rows=1, totals=1, batch="B2")

    board = written(warehouse, tmp_path)
    assert board.said("quarantined").startswith("0")
    assert board.said("totals-agreeing").startswith("1 / 1")


def test_checks_that_do_not_hold_come_first_and_all_are_listed(warehouse, tmp_path):
    warehouse.check("few_drafts", "failed", "warning", observed="0.514")
    warehouse.check("no_duplicates", "failed", "critical", unexpected_count=1234)

    board = written(warehouse, tmp_path)

    strong, weak = board.rows("failing-table")[1:]
    assert "no_duplicates" in strong[1] and amount(strong[2]) == 1234 and strong[4].startswith("销售")
    assert "few_drafts" in weak[1] and weak[3] == "0.514"
    assert len(board.rows("check-table")) == 1 + 4
    assert board.said("checks-held").startswith("2 / 4")


def test_every_metric_is_in_the_catalogue(warehouse, tmp_path):
    rows = written(warehouse, tmp_path).rows("metric-table")[1:]

    assert {row[0].split()[-1] for row in rows} == set(METRICS)
    assert all("口径" in row[1] and "不含税" in row[2] and row[4] == "销售额" for row in rows)


# --- the verdict ----------------------------------------------------------------------------------


def test_a_certified_publish_says_so_with_its_cut_off(warehouse, tmp_path):
    assert warehouse.publish().certified

    board = written(warehouse, tmp_path)

    assert board.said("verdict") == "截至 2025-11-30 的数字已认证"
    assert board.said("cut-off") == "2025-11-30"
    assert board.said("loaded-to") == "2026-11-01 20:00 UTC+8"
    assert "3,456 行" in board.text


def test_weak_rules_that_do_not_hold_are_named_even_on_a_certified_page(warehouse, tmp_path):
    warehouse.check("few_drafts", "failed", "warning")
    assert warehouse.publish().certified

    board = written(warehouse, tmp_path)

    assert ("a", {"href": "#check-fct_shipped.few_drafts"}) in board.tags
    assert "不影响认证" in board.text


def test_a_publish_with_reservations_is_not_certified_and_says_why(warehouse, tmp_path):
    warehouse.quarantine("waybill", "min", "quantity = -3: is below 0")
    warehouse.load("driver", rows=1, totals=1, disagreeing=1, batch="B2")
    certificate = warehouse.publish()
    assert len(certificate.reasons) == 2

    board = written(warehouse, tmp_path)

    assert board.said("verdict").endswith("未获认证")
    assert all(reason in board.text for reason in certificate.reasons)
    assert "已认证" not in board.said("verdict")
    # the certificate's own wording, so that a change of it is noticed here
    assert [reason_in_chinese(reason).zh for reason in certificate.reasons] == [
        "1 行在隔离区，合计中不含这些行",
        "文件.csv 的控制总数（sum_0）不一致",
    ]


def test_a_publish_without_its_certificate_is_not_certified(warehouse, tmp_path):
    warehouse.publish()
    warehouse.con.execute("delete from ops.certificate")

    board = written(warehouse, tmp_path)

    assert board.said("verdict").endswith("未获认证")
    assert "没有证书" in board.text


def test_a_later_run_that_was_blocked_is_said_beside_the_publish(warehouse, tmp_path):
    warehouse.publish()
    warehouse.con.execute(
        "insert into ops.run values ('R2', ?, ?, 'blocked', null, ?)",
        [NOW + timedelta(days=1), NOW + timedelta(days=1), "1 strong rules do not hold\n<b>details</b>"],
    )

    board = written(warehouse, tmp_path)

    assert board.said("verdict").endswith("已认证")  # the publish still is
    assert "R2" in board.text and "没有发布" in board.text and "1 strong rules do not hold" in board.text
    assert "details" not in board.text


def test_a_run_that_found_nothing_new_is_not_news(warehouse, tmp_path):
    warehouse.publish()
    warehouse.con.execute(
        "insert into ops.run values ('R2', ?, ?, 'unchanged', null, '')", [NOW + timedelta(days=1), NOW]
    )

    assert "R2" not in written(warehouse, tmp_path).text


def test_what_was_never_published_is_not_certified(warehouse, tmp_path):
    warehouse.book("fct_shipped", "C1", "7.00", "B")
    warehouse.tie(severity="critical")
    warehouse.con.execute(
        "insert into ops.run values ('R1', ?, ?, 'blocked', null, 'nothing was published')", [NOW, NOW]
    )

    board = written(warehouse, tmp_path)

    assert board.said("verdict") == "数据已装载，尚未发布"
    assert ("a", {"href": "#identity-shipped_to_revenue"}) in board.tags
    assert board.said("cut-off") == "–"


@pytest.mark.parametrize("with_ledger", [False, True])
def test_an_empty_warehouse_gives_a_page_that_says_what_to_run(tmp_path, with_ledger):
    con = duckdb.connect()
    source = Source.model_validate(from_yaml(TMS))
    if with_ledger:
        ensure_ledger(con)
        ensure_raw_tables(con, {"tms": source})

    board = Page(write_board(con, tmp_path, {"tms": source}, NOW).read_text("utf-8"))

    assert board.said("verdict") == "这里还没有数据"
    assert "tieout demo" in board.text and "tieout refresh" in board.text


def test_a_company_with_other_metrics_gets_a_page_too(warehouse, tmp_path):
    warehouse.con.execute("update metrics.metric_catalog set metric_name = 'x_' || metric_name")

    board = written(warehouse, tmp_path)

    assert "sales-by-month" not in board.tables
    assert "The catalogue holds none of the metrics compared here" in board.text


# --- what must not be on it -----------------------------------------------------------------------


def test_a_customer_called_script_is_a_text(warehouse, tmp_path):
    warehouse.book("fct_shipped", NASTY, "7.00", "<b>B</b>")
    warehouse.tie(title={"zh": NASTY, "en": NASTY}, unit=NASTY)
    warehouse.check("nasty", "failed", "warning")
    warehouse.con.execute("update ops.check_result set title = ? where check_id = 'nasty'", [NASTY])
    warehouse.con.execute("update metrics.metric_catalog set label = ?, description_zh = ?", [NASTY, NASTY])
    warehouse.con.execute("update marts.dim_organisation set organisation_name = ?", [NASTY])
    warehouse.quarantine("waybill", "min", f"quantity = {NASTY}: is below 0", key=NASTY, origin=NASTY)
    warehouse.publish()

    board = written(warehouse, tmp_path)

    assert board.text.count("alert('x')") >= 10
    assert [tag for tag, _ in board.tags].count("script") == 1
    assert "<b>B</b>" in board.text


def test_nobodys_name_or_telephone_is_on_the_page(warehouse, tmp_path):
    warehouse.con.execute(
        "update raw_tms.driver__history set driver_name = '张三', phone = '13800138000' where driver_no = 'driver_no0'"
    )
    warehouse.con.execute(
        "update raw_tms.driver__history set driver_name = 'Li Si' where driver_no = 'driver_no1'"
    )
    for party, order_no in [
        ("张三", "D1"),
        ("E001 张三", "D2"),
        ("E002李四", "D3"),
        ("E3 Li Si", "13800138000"),
    ]:
        warehouse.book("fct_shipped", party, "7.00", order_no)
    warehouse.con.execute("update marts.fct_shipped set source_record = '张三' where order_no = 'D1'")
    warehouse.tie()
    warehouse.check("longest_number", "failed", "warning", observed="13800138000")
    warehouse.check("names", "failed", "warning", observed="['张三']")
    warehouse.quarantine("driver", "pattern", "phone = 13911112222: does not look like x", key="driver_no9")
    warehouse.quarantine("driver", "min", "city = 13911112222: columns have shifted")
    warehouse.quarantine("waybill", "min", "quantity = -3: is below 0", key="W 张三", origin="张三.csv")
    warehouse.quarantine("waybill", "key", "the key W1 was sent 2 times with different values")
    warehouse.publish()

    board = written(warehouse, tmp_path)

    for personal in ("张三", "Li Si", "13800138000", "13911112222"):
        assert personal not in board.source
    assert "E001 •••" in board.text and "E3 •••" in board.text
    assert "E002李四" in board.text  # no such driver: it is not known to be a person
    assert (
        "phone = •••" in board.text
        and "city = •••" in board.text
        and "quantity = -3: is below 0" in board.text
    )


def test_a_group_known_only_by_a_personal_name_is_shown_by_its_key(warehouse, tmp_path):
    warehouse.con.execute(
        "update raw_tms.driver__history set driver_name = '张三' where driver_no = 'driver_no0'"
    )
    warehouse.con.execute("create table marts.dim_driver as select 'E001' as code, '张三' as name")
    warehouse.book("fct_shipped", "E001", "7.00", "D1")
    warehouse.tie(names={"party": {"model": "dim_driver", "key": "code", "name": "name"}})

    board = written(warehouse, tmp_path)

    assert "张三" not in board.source
    assert "••• (E001)" in board.text


def test_the_text_of_an_error_stays_in_the_ledger(warehouse, tmp_path):
    warehouse.check("cannot_run", "error", observed="Could not convert string '王五' to INT32")
    warehouse.con.execute(
        "insert into ops.run values ('R2', ?, ?, 'failed', null, 'model x: cannot cast 王五')",
        [NOW + timedelta(days=1), NOW],
    )

    board = written(warehouse, tmp_path)

    assert "王五" not in board.source
    assert "未能检查" in board.rows("failing-table")[1][0]


# --- how long a break has stood -------------------------------------------------------------------


def test_a_break_seen_by_several_runs_says_since_when(warehouse, tmp_path):
    warehouse.book("fct_shipped", "C1", "7.00", "B")
    warehouse.tie()
    results.record(warehouse.con, "R2", NOW + timedelta(days=1))

    assert "自 2026-11-01 20:00 UTC+8 起，2 次运行" in written(warehouse, tmp_path).text


def test_the_page_is_made_of_values_only():
    """`page` needs no warehouse: an empty board is a page."""
    from tieout.pages.content import Board
    from tieout.pages.words import Clock

    board = Board(None, None, None, None, (), None, (), (), 0, (), (), 0, (), (), ())

    assert Page(page(board, Clock(set()), NOW)).said("verdict") == "这里还没有数据"
    assert json.dumps(figure(Decimal("1")))  # figures are plain text
    assert date(2025, 11, 30).isoformat() not in page(board, Clock(set()), NOW)
