"""The carriers' portal: monthly CSV and XML files in GB18030 with control totals; what they say is what is held."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.huachen.systems import tms
from sandbox.huachen.world import Spelling
from sources.contract import read_source
from tests.conftest import SmallSource
from tests.small_world import small_world
from tests.vendor_rows import differences, held_rows, store_rows
from tieout.engine import connect
from tieout.ingest.landing import Landing
from tieout.settings import settings

CONTRACT = settings().sources / "hc_tms" / "source.yaml"
MARCH = "运单_2025-03.csv"


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallSource:
    drop = tmp_path / "drop"
    drop.mkdir()
    world = small_world()
    tms.write(drop, world, Spelling(world))
    monkeypatch.setenv("HC_TMS_DROP", str(drop))
    return SmallSource(
        read_source(CONTRACT), drop, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb"
    )


def failed(portal: SmallSource) -> dict[str, str]:
    return {outcome.stream: str(outcome.error) for outcome in portal.extract() if outcome.error}


def test_every_row_of_every_file_is_loaded(portal):
    portal.pull()

    world = small_world()
    waybills, signed = tms.tables(world, Spelling(world))
    with connect(portal.warehouse) as con:
        for stream, table in (("waybill", waybills), ("signature", signed)):
            there = store_rows(portal.source, stream, table)
            assert differences(there, held_rows(con, portal.source, stream)) == []
    # Two months of waybills with three totals each, one of signed notes with two.
    assert portal.rows("select bool_and(agrees), count(*) from ops.control_total") == [(True, 8)]


def test_months_boxes_and_instants_are_those_of_the_portal(portal):
    """Nine slides are three boxes of four, 45 couplings three of twenty; 17:00 in UTC is the next day, and month."""
    portal.pull()

    assert sorted(path.name for path in portal.drop.iterdir()) == sorted(
        ["控制总数.csv", "签收_2025-03.xml", "运单_2025-03.csv", "运单_2025-04.csv"]
    )
    assert portal.rows("select waybill_no, box_count, freight, shipped_at::text, _origin from raw_hc_tms.waybill order by 1") == [
        ("YD0001", 6, Decimal("123.45"), "2025-03-14 14:00:00", MARCH),
        ("YD0002", 1, Decimal(30), "2025-04-01 01:00:00", "运单_2025-04.csv"),
    ]  # fmt: skip
    assert portal.rows("select waybill_no, signed_at::text, box_count from raw_hc_tms.signature") == [
        ("YD0001", "2025-03-16 15:05:00", 6)
    ]


def test_the_same_files_written_again_land_nothing(portal):
    portal.pull()
    world = small_world()
    tms.write(portal.drop, world, Spelling(world))

    assert portal.pull() == []


def test_a_month_that_is_sent_again_replaces_itself_and_no_other(portal):
    portal.pull()
    world = small_world()
    world.shipments[0] = type(world.shipments[0])(
        *("YD0009", "CK0001", "跨越速运", world.shipments[0].shipped_at, None, Decimal("99"))
    )
    for file in portal.drop.iterdir():
        file.unlink()
    tms.write(portal.drop, world, Spelling(world))
    assert failed(portal).keys() == {"signature"}  # nobody has signed in March now, and no file says so
    portal.load()

    assert portal.rows("select waybill_no, freight from raw_hc_tms.waybill where not _is_deleted order by 1") == [
        ("YD0002", Decimal(30)), ("YD0009", Decimal(99))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "stream", "words"),
    [(MARCH, "waybill", "the file was cut in the middle"), ("签收_2025-03.xml", "signature", "is not XML")],
)
def test_a_file_that_was_cut_in_the_middle_is_refused_by_name(portal, file, stream, words):
    portal.pull()
    cut = portal.drop / file
    raw = cut.read_bytes()
    cut.write_bytes(raw[: raw.index(b"YD0001") + 60])

    found = failed(portal)
    assert found.keys() == {stream}
    assert file in found[stream]
    assert words in found[stream]
    portal.load()
    assert portal.rows(
        f"select count(*) from raw_hc_tms.{stream} where waybill_no = 'YD0001' and not _is_deleted"
    ) == [(1,)]


def test_a_figure_that_changed_on_the_way_is_refused_with_both_totals(portal):
    raw = (portal.drop / MARCH).read_bytes()
    (portal.drop / MARCH).write_bytes(raw.replace(b"123.45", b"23.45"))

    found = failed(portal)
    assert found.keys() == {"waybill"}
    assert f"{MARCH} should have sum_freight = 123.45, but 23.4500 arrived" in found["waybill"]
    assert "Nothing of it was loaded; what was loaded before stays" in found["waybill"]


def test_without_its_control_file_nothing_is_taken(portal):
    (portal.drop / tms.CONTROL_FILE).unlink()

    found = failed(portal)
    assert found.keys() == {"waybill", "signature"}
    assert all("控制总数.csv is missing" in words for words in found.values())


def test_a_note_with_characters_of_markup_is_read_as_it_was_written(portal):
    names = ["运单号", "签收时间", "签收人", "签收件数"]
    tms._write_xml(
        portal.drop / "签收_2025-03.xml", names, [("YD0001", "2025-03-16 15:05:00", '<甲>&"乙"', 6)]
    )
    portal.pull()

    assert portal.rows("select signed_by, signed_at::date from raw_hc_tms.signature") == [
        ('<甲>&"乙"', date(2025, 3, 16))
    ]
