"""Receipts and certificates of the whole group: made by the command line, reproduced, and noticed when altered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.company.conftest import Company, Group
from tieout.engine import connect

QUESTION = ("revenue_amount_net", "--period", "2025-11", "--by", "company_code")


@pytest.fixture(scope="module")
def own(group: Group, place: Path) -> Company:
    """A home that reads the group's warehouse and landing, with snapshots and receipts of its own."""
    home = place / "receipts"
    home.mkdir()
    shutil.copytree(group.home / "snapshots", home / "snapshots", symlinks=True)
    for name in ("warehouse.duckdb", "landing", "dbt"):
        (home / name).symlink_to(group.home / name)
    return Company(home)


def receipt(company: Company, *question: str) -> str:
    said = company.run("metric", *question, "--receipt").stdout.strip().splitlines()
    assert said[-2].startswith("data P"), said
    return said[-1].removeprefix("receipt ")


def test_an_answer_states_its_ids_and_its_receipt_is_reproduced(own: Company):
    name = receipt(own, *QUESTION)

    kept = json.loads((own.home / "receipts" / f"{name}.json").read_text(encoding="utf-8"))["receipt"]
    with connect(own.home / "snapshots" / "current.duckdb", read_only=True) as con:
        said = con.execute(
            "select publish_id, data_hash, definition_version, policy_version from marts.publish"
        ).fetchone()
        by_hand = con.execute(
            "select o.organisation_code, sum(revenue_amount_cny)::text from marts.fct_ledger_entry_line as l"
            " join marts.dim_organisation as o on l.company_key = o.organisation_key"
            " where is_posted and is_revenue and date_trunc('month', entry_date) = date '2025-11-01' group by 1 order by 1"
        ).fetchall()
    ids = kept["ids"]
    assert said == (ids["publish_id"], ids["data_hash"], ids["definitions"], ids["policy_version"])
    assert None not in said
    assert [tuple(row[1:]) for row in kept["rows"]] == by_hand
    assert "reproduced: equal" in own.run("verify", name[:10]).stdout


def test_csv_stays_data_and_the_receipt_goes_to_a_file(own: Company, tmp_path: Path):
    file = tmp_path / "board.json"

    done = own.run(
        "metric", "revenue_amount_net", "--period", "2025-11", "--csv", "--receipt-file", str(file)
    )

    lines = done.stdout.splitlines()
    assert len(lines) == 2 and lines[0] == "period_start,value"
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["receipt"]["rows"] == [lines[1].split(",")]
    document["receipt"]["rows"][0][1] = "1.00"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert "the receipt was altered" in own.run("verify", str(file), code=1).stdout


def test_a_snapshot_somebody_changed_is_named_by_table(own: Company):
    name = receipt(own, *QUESTION)
    snapshot = (own.home / "snapshots" / "current.duckdb").resolve()
    before = snapshot.read_bytes()
    snapshot.chmod(0o640)
    try:
        with connect(snapshot) as con:
            con.execute(
                "update marts.fct_ledger_entry_line set revenue_amount_cny = revenue_amount_cny + 0.01"
                " where rowid = (select min(rowid) from marts.fct_ledger_entry_line where is_revenue)"
            )
        said = own.run("verify", name, code=1).stdout
        assert "changed after it was published: marts.fct_ledger_entry_line" in said
    finally:
        snapshot.write_bytes(before)


def test_the_certificate_of_a_report_says_why_it_is_not_certified(group: Group):
    said = group.run("certificate", "group_revenue", code=4).stdout

    newest = dict(
        group.rows(
            "select source_system, max(entry_date) from marts.fct_ledger_entry_line"
            " where entry_date <= (select max(balance_date) from marts.fct_stock_balance_day) group by 1"
        )
    )
    assert "not certified" in said
    for system in ("hc_kingdee", "hc_sap"):
        assert f"{system} {newest[system]}" in said, "the systems that do not reach the cut-off are named"
    assert "✓ certified" in group.run("certificate", "finance_revenue").stdout


def test_certificates_come_out_the_same_again(group: Group):
    publish = group.value("select publish_id from ops.publish order by published_at desc limit 1")

    assert "come out as they were issued" in group.run("certificate", "--as-of", publish, "--rerun").stdout
    assert (
        "no certificate of any report at publish P0"
        in group.run("certificate", "--as-of", "P0", code=3).stderr
    )


@pytest.mark.nightly
def test_without_its_snapshot_a_publish_is_built_again_from_landing(group: Group, place: Path):
    home = place / "rebuilt"
    home.mkdir()
    shutil.copytree(group.home / "snapshots", home / "snapshots", symlinks=True)
    for name in ("warehouse.duckdb", "landing"):
        (home / name).symlink_to(group.home / name)
    shutil.copytree(group.home / "dbt", home / "dbt")
    own = Company(home)
    name = receipt(own, *QUESTION)
    for snapshot in home.glob("snapshots/tieout-*.duckdb"):
        snapshot.unlink()

    said = own.run("verify", name).stdout

    assert "reproduced: equal (3 rows), rebuilt from landing as it was loaded then" in said
    tables = group.value("select count(*) from ops.publish_table where table_name not like '%.publish'")
    assert f"note: {tables} of {tables} tables are as they were published then" in said
    assert not list(home.glob(".verify-*"))
