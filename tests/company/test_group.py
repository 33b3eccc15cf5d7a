"""Both companies through all doors: every table of every system, the totals of the answer key, and a rollout in steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sources.contract import read_source
from tests.company.conftest import Company, Group
from tests.company.truth_of_vendors import differences, held, system_of, truth
from tests.conftest import SmallSource
from tieout.engine import connect
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask
from tieout.ingest.landing import Landing
from tieout.settings import settings

pytestmark = [pytest.mark.company, pytest.mark.slow]

SOURCES = settings().sources
HUACHEN = sorted(path.parent.name for path in SOURCES.glob("hc_*/source.yaml"))


# --- everything is loaded as the systems hold it ---


@pytest.mark.parametrize("name", HUACHEN)
def test_every_stream_holds_what_its_system_holds(group: Group, name: str) -> None:
    source, system = read_source(SOURCES / name / "source.yaml"), system_of(group.home, name)
    with connect(group.home / "warehouse.duckdb", read_only=True) as con:
        for stream in source.streams:
            there = truth(system, source, stream)
            assert there, f"{name}.{stream}: the system holds nothing"
            found = differences(f"{name}.{stream}", there, held(con, source, stream))
            assert not found, f"{len(found)} differences:\n" + "\n".join(sorted(found)[:20])


def test_nothing_is_in_quarantine(group: Group) -> None:
    assert group.value("select count(*) from ops.quarantine") == 0


# --- the totals of the answer key ---


def month(column: str) -> str:
    return f"strftime({column}, '%Y-%m')"


KINGDEE, SAP = "raw_hc_kingdee", "raw_hc_sap"
ITEMS = f"{SAP}.sales_order_item join {SAP}.sales_order using (sales_order)"
# (module, measure) → period, currency, value, tables, and which rows.
CLAIMS = {
    ("sales", "order_net"): (month("order_date"), "currency_code", "sum(amount_net)", f"{KINGDEE}.sales_order_line", "true"),
    ("sales", "order_gross"): (month("order_date"), "currency_code", "sum(amount_gross)", f"{KINGDEE}.sales_order_line", "true"),
    ("sales", "order_lines"): (month("order_date"), "currency_code", "count(*)", f"{KINGDEE}.sales_order_line", "true"),
    ("receivables", "invoice_net"): (month("bill_date"), "currency_code", "sum(amount_net)", f"{KINGDEE}.receivable_line", "true"),
    ("receivables", "receipts"): (month("payment_date"), "currency_code", "sum(settled_amount)", f"{KINGDEE}.receipt_line", "true"),
    ("payables", "invoice_gross"): (month("bill_date"), "currency_code", "sum(amount_gross)", f"{KINGDEE}.payable_line", "true"),
    ("payables", "payments"): (month("payment_date"), "currency_code", "sum(settled_amount)", f"{KINGDEE}.payment_line", "true"),
    ("shop", "fees"): (month("voucher_date"), "'CNY'", "sum(debit)", f"{KINGDEE}.gl_voucher_line", "explanation = '平台服务费' and account_code = '6601'"),
    ("sales_hce", "order_net"): (month("sales_order_date"), "sales_order.transaction_currency", "sum(net_amount)", ITEMS, "true"),
    ("receivables_hce", "invoice_net"): (month("billing_document_date"), "transaction_currency", "sum(if(billing_document_type = 'G2', -1, 1) * total_net_amount)", f"{SAP}.billing_document", "true"),
    ("receivables_hce", "receipts"): (month("posting_date"), "company_code_currency", "sum(amount_in_company_code_currency)", f"{SAP}.journal_item", "accounting_document_type = 'DZ' and gl_account = '113100'"),
    ("purchasing", "order_net"): (month("order_date"), "'CNY'", "sum(amount_net)", "raw_hc_u8.purchase_order_line join raw_hc_u8.purchase_order using (order_id)", "currency_name = '人民币'"),
    ("spare_parts", "order_gross"): (month("order_date"), "currency_code", "sum(amount_gross)", "raw_hc_yonbip.purchase_order_line", "true"),
    ("shop", "sent_gross"): (month("send_date"), "'CNY'", "sum(pay_amount)", 'raw_hc_shop."order"', "send_date is not null"),
    ("shop", "refunds"): (month("modified"), "'CNY'", "sum(refund)", "raw_hc_shop.refund", "status = 'Confirmed'"),
    ("shop", "settled_net"): (month("pay_date"), "'CNY'", "sum(pay_amount)", "raw_hc_shop.settlement", "true"),
    ("hr", "payroll"): (month("month_end"), "'CNY'", "sum(gross_pay)", "raw_hc_hr.payroll", "true"),
    ("hr", "attendance_days"): (month("work_date"), "'-'", "count(distinct (user_id, work_date))", "raw_hc_dingtalk.attendance", "true"),
    ("logistics", "freight"): (month("shipped_at"), "'CNY'", "sum(freight)", "raw_hc_tms.waybill", "true"),
    ("production", "good"): (month("timezone('Asia/Shanghai', reported_at)"), "'-'", "sum(good_quantity)", "raw_hc_mes.output", "true"),
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS, ids=".".join)
def test_what_was_loaded_adds_up_to_the_answer_key(group: Group, claim: tuple[str, str]) -> None:
    period, currency, value, tables, which = CLAIMS[claim]
    found = {
        (at, money): Decimal(amount)
        for at, money, amount in group.rows(
            f"select {period}, {currency}, {value} from {tables} where {which} group by 1, 2"
        )
    }
    said = group.totals(*claim)
    assert len(said) >= 22 and found == said


def test_stock_by_product_is_the_true_stock(group: Group) -> None:
    """At the end of the last month, in every warehouse of the company itself, by what each code truly is."""
    true_code = group.truly("u8", "product")
    rows = group.answers("stock")
    last = max(row["period"] for row in rows)
    found = {
        (warehouse, true_code[code]): quantity
        for warehouse, code, quantity in group.rows(
            "select warehouse_code, item_code, quantity from raw_hc_u8.current_stock where not _is_deleted"
        )
    }
    ours = {warehouse for warehouse, _ in found}
    said = {
        (row["warehouse"], row["product"]): Decimal(row["quantity"])
        for row in rows
        if row["period"] == last and row["warehouse"] in ours
    }
    assert len(ours) > 1 and len(said) > 20 and found == said


# --- again ---


def seconds(said: str) -> float:
    found = re.search(r"([\d.]+) s in all", said)
    assert found, said
    return float(found[1])


def nothing_was_loaded(said: str) -> bool:
    return re.search(r"load +0 rows loaded", said) is not None


def test_a_second_demo_finds_nothing_new_and_takes_far_less(group: Group) -> None:
    before = (group.home / "snapshots" / "current.duckdb").resolve()
    again = group.run("demo")

    assert nothing_was_loaded(again.stderr), again.stderr
    assert (group.home / "snapshots" / "current.duckdb").resolve() == before
    assert seconds(again.stdout) < seconds(group.said) / 2


# --- one system after the other ---

FIRST, NEXT, NEVER = "hc_wecom", "hc_jira", "hc_h3yun"
REFUSED = 3


@pytest.fixture(scope="module")
def rollout(group: Group, place: Path) -> Company:
    """An installation that begins with one system of one company; all stand already, nothing was ever pulled."""
    made = Company(place / "rollout")
    made.home.mkdir()
    for folder in ("company", "huachen"):
        Company(group.home / folder).copied(made.home / folder)
    made.run("source", "off", "h*", "--reason", "its turn is in March", "--by", "PMO")
    made.run("source", "on", FIRST)
    # Every model is built, what it lacks is said, and nothing is certified that lacks a system.
    assert "hx_sales is switched off" in made.run("demo", code=4).stdout
    return made


def raw_tables(company: Company, source: str) -> dict[str, int]:
    """Rows that hold, by stream."""
    streams = read_source(SOURCES / source / "source.yaml").streams
    counts = [
        f"select '{name}', count(*) from raw_{source}.\"{name}\" where not _is_deleted" for name in streams
    ]
    return dict(company.rows(" union all ".join(counts)))


@pytest.mark.nightly
def test_a_group_begins_with_one_system_and_adds_the_next(rollout: Company, group: Group) -> None:
    assert raw_tables(rollout, FIRST) == raw_tables(group, FIRST)
    assert rollout.value("select count(*) from marts.fct_sales_order_line") == 0
    for name in HUACHEN:
        if name != FIRST:
            assert set(raw_tables(rollout, name).values()) == {0}, name
    listed = {
        line.split()[0]: line.rstrip() for line in rollout.run("source", "list").stdout.splitlines() if line
    }
    assert listed[FIRST].endswith(" on")
    assert re.search(r"off since \d{4}-\d\d-\d\d \(PMO: its turn is in March\)$", listed[NEXT])

    refused = rollout.run("refresh", "--only", NEXT, code=None)
    assert refused.returncode == REFUSED
    assert (
        f"{NEXT} is switched off. Nothing was done. `tieout source on {NEXT}` switches it on."
        in refused.stderr
    )
    assert set(raw_tables(rollout, NEXT).values()) == {0}

    # The next one comes, the first is off for a while: its tables stay as they are.
    rollout.run("source", "on", NEXT)
    rollout.run("source", "off", FIRST, "--reason", "the vendor moves its servers")
    rollout.run("refresh", code=4)
    assert raw_tables(rollout, NEXT) == raw_tables(group, NEXT)
    assert raw_tables(rollout, FIRST) == raw_tables(group, FIRST)
    assert set(raw_tables(rollout, NEVER).values()) == {0}


# --- a new system is connected ---


@pytest.fixture(scope="module")
def running(group: Group, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The group's systems answering; their addresses and secrets as the sandbox announces them."""
    addresses = tmp_path_factory.mktemp("emulators") / "addresses.env"
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.emulators", "serve", "--systems", str(group.home / "huachen" / "systems"),
         "--env", str(addresses), "--with-parent", str(os.getpid())],
    )  # fmt: skip
    try:
        until = time.monotonic() + 30
        while not addresses.is_file():
            assert process.poll() is None and time.monotonic() < until, "the emulators did not start"
            time.sleep(0.05)
        files = (addresses, group.home / "huachen" / "doors.env")
        yield dict(line.split("=", 1) for file in files for line in file.read_text("utf-8").splitlines())
    finally:
        process.terminate()
        process.wait(10)


