"""One person goes, from everything held and for good; every total and everybody else stays."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from sources.contract import read_sources
from tests.conftest import NOON
from tests.warehouse.erasing import EMPLOYEES, VALUES, Office, rebuild
from tieout.engine import connect, literal
from tieout.fingerprint import schema_hashes
from tieout.ingest.decisions import DecisionError, decide
from tieout.ingest.replay import contents
from tieout.ingest.retention import compact
from tieout.master_data.decisions import decisions as rulings
from tieout.privacy import state
from tieout.privacy.erase import erase_person, forget, plan, prove
from tieout.privacy.erased import KIND, erased
from tieout.privacy.search import Search
from tieout.privacy.tokens import PSEUDONYM, EraseError
from tieout.progress import Silent

pytestmark = pytest.mark.slow

CRASHES = ("erase-begun", "erase-decided", "erase-batch", "erase-rows", "erase-landing", "erase-keys")


@pytest.fixture(scope="module")
def pulled(tmp_path_factory) -> Path:
    office = Office(tmp_path_factory.mktemp("erase") / "office")
    office.make()
    office.pull()
    return office.place


@pytest.fixture
def office(pulled, tmp_path) -> Office:
    shutil.copytree(pulled, tmp_path / "office")
    made = Office(tmp_path / "office", pulls=1)
    for file in made.settings.sources.glob("*/source.yaml"):
        file.write_text(
            file.read_text(encoding="utf-8").replace(str(pulled), str(made.place)), encoding="utf-8"
        )
    return made


def left(office: Office) -> dict:
    """Where any of the person's values still is."""
    search = Search(VALUES)
    return dict(search.folder(office.settings.home, leave_out=lambda path: path.name == state.FILE))


def test_values_go_from_landing_history_and_quarantine_and_totals_stay(office):
    assert len({place for _, place in left(office)}) > 10, "they are there before"
    assert office.rows("select record_key from ops.quarantine where record like '%欧阳丽%'") == [("T3",)]

    done = office.erase()
    said = prove(office.settings)

    assert left(office) == {}
    assert said.holds and said.values == 5 and said.files > 10, said
    assert {item.kind: item.figures for item in said.compared} == {
        "total": 6,
        "identity": 1,
        "key": 1,
        "record": 1,
    }
    assert {f"{item.source}.{item.stream}": (item.rows.own, item.rows.others) for item in done.batches} == {
        "hr.employee": (1, 0), "hr.trip": (0, 3), "app.user": (1, 0), "app.presence": (0, 2),
    }  # fmt: skip
    assert office.rows("select record_key from ops.quarantine") == [("T3",)], "still set aside, for its fee"


def test_everybody_else_and_every_amount_is_as_it_was(office):
    office.erase()
    ((name, phone, born, city),) = office.rows(
        "select name, phone, born_on, city from raw_hr.employee where employee_no = 'E1'"
    )
    assert PSEUDONYM.fullmatch(name) and PSEUDONYM.fullmatch(phone) and name != phone
    assert (born, city) == (None, "上海"), "what is not text is emptied; class L2 stays"
    assert office.rows(
        "select employee_no, name, phone from raw_hr.employee where employee_no > 'E1' order by 1"
    ) == [
        ("E2", "王芳", "13800002222"),
        ("E3", "王芳", "13800003333"),
    ]
    (first, second) = office.rows("select driver, other_driver, note, fee from raw_hr.trip order by trip_no")
    assert first == (name, "王芳", f"{name}代王芳出车", first[3]) and str(first[3]) == "10.50"
    assert second[0] == "王芳" and second[2] == f"电话{phone}"
    assert office.rows("select distinct name from raw_app.\"user\" where user_id like 'erased%'") == [(name,)]


def test_the_key_stays_and_records_are_kept_together(office):
    before = office.rows(
        "select master_key, count(*) from master.crosswalk where master_key = 'KE1' group by 1"
    )
    office.erase()
    assert (
        office.rows("select master_key, count(*) from master.crosswalk where master_key = 'KE1' group by 1")
        == before
    )
    (ruling,) = rulings(office.settings.master, "employee")
    assert ruling.kind == "same" and "hr:E1" in ruling.pair and "ux9aouyangli77" not in str(ruling)


