"""用友 NC tables by the template in docs: rows deleted by a flag, old revisions, `~` for nothing, versions of a material."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.store import Field, Kind, Store, Table, read_table, write_store
from sources.contract import Source
from tests.conftest import SmallSource
from tests.vendor_rows import differences, held_rows, store_rows
from tieout.engine import connect
from tieout.ingest.landing import Landing
from tieout.settings import settings
from tieout.strict import from_yaml

TEMPLATE = settings().project / "docs" / "templates" / "yonyou_nc.yaml"
JANUARY, MARCH = "2026-01-10 09:00:00", "2026-03-02 18:30:00"
D = Decimal


def table(name: str, fields: str, *rows: tuple) -> Table:
    """A table whose first field is its key; `n:` is a decimal and `i:` a whole number."""
    kinds: dict[str, Kind] = {"n": "decimal", "i": "integer", "": "text"}
    made = tuple(
        Field(word.rpartition(":")[2], kinds[word.rpartition(":")[0]], word) for word in fields.split()
    )
    return Table(name, name, (made[0].name,), made, rows)


def nc_tables() -> list[Table]:
    return [
        table(
            "bd_supplier",
            "pk_supplier code name taxpayerid i:enablestate i:dr ts",
            ("S1", "1001", "华东五金", "~", 2, 0, JANUARY),
            ("S2", "1002", "旧供应商", None, 3, 1, JANUARY),
        ),
        table(
            "bd_material",
            "pk_material pk_source i:version latest code name materialspec pk_measdoc i:dr ts",
            ("M1", "M1", 1, "N", "A-01", "轴承", "~", "PC", 0, JANUARY),
            ("M2", "M1", 2, "Y", "A-01", "深沟球轴承", "6204", "PC", 0, MARCH),
        ),
        table(
            "po_order",
            "pk_order vbillcode dbilldate pk_org pk_supplier pk_dept cemployeeid corigcurrencyid n:ntotalorigmny"
            " i:forderstatus i:nversion bislatest i:dr ts",
            ("P1", "CD-01", JANUARY, "ORG", "S1", "~", "E1", "CNY", "113.00000000", 3, 1, "N", 0, JANUARY),
            ("P2", "CD-01", JANUARY, "ORG", "S1", "~", "E1", "CNY", "226.00000000", 3, 2, "Y", 0, MARCH),
            ("P3", "CD-02", JANUARY, "ORG", "~", "D1", None, "CNY", "0.12345678", 0, 1, "Y", 0, JANUARY),
        ),
        table(
            "po_order_b",
            "pk_order_b pk_order crowno pk_srcmaterial cunitid n:nnum n:norigmny n:norigtaxmny n:naccumstorenum"
            " n:naccuminvoicenum i:dr ts",
            ("B1", "P1", "10", "M1", "PC", "10", "100", "113", "~", None, 0, JANUARY),
            ("B2", "P2", "10", "M1", "PC", "20", "200", "226", "0", None, 0, MARCH),
        ),
        table(
            "gl_voucher",
            "pk_voucher pk_accountingbook year period i:num prepareddate tallydate n:totaldebit n:totalcredit discardflag"
            " i:dr ts",
            ("V1", "BOOK", "2026", "01", 1, JANUARY, MARCH, "500.00", "500.00", "N", 0, MARCH),
            ("V2", "BOOK", "2026", "01", 2, JANUARY, "~", "70.00", "70.00", "Y", 0, JANUARY),
        ),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database, and a landing and a warehouse that have pulled it once."""
    folder = tmp_path_factory.mktemp("nc")
    write_store(folder / "nc.db", nc_tables())
    in_folder(folder).pull()
    return folder


@pytest.fixture
def nc(pulled: Path, tmp_path: Path) -> SmallSource:
    """What `pulled` holds, to be changed."""
    shutil.copytree(pulled, tmp_path / "nc")
    return in_folder(tmp_path / "nc")


def in_folder(folder: Path) -> SmallSource:
    """The template as it stands, but for a SQLite file in the place of Oracle."""
    file = folder / "nc.db"
    document = from_yaml(TEMPLATE.read_text(encoding="utf-8"))
    document |= {"connector": "sqlite", "connection": {"path": str(file)}, "limits": {}}
    source = Source.model_validate(document)
    return SmallSource(source, file, Landing(folder / "landing"), folder / "warehouse.duckdb")


def test_the_template_is_a_contract_as_it_stands():
    source = Source.model_validate(from_yaml(TEMPLATE.read_text(encoding="utf-8")))
    assert {stream.load for stream in source.streams.values()} == {"incremental"}
    assert {stream.missing for stream in source.streams.values()} == {("~",)}


def test_every_live_row_is_held_with_a_tilde_as_nothing(nc):
    with connect(nc.warehouse) as con:
        for name, stream in nc.source.streams.items():
            held = read_table(nc.drop, stream.origin)
            places = [item.name for item in held.fields]
            live = [
                tuple(None if value == "~" else value for value in row)
                for row in held.rows
                if row[places.index("dr")] == 0
            ]
            there = store_rows(nc.source, name, Table(held.name, held.title, held.key, held.fields, live))
            assert differences(there, held_rows(con, nc.source, name)) == []
    assert nc.rows("select count(*) from ops.quarantine") == [(0,)]


def test_only_the_latest_revision_counts(nc):
    latest = (
        "select sum(ntotalorigmny) from raw_nc.purchase_order where vbillcode = 'CD-01' and bislatest = 'Y'"
    )
    assert nc.rows(latest) == [(D(226),)]
    assert nc.rows(latest.replace(" and bislatest = 'Y'", "")) == [(D(339),)]  # the trap the template names


def test_what_is_flagged_as_deleted_later_is_gone_and_comes_back_when_it_is_restored(nc):
    store = Store(nc.drop)
    store.change("update po_order set dr = 1, ts = '2026-03-03 08:00:00' where pk_order = 'P3'")
    assert [item.stream for item in nc.pull()] == ["purchase_order"]
    assert nc.rows("select count(*) from raw_nc.purchase_order where not _is_deleted") == [(2,)]

    store.change("update po_order set dr = 0, ts = '2026-03-03 09:00:00' where pk_order = 'P3'")
    nc.pull()
    assert nc.rows("select ntotalorigmny from raw_nc.purchase_order where pk_order = 'P3' and not _is_deleted") == [
        (D("0.12345678"),)
    ]  # fmt: skip


def test_a_line_that_changed_without_its_header_is_found(nc):
    Store(nc.drop).change(
        "update po_order_b set naccumstorenum = '12.5', ts = '2026-03-03 08:00:00' where pk_order_b = 'B2'"
    )
    assert [item.stream for item in nc.pull()] == ["purchase_order_line"]
    assert nc.rows("select naccumstorenum from raw_nc.purchase_order_line where pk_order_b = 'B2'") == [
        (D("12.5"),)
    ]
