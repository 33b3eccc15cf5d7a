"""MES and WMS in PostgreSQL: what the database holds is what is held; changes by updated_at, deletions by their keys."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from sandbox.huachen.build import fill_database
from sandbox.huachen.systems import mes
from sandbox.huachen.world import Spelling
from sources.contract import Source, read_source
from tests.conftest import SmallSource
from tests.servers import PASSWORD, Postgres, postgres_database
from tests.small_world import small_world
from tests.vendor_rows import differences, held_rows, store_rows
from tieout.engine import connect
from tieout.ingest.controls import compare_controls
from tieout.ingest.drafting import Wanted, draft
from tieout.ingest.landing import Landing
from tieout.settings import settings
from tieout.strict import from_yaml

CONTRACT = settings().sources / "hc_mes" / "source.yaml"
D = Decimal


@pytest.fixture
def database(pytestconfig: pytest.Config) -> Postgres:
    made = postgres_database(pytestconfig)
    world = small_world()
    with psycopg.connect(made.admin) as con:
        fill_database(con, mes.tables(world, Spelling(world)))
    made.grant()
    return made


@pytest.fixture
def plant(database: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallSource:
    monkeypatch.setenv("HC_MES_DSN", database.dsn)
    source = read_source(CONTRACT)
    return SmallSource(source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")


def unlike(plant: SmallSource, world) -> list[str]:
    tables = {table.name: table for table in mes.tables(world, Spelling(world))}
    with connect(plant.warehouse) as con:
        return [
            f"{name}: {words}"
            for name, stream in plant.source.streams.items()
            for words in differences(
                store_rows(plant.source, name, tables[stream.origin]), held_rows(con, plant.source, name)
            )
        ]


def test_every_table_is_loaded_as_the_system_holds_it(plant):
    plant.pull()

    assert unlike(plant, small_world()) == []
    assert plant.rows("select bool_and(agrees), count(*) from ops.control_total") == [(True, 15)]
    with connect(plant.warehouse) as con:
        found = compare_controls(con, {"hc_mes": plant.source}, plant.landing)
    assert {(item.name, item.agrees) for item in found} == {("good_output", True), ("boxes_shipped", True)}
    # Nine slides, four to a box: 4 + 4 + 1. 45 couplings, twenty to a box: 20 + 20 + 5.
    assert plant.rows(
        "select line_no, list(quantity order by box_no) from raw_hc_mes.box where outbound_no = 'CK0001' group by 1 order by 1"
    ) == [(1, [D(4), D(4), D(1)]), (2, [D(20), D(20), D(5)])]
    assert plant.rows(
        "select work_order_no, status, plan_quantity, good_quantity, scrap_quantity, uom from raw_hc_mes.work_order order by 1"
    ) == [
        ("MO0001", "FINISHED", D(20), D(19), D(1), "SET"),
        ("MO0002", "RUNNING", D("7.5"), D(0), D(0), "PC"),
    ]
    assert plant.rows("select outbound_no, waybill_no, box_count from raw_hc_mes.shipment order by 1") == [
        ("CK0001", "YD0001", 6), ("CK0002", "YD0002", 1)
    ]  # fmt: skip
    assert plant.pull() == []


def test_a_change_a_late_commit_and_a_deletion_are_found(plant, database):
    plant.pull()
    database.run(
        "update mes_work_order set status = 'FINISHED', good_qty = 7.5, updated_at = '2025-04-02 09:00+08' where wo_no = 'MO0002'",
        # committed weeks after its own updated_at: far later than the two hours promised
        "insert into wms_box values ('CK0002-009', 'CK0002', 1, 'P0026', 0, '2025-03-01 00:00+00')",
        "delete from mes_output where output_no = 'RK0001'",
        "insert into mes_output values ('RK0009', 1, 'MO0002', 'P0022', 7.5, 0, 'PC', now(), now())",
    )
    loaded = {item.stream: (item.loaded, item.deleted) for item in plant.pull()}

    assert loaded == {"work_order": (1, 0), "box": (1, 0), "output": (1, 1)}
    assert plant.rows("select good_quantity from raw_hc_mes.work_order where work_order_no = 'MO0002'") == [
        (D("7.5"),)
    ]
    assert plant.rows("select output_no from raw_hc_mes.output where not _is_deleted") == [("RK0009",)]


def test_a_right_that_was_taken_away_is_named_and_the_other_tables_go_on(plant, database):
    plant.pull()
    database.run(
        f"revoke select on wms_box from {database.reader}",
        "update mes_work_order set scrap_qty = 2, updated_at = '2025-04-02 09:00+08' where wo_no = 'MO0001'",
    )
    outcomes = {outcome.stream: outcome for outcome in plant.extract()}

    assert "this login has no right to select from it" in str(outcomes["box"].error)
    assert "what was loaded before stays" in str(outcomes["box"].error)
    assert [name for name, outcome in outcomes.items() if outcome.error] == ["box"]
    assert [item.stream for item in plant.load()] == ["work_order"]
    assert plant.rows("select count(*) from raw_hc_mes.box where not _is_deleted") == [(7,)]


def test_a_wrong_password_is_named_without_it(plant, database, monkeypatch):
    wrong = PASSWORD[::-1]
    monkeypatch.setenv("HC_MES_DSN", database.dsn.replace(PASSWORD, wrong))
    (error,) = {str(outcome.error) for outcome in plant.extract()}

    assert "hc_mes: cannot connect" in error
    assert "password authentication failed" in error
    assert "Nothing was read" in error
    assert wrong not in error


def test_a_contract_drafted_from_the_catalogue_loads_without_a_hand_edit(plant):
    drafted = draft(Wanted("mes_draft", "postgres", "env:HC_MES_DSN"))
    plant.source = Source.model_validate(from_yaml(drafted.text))
    plant.pull()

    box = plant.source.streams["wms_box"]
    assert (box.title.zh, box.key, box.columns["qty"].type) == ("装箱", ("box_no",), "decimal(38, 6)")
    assert len(plant.source.streams) == 6
    assert plant.rows("select sum(qty) from raw_mes_draft.wms_box") == [(D(56),)]
    assert plant.rows("select bool_and(agrees) from ops.control_total") == [(True,)]