def test_a_later_pull_brings_nobody_back(office):
    office.erase()
    assert office.pull() == 0, "what has not changed is known by its hash, and does not land again"

    office.csv(
        "employee.csv",
        "employee_no,name,phone,born_on,city",
        "E1,欧阳丽丽,13955556666,1990-05-01,南京",
        "E2,王芳,,,",
    )
    office.csv("trip_2.csv", "trip_no,driver,other_driver,note,fee", "T4,欧阳丽,王芳,欧阳丽出车,7")
    office.sql("insert into presence values ('ux9aouyangli77', '2026-10-03', 4)")
    assert office.pull() == 3
    assert left(office) == {}
    assert not Search(["欧阳丽丽", "13955556666"]).folder(
        office.settings.landing, leave_out=lambda _: False
    ), "the person's own row is known by its key, whatever it says now"
    ((trip,),) = office.rows("select driver from raw_hr.trip where trip_no = 'T4'")
    assert {(trip,)} == set(office.rows("select driver from raw_hr.trip where trip_no = 'T1'")), (
        "the same pseudonym"
    )
    assert office.rows("select sum(hours) from raw_app.presence where user_id like 'erased%'")[0][0] == 19.5


def test_a_page_that_names_somebody_in_a_field_nobody_promised_does_not_land(office):
    office.erase()
    office.csv("trip_5.csv", "trip_no,driver,other_driver,note,fee,clerk", "T6,王芳,,,7,由欧阳丽录入")
    assert office.pull() == 1
    assert left(office) == {} and office.rows("select driver from raw_hr.trip where trip_no = 'T6'") == [
        ("王芳",)
    ]
    (manifest,) = [item for item in office.landing.batches("hr", "trip") if item.scope == "trip_5.csv"]
    assert "evidence" in manifest.expired and not list(office.landing.folder(manifest).glob("*.csv"))


def test_compacted_batches_are_written_again_too(office):
    for phone in ("13800004444", "13800005555"):
        office.csv(
            "employee.csv",
            "employee_no,name,phone,born_on,city",
            f"E1,欧阳丽,{phone},1990-05-01,上海",
            *EMPLOYEES[1:],
        )
        office.pull()
    sources = read_sources(office.settings.sources)
    done = compact(sources, office.landing, NOON + timedelta(hours=1), NOON, lambda _: None)
    assert [item.stream for item in done] == ["employee"]
    office.erase()
    assert left(office) == {} and prove(office.settings).holds
    phones = "select count(distinct phone) from raw_hr.employee__history where employee_no = 'E1'"
    assert office.rows(phones) == [(3,)], "as many versions as before"
    assert not Search(["13800004444"]).folder(
        office.settings.home, leave_out=lambda path: path.name == state.FILE
    )


@pytest.mark.parametrize("place", CRASHES)
def test_killed_anywhere_the_same_command_gives_the_same(office, pulled, tmp_path, place):
    office.killed(place)
    assert office.settings.warehouse.is_file() and state.read(office.settings.home) is not None
    with pytest.raises(EraseError, match="is not finished"):
        office.erase("E2")
    office.erase()
    assert left(office) == {} and prove(office.settings).holds
    forget(office.settings)
    assert not (office.settings.home / state.FILE).exists()
    assert values(office) == whole(pulled, tmp_path / "whole", office)


def whole(pulled: Path, place: Path, other: Office) -> dict:
    """What an erasure that nobody killed gives, with the same key."""
    shutil.copytree(pulled, place)
    made = Office(place, pulls=1)
    shutil.copytree(other.settings.landing / "_erasures", made.settings.landing / "_erasures")
    made.erase()
    return values(made)


def values(office: Office) -> dict:
    with connect(office.settings.warehouse, read_only=True) as con:
        return schema_hashes(con, ["raw_hr", "raw_app", "marts", "master"])


def test_a_replay_from_landing_alone_gives_the_same(office):
    office.erase()
    with connect(office.settings.warehouse, read_only=True) as con:
        before = contents(con, built=True)
    office.settings.warehouse.unlink()
    rebuild(office.settings, Silent(), NOON)
    with connect(office.settings.warehouse, read_only=True) as con:
        assert contents(con, built=True) == before


def test_erasing_again_changes_nothing(office):
    office.erase()
    files = {path: path.read_bytes() for path in office.settings.landing.rglob("*.parquet")}
    assert office.erase().batches == ()
    assert {path: path.read_bytes() for path in office.settings.landing.rglob("*.parquet")} == files
    forget(office.settings)
    with pytest.raises(EraseError, match="erased already"):
        office.erase()


