"""Receipts: what they say is what was asked, they cannot be altered unnoticed, and their number is reproduced or not."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.test_metric_layer import MARTS, build
from tieout.doors.publish import PublishMeta
from tieout.doors.published import record_tables, snapshot_hashes, tables_of
from tieout.doors.snapshot import write_snapshot
from tieout.engine import connect
from tieout.fingerprint import schema_hashes
from tieout.ingest.landing import Landing, Manifest
from tieout.ingest.ledger import ensure_ledger
from tieout.metrics.answer import answer
from tieout.metrics.receipt import (
    KEPT_ROWS,
    Ids,
    Question,
    Receipt,
    ReceiptError,
    Tampered,
    find_receipt,
    ids_of,
    keep,
    plain,
    read_receipt,
    receipt_of,
    write_receipt,
)
from tieout.progress import Silent
from tieout.reproduce import landing_as_of, reproduce, tables_in
from tieout.settings import Settings
from tieout.transform.fingerprints import model_fingerprints

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def installation(tmp_path_factory) -> Settings:
    """A home with one publish of the small company: its warehouse, its ledger, its snapshot."""
    home = tmp_path_factory.mktemp("receipts")
    settings = Settings(home=home)
    with connect(settings.warehouse) as con:
        con.execute(MARTS)
        build(con, home)
        ensure_ledger(con)
        contents = schema_hashes(con, ("marts", "metrics"))
    meta = PublishMeta(
        AT, date(2026, 2, 28), certified=True, loaded_to=AT, definition_version="d1", policy_version="p1"
    )
    snapshot = write_snapshot(settings.warehouse, settings.snapshots, "P1", meta=meta, role="analyst")
    with connect(settings.warehouse) as con:
        record_tables(con, "P1", contents, snapshot_hashes(snapshot), {"marts.fct_order": "f1"})
        con.execute(
            "insert into ops.publish values ('P1', 'R1', 'raw0raw0raw0raw0def0def0def0def0', 'h', 1, 1, ?, 'door', ?)",
            [snapshot.name, AT],
        )
    return settings


@pytest.fixture
def own(installation, tmp_path) -> Settings:
    """The same, to be changed by a test."""
    shutil.copytree(installation.home, tmp_path / "home", symlinks=True)
    return Settings(home=tmp_path / "home")


def asked(settings: Settings, name: str = "order_amount_net", grain: str | None = "month", **more) -> Receipt:
    """A receipt, as `tieout metric --receipt` makes it."""
    with connect(settings.snapshots / "current.duckdb", read_only=True) as con:
        said = answer(con, name, grain, **more)
        ids = ids_of(con, said.definition_version)
    assert ids is not None
    where = tuple(more.get("where", {}).items())
    question = Question(name, grain, tuple(more.get("by", ())), more.get("period"), where)
    return receipt_of(question, said, ids, AT)


def by_hand(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# --- what a receipt says --------------------------------------------------------------------------


def test_a_receipt_says_what_was_asked_of_what_and_what_came_out(installation):
    receipt = asked(installation)

    assert receipt.rows == (("2026-01-01", "170.15"), ("2026-02-01", "13.32"))
    assert (receipt.ids.publish_id, receipt.ids.policy_version, receipt.ids.role) == ("P1", "p1", "analyst")
    assert (receipt.ids.definitions, receipt.ids.cut_off, receipt.ids.certified) == ("d1", "2026-02-28", True)
    assert receipt.ids.loaded_to == "2026-11-22T08:00:00+00:00"


def test_its_id_is_the_hash_of_all_it_says(installation, tmp_path):
    receipt = asked(installation)

    path = keep(receipt, tmp_path)

    document = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == document["id"] == receipt.id == by_hand(document["receipt"])
    assert keep(receipt, tmp_path) == path, "the same receipt is one file"
    assert find_receipt(receipt.id[:6], tmp_path) == read_receipt(path) == receipt


def test_a_long_answer_is_stated_by_its_hash_alone(installation):
    said = asked(installation)
    rows = [(f"C{n}", n) for n in range(KEPT_ROWS + 1)]
    with connect(installation.snapshots / "current.duckdb", read_only=True) as con:
        long = replace(answer(con, "order_amount_net"), columns=("customer_code", "value"), rows=rows)

    receipt = receipt_of(said.question, long, said.ids, AT)

    wanted = {"columns": ["customer_code", "value"], "rows": [[a, str(b)] for a, b in rows]}
    assert receipt.rows is None
    assert receipt.result_hash[:16] == by_hand(wanted)


def test_a_file_that_is_no_publish_has_no_ids(installation):
    with connect(installation.warehouse, read_only=True) as con:
        assert ids_of(con, "v") is None


def test_the_common_case_still_loads_no_pandas(installation):
    code = (
        "import sys; from datetime import UTC, datetime; from tieout.engine import connect\n"
        "from tieout.metrics.answer import answer\n"
        "from tieout.metrics.receipt import Question, ids_of, receipt_of\n"
        f"con = connect({str(installation.snapshots / 'current.duckdb')!r}, read_only=True)\n"
        "said = answer(con, 'order_amount_net', 'month')\n"
        "ids = ids_of(con, said.definition_version)\n"
        "print(receipt_of(Question('order_amount_net', 'month'), said, ids, datetime.now(UTC)).row_count)\n"
        "print({'metricflow', 'sqlglot', 'pandas', 'pydantic', 'yaml', 'numpy'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.split("\n")[:2] == ["2", "set()"], done.stderr


# --- altered ---------------------------------------------------------------------------------------

IDS = Ids("P1", "h", "d", "D", "p", "analyst", "2026-02-28", None, True)
RECEIPT = Receipt(
    Question("revenue", "month", ("customer",), "2026-02", (("region", "东"),)), AT.isoformat(), IDS,
    "select 1", ("customer", "value"), 1, "0" * 64, (("C1", "12.50"),),
)  # fmt: skip


@given(st.data())
def test_whatever_is_altered_in_a_receipt_is_noticed(data):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = keep(RECEIPT, Path(folder))
        text = path.read_text(encoding="utf-8")
        place = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.characters(blacklist_categories=("Cs",)))
        path.write_text(text[:place] + letter + text[place + 1 :], encoding="utf-8")
        try:
            read = find_receipt(RECEIPT.id, Path(folder))
        except ReceiptError:
            return
        assert read == RECEIPT, "only what means nothing, such as white space, may be another"


def test_a_receipt_under_the_name_of_another_is_noticed(installation, tmp_path):
    path = keep(asked(installation), tmp_path)
    shutil.copy(path, path.with_name("0123456789abcdef.json"))

    with pytest.raises(Tampered, match="called 0123456789abcdef"):
        find_receipt("0123456789abcdef", tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"id": "x", "receipt": {"format": 9}}', "\x00"])
def test_what_is_no_receipt_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text, encoding="utf-8")

    with pytest.raises(ReceiptError, match=r"r\.json"):
        find_receipt(str(tmp_path / "r.json"), tmp_path)


def test_a_receipt_nobody_kept_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(ReceiptError, match="tieout metric … --receipt"):
        find_receipt("0123", tmp_path)


# --- reproduced -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [
        {"grain": "month", "by": ["customer_code"]},
        {"grain": None, "where": {"customer": "C2"}},
        {"grain": "quarter", "by": ["currency_code", "customer_name"]},
        {"name": "ship_to_order_ratio", "grain": "month"},
        {"name": "stock_on_hand_qty", "grain": "month", "where": {"product": "P2"}},
    ],
)
def test_a_number_is_reproduced_from_the_kept_snapshot(installation, question):
    done = reproduce(installation, asked(installation, **question), Silent())

    assert (done.state, done.reasons) == ("equal", ())


def test_a_forged_number_differs_even_under_a_valid_id(installation, tmp_path):
    receipt = replace(asked(installation), rows=(("2026-01-01", "170.15"), ("2026-02-01", "1300.00")))
    forged = replace(receipt, result_hash=hashlib.sha256(b"anything").hexdigest())
    write_receipt(forged, tmp_path / "forged.json")  # a valid receipt: its id is the hash of its content

    done = reproduce(installation, read_receipt(tmp_path / "forged.json"), Silent())

    assert done.state == "differs"
    assert done.reasons == ("2026-02-01: 1300.00 in the receipt, 13.32 found",)


def test_another_definition_or_another_sql_differs(installation):
    receipt = asked(installation)

    other = replace(receipt, ids=replace(receipt.ids, definition_version="tampered"))
    assert "definition_version" in reproduce(installation, other, Silent()).reasons[0]

    other = replace(receipt, sql="select date '2026-01-01' as period_start, 170.15 as value")
    assert "SQL" in reproduce(installation, other, Silent()).reasons[0]


def test_a_snapshot_that_was_changed_proves_nothing(own):
    receipt = asked(own)
    snapshot = own.snapshots / "tieout-P1.duckdb"
    snapshot.chmod(0o640)
    with connect(snapshot) as con:
        con.execute("update marts.fct_order set amount_cny = amount_cny + 1 where source_record = '3'")

    done = reproduce(own, receipt, Silent())

    assert done.state == "differs"
    assert "marts.fct_order holds other values in its 9 rows" in done.reasons[0]


def test_a_row_taken_out_and_a_table_put_in_are_named(own):
    receipt = asked(own)
    snapshot = own.snapshots / "tieout-P1.duckdb"
    snapshot.chmod(0o640)
    with connect(snapshot) as con:
        con.execute("delete from marts.fct_shipment where source_record = 'c'")
        con.execute("create table marts.fct_new as select 1 as n")

    (reason, _) = reproduce(own, receipt, Silent()).reasons

    assert "marts.fct_shipment holds 2 rows, published were 3" in reason
    assert "marts.fct_new was not published" in reason


def test_a_publish_nobody_knows_cannot_be_reproduced(installation):
    receipt = asked(installation)
    elsewhere = replace(receipt, ids=replace(receipt.ids, publish_id="P0"))

    done = reproduce(installation, elsewhere, Silent())

    assert done.state == "impossible"
    assert "knows no publish P0" in done.reasons[0]


def test_without_its_snapshot_and_its_batches_it_says_why_it_cannot(own):
    receipt = asked(own)
    (own.snapshots / "tieout-P1.duckdb").unlink()

    done = reproduce(own, receipt, Silent())

    assert done.state == "impossible"
    assert "which batches were loaded" in done.reasons[0]
    assert not list(own.home.glob(".verify-*")), "nothing is left behind"


def test_tables_of_a_publish_are_recorded_once(own):
    with connect(own.warehouse) as con:
        before = tables_of(con, "P1")
        record_tables(con, "P1", {"marts.a": "1-2-3"}, {}, {})

        assert before["marts.fct_order"].rows == 9
        assert before["marts.fct_order"].definition == "f1"
        assert set(tables_of(con, "P1")) == {"marts.a"}


def test_tables_of_a_query_are_those_it_reads():
    sql = "with x as (select * from marts.fct_a) select * from x join marts.dim_b using (k)"

    assert tables_in(sql) == ["marts.dim_b", "marts.fct_a"]


# --- landing as it was ------------------------------------------------------------------------------


def batch(landing: Landing, name: str, **more) -> None:
    with landing.draft("tms", "waybill") as draft:
        (draft / "rows.parquet").write_bytes(b"")
        said = Manifest(
            "tms", "waybill", name, AT.isoformat(), "*", "o", "rows.parquet", 0, 0, "h", "v", **more
        )
        landing.commit(draft, said)


def decision(landing: Landing, name: str, at: datetime) -> None:
    path = landing.root / "_decisions" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"kind": "release-row", "at": at.isoformat()}), encoding="utf-8")


def test_landing_of_then_has_the_batches_loaded_and_the_decisions_taken_by_then(tmp_path):
    landing = Landing(tmp_path / "landing")
    for name in ("b1", "b2", "b3"):
        batch(landing, name)
    decision(landing, "before.json", AT - timedelta(hours=1))
    decision(landing, "after.json", AT + timedelta(hours=1))

    problems = landing_as_of(
        landing.root, tmp_path / "then", {("tms", "waybill", "b1"), ("tms", "waybill", "b2")}, AT
    )

    then = Landing(tmp_path / "then")
    assert problems == []
    assert [item.batch_id for item in then.batches("tms", "waybill")] == ["b1", "b2"]
    assert [path.name for path in (tmp_path / "then" / "_decisions").iterdir()] == ["before.json"]


def test_a_batch_that_is_gone_or_was_compacted_with_a_later_one_is_said(tmp_path):
    landing = Landing(tmp_path / "landing")
    batch(landing, "b9", folds=["b1", "b2"])

    whole = landing_as_of(landing.root, tmp_path / "a", {("tms", "waybill", "b2")}, AT)
    cut = landing_as_of(landing.root, tmp_path / "b", {("tms", "waybill", "b1")}, AT)
    gone = landing_as_of(landing.root, tmp_path / "c", {("tms", "waybill", "b0")}, AT)

    assert whole == [], "all it stands for had been loaded by then"
    assert "compacted together with later ones" in cut[0]
    assert "tms.waybill are not in landing any more" in gone[0]


# --- what a table is made of -------------------------------------------------------------------------


def manifest(folder: Path, **sql: str) -> Path:
    """stg_a and stg_b read one source each; fct_a is made of stg_a with a macro; two macros, one of them used."""
    text = {"stg_a": "a", "stg_b": "b", "fct_a": "f", "used": "u", "unused": "n"} | sql

    def node(name: str, schema: str, parents: list[str], macros: list[str]) -> dict:
        return {
            "name": name, "schema": schema, "resource_type": "model", "checksum": {"checksum": text[name]},
            "depends_on": {"nodes": parents, "macros": macros},
        }  # fmt: skip

    document = {
        "nodes": {
            "model.p.stg_a": node("stg_a", "staging", ["source.p.a"], []),
            "model.p.stg_b": node("stg_b", "staging", ["source.p.b"], []),
            "model.p.fct_a": node("fct_a", "marts", ["model.p.stg_a"], ["macro.p.used"]),
        },
        "sources": {f"source.p.{name}": {"source_name": name} for name in ("a", "b")},
        "macros": {
            f"macro.p.{name}": {
                "package_name": "p",
                "macro_sql": text[name],
                "depends_on": {"macros": []},
            }
            for name in ("used", "unused")
        },
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changed", "moves"),
    [
        ({"fct_a": "g"}, {"marts.fct_a"}),
        ({"stg_a": "c"}, {"staging.stg_a", "marts.fct_a"}),
        ({"stg_b": "c"}, {"staging.stg_b"}),
        ({"used": "v"}, {"marts.fct_a"}),
        ({"unused": "v"}, set()),
    ],
)
def test_a_change_moves_the_fingerprints_below_it_and_no_others(tmp_path, changed, moves):
    before = model_fingerprints(manifest(tmp_path), tmp_path)
    after = model_fingerprints(manifest(tmp_path, **changed), tmp_path)

    assert {name for name in before if before[name] != after[name]} == moves


def test_a_contract_that_changes_moves_what_is_made_of_its_source(tmp_path):
    contract = tmp_path / "sources" / "a" / "source.yaml"
    contract.parent.mkdir(parents=True)
    contract.write_text("one", encoding="utf-8")
    before = model_fingerprints(manifest(tmp_path), tmp_path)
    contract.write_text("two", encoding="utf-8")
    after = model_fingerprints(manifest(tmp_path), tmp_path)

    assert {name for name in before if before[name] != after[name]} == {"staging.stg_a", "marts.fct_a"}


# --- the ledger of an older version -------------------------------------------------------------------


def test_a_ledger_of_an_older_version_keeps_its_certificates(tmp_path):
    with connect(tmp_path / "old.duckdb") as con:
        con.execute("create schema ops")
        con.execute(
            "create table ops.certificate (publish_id text primary key, run_id text not null, certified boolean not null,"
            " reasons text not null, issued_at timestamptz not null)"
        )
        con.execute("insert into ops.certificate values ('P0', 'R0', true, '[]', ?)", [AT])

        ensure_ledger(con)

        assert con.execute("select publish_id, certified, absent from ops.certificate").fetchall() == [
            ("P0", True, None)
        ]


def test_plain_values_are_exact_for_money_and_stable_for_ratios():
    from decimal import Decimal

    assert plain([(Decimal("0.10"), 0.1 + 0.2, None, date(2026, 1, 1))]) == (
        ("0.10", "0.3", None, "2026-01-01"),
    )