# Vendor → the source it stands for, options (with * as a reference), the object, and the stream of `sources/` it equals.
CONNECTED = {
    "kingdee": ("hc_kingdee", ("acct_id", "user", "app_id", "app_secret*"), "AR_RECEIVEBILL", "receipt_line"),
    "jiandaoyun": ("hc_crm", ("api_key*", "app_id"), "04b447783afe5bfd4b48e8db", "opportunity"),
    "salesforce": ("hc_salesforce", ("client_id*", "client_secret*"), "Opportunity", "opportunity"),
}


@pytest.mark.parametrize("vendor", CONNECTED)
def test_a_vendor_is_added_and_pulled_without_a_hand_on_the_contract(
    group: Group, running: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    name, options, wanted, twin = CONNECTED[vendor]
    words: list[str] = []
    for option in options:
        variable = f"{name}_{option.rstrip('*')}".upper()
        monkeypatch.setenv(variable, running[variable])
        words += [
            "--option",
            f"{option.rstrip('*')}={f'env:{variable}' if option.endswith('*') else running[variable]}",
        ]
    path = tmp_path / vendor / "source.yaml"
    said = group.run(
        "source", "add", vendor, "--url", running[f"{name.upper()}_URL"], *words, "--objects", wanted, "--out", str(path)
    )  # fmt: skip

    assert re.search(r"source.yaml: \d+ streams, \d+ columns. Read it, then run", said.stdout)
    secrets = [running[f"{name}_{option[:-1]}".upper()] for option in options if option.endswith("*")]
    assert not any(
        secret in path.read_text(encoding="utf-8") + said.stdout + said.stderr for secret in secrets
    )
    source = read_source(path)
    stream = next(key for key, one in source.streams.items() if str(one.object).endswith(wanted))
    small = SmallSource(source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")
    ask = Ask(datetime.now(UTC), streams=frozenset({stream}))
    (outcome,) = extract_source(source, small.landing, ask, lambda _: None)
    assert outcome.error is None, outcome.error
    small.load()
    count = "select count(*), count(distinct ({})) from {} where not _is_deleted"
    ours = small.rows(count.format(", ".join(source.streams[stream].key), f'raw_{source.name}."{stream}"'))
    keys = ", ".join(read_source(SOURCES / name / "source.yaml").streams[twin].key)
    assert ours == group.rows(count.format(keys, f"raw_{name}.{twin}")) and ours[0][0] > 10