def test_a_namesake_stays_and_is_said_to_be_shared(office):
    person, _ = plan(office.settings, "E2")
    assert "王芳" in person.shared and "王芳" not in person.sought
    office.erase("E2")
    assert office.rows("select name from raw_hr.employee where employee_no = 'E3'") == [("王芳",)]
    assert office.rows("select name like 'erased%' from raw_hr.employee where employee_no = 'E2'") == [
        (True,)
    ]


def test_the_decision_holds_no_value_and_its_key_is_needed(office):
    office.erase()
    (file,) = (office.settings.landing / "_decisions").glob(f"*{KIND}*")
    said = json.loads(file.read_text(encoding="utf-8"))
    assert said["by"] == "李静" and not Search(VALUES).found(file.read_bytes())
    key = office.settings.landing / "_erasures" / "key"
    assert key.stat().st_mode & 0o077 == 0
    key.unlink()
    with pytest.raises(EraseError, match="would come back"):
        erased(office.settings.landing)
    office.csv("trip_3.csv", "trip_no,driver,other_driver,note,fee", "T5,欧阳丽,,,7")
    with pytest.raises(EraseError):
        office.pull()


def test_what_is_left_is_found_and_named(office):
    office.erase()
    (office.settings.home / "logs").mkdir(exist_ok=True)
    (office.settings.home / "logs" / "odd.bin").write_bytes(b"\0\1" + "欧阳丽".encode("gb18030") + b"\2")
    with connect(office.settings.warehouse) as con:
        con.execute(f"create table ops.odd as select {literal('tel 13800001111')} as said")
        con.execute("update marts.fct_trip set fee_cny = fee_cny + 0.01 where trip_key = 'T1'")
    said = prove(office.settings)
    assert not said.holds
    assert {place for _, place in said.hits} >= {"logs/odd.bin", "warehouse.duckdb: ops.odd"}
    assert [line for item in said.compared for line in item.differ] == [
        "total fct_trip.fee_cny: 30.50 was, 30.51 is"
    ]


def test_a_name_in_a_column_of_class_l2_is_never_called_erased(office):
    office.csv(
        "employee.csv", "employee_no,name,phone,born_on,city", "E1,欧阳丽,13800001111,,欧阳丽", *EMPLOYEES[1:]
    )
    office.pull()
    done = office.erase()
    assert done.person.left == {"欧阳丽": "hr.employee.city is L2 (1 cells)"}
    assert not prove(office.settings).holds

    contract = office.settings.sources / "hr" / "source.yaml"
    contract.write_text(contract.read_text().replace("city: {type: text}", "city: {type: text, class: L3}"))
    office.erase()  # the same command again, as the proof says
    assert prove(office.settings).holds


def test_a_row_let_in_by_hand_stays_in(office):
    ((record_hash,),) = office.rows("select record_hash from ops.quarantine")
    about = {"record_hash": record_hash, "rule": "min"}
    decide(office.settings.landing, "release-row", "hr", "trip", about, by="李静", reason="right", now=NOON)
    rebuild(office.settings, Silent(), NOON)
    assert office.rows("select count(*), sum(fee) from raw_hr.trip")[0][0] == 3
    office.erase()
    assert prove(office.settings).holds and left(office) == {}
    assert office.rows("select count(*) from raw_hr.trip") == [(3,)]


def test_a_dry_run_changes_nothing(office):
    before = {path: path.read_bytes() for path in office.settings.home.rglob("*") if path.is_file()}
    person, batches = plan(office.settings, "E1")
    assert person.master_key == "KE1" and len(batches) == 4
    assert {path: path.read_bytes() for path in office.settings.home.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("E9", "nobody is known"),
        ("hr:上海", "class L2"),
        ("nowhere:1", "nobody is known"),
        ("", "nobody is known"),
    ],
)
def test_whom_nobody_knows_is_not_guessed(office, asked, says):
    with pytest.raises(EraseError, match=says):
        office.erase(asked)
    assert (
        not (office.settings.landing / "_erasures").exists()
        and not (office.settings.landing / "_decisions").exists()
    )


def test_a_person_only_documents_name(office):
    office.erase("hr:赵六")
    assert prove(office.settings).holds
    assert not Search(["赵六"]).folder(office.settings.landing, leave_out=lambda _: False)
    assert office.rows("select name from raw_hr.employee where employee_no = 'E1'") == [("欧阳丽",)]


def test_nobody_is_erased_without_a_name_and_a_reason(office):
    with pytest.raises((DecisionError, EraseError)):
        erase_person(office.settings, Silent(), "E1", by=" ", reason="asked", rebuild=rebuild)
    assert state.read(office.settings.home) is None
