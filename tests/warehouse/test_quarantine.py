"""What a person decides about rows that were set aside: they load as if they had come right, or stay out, on record."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import yaml
from typer.testing import CliRunner

from sources.contract import Source
from tests.conftest import NOON, WAYBILLS
from tieout.cli import app
from tieout.cli.errors import CommandError
from tieout.engine import connect
from tieout.fingerprint import raw_version
from tieout.ingest.decisions import DecisionError, decisions
from tieout.ingest.load import rebuild_stream
from tieout.ingest.quarantine import (
    Filter,
    QuarantineError,
    by_id,
    counts,
    disclosed,
    drop,
    found,
    held_version,
    history,
    planned_release,
    quarantined_amounts,
    release,
    undo,
)
from tieout.settings import Settings
from tieout.strict import from_yaml

CURRENT = "select waybill_no, quantity, currency from raw_tms.waybill where not _is_deleted order by 1"
GOOD = ["WB1,10,CNY,2026-10-01", "WB2,20,USD,2026-10-02"]
SAID = {"by": "zhang", "reason": "phoned the warehouse"}


class Desk:
    """Decisions on the small source, an hour after it was pulled."""

    def __init__(self, tms):
        self.tms, self.sources = tms, {"tms": tms.source}

    def rows(self, **wanted):
        with connect(self.tms.warehouse) as con:
            return found(con, Filter(**wanted))

    def release(self, *rows, **values):
        with connect(self.tms.warehouse) as con:
            plan = planned_release(con, self.sources, self.tms.landing, rows, values, NOON)
            release(con, self.sources, self.tms.landing, plan, values, **SAID, now=NOON)
        return plan

    def decide(self, how, *rows):
        with connect(self.tms.warehouse) as con:
            return how(con, self.sources, self.tms.landing, rows, **SAID, now=NOON)


@pytest.fixture
def desk(tms):
    return Desk(tms)


def one(rows):
    (row,) = rows
    return row


def test_a_row_keeps_its_id_when_the_stream_is_rebuilt(tms, desk):
    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03", "WB4,x,CNY,2026-10-03")
    tms.pull()
    before = [row.id for row in desk.rows()]
    with connect(tms.warehouse) as con:
        rebuild_stream(con, tms.source, tms.landing, "waybill", NOON + timedelta(days=9))

    assert [row.id for row in desk.rows()] == before
    assert len(set(before)) == 2
    assert all(len(item) == 10 for item in before)
    with connect(tms.warehouse) as con:
        assert [row.id for row in by_id(con, before[0][:6].upper())] == [before[0]]


def test_a_released_row_loads_as_it_came(tms, desk):
    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03")
    tms.pull()
    plan = one(desk.release(one(desk.rows())))

    assert plan.loads["quantity"] == Decimal(-5)
    assert plan.replaces is None
    assert plan.accepts == ("quantity = -5: is below 0",)
    assert tms.rows(CURRENT)[-1] == ("WB3", Decimal(-5), "CNY")
    assert desk.rows() == []
    assert one(desk.rows(every=True)).state == "released"
    assert tms.rows("select rows_in, rows_loaded, rows_quarantined from ops.batch") == [(3, 3, 0)]


def test_a_value_that_is_none_must_be_said_and_must_keep_the_contract(tms, desk):
    tms.csv("运单_1.csv", *GOOD, "WB3,many,CNY,soon")
    tms.pull()
    row = one(desk.rows())
    for values, words in [
        ({}, "--set quantity=VALUE"),
        ({"quantity": "5"}, "--set signed_on=VALUE"),  # the second fault, which the first one hid
        ({"quantity": "7.123", "signed_on": None}, "has more digits"),
        ({"quantity": "-7", "signed_on": None}, "is below 0"),
        ({"quantity": "lots", "signed_on": None}, "is not decimal"),
        ({"quantity": "7", "weight": "1"}, "has no column weight"),
    ]:
        with pytest.raises(QuarantineError, match=r"Nothing was decided") as refused:
            desk.release(row, **values)
        assert words in str(refused.value)
    assert decisions(tms.landing.root) == []
    assert len(tms.rows(CURRENT)) == 2

    desk.release(row, quantity="7.5", signed_on=None)
    assert tms.rows(CURRENT)[-1] == ("WB3", Decimal("7.5"), "CNY")


def test_a_decision_written_by_hand_never_loads_a_value_nobody_said(tms, desk):
    from tieout.ingest.decisions import decide

    tms.csv("运单_1.csv", *GOOD, "WB3,many,CNY,soon")
    tms.pull()
    row = one(desk.rows())
    said = {"record_hash": row.record_hash, "rule": row.rule, "set": {"quantity": 5}}
    decide(tms.landing.root, "release-row", "tms", "waybill", said, **SAID, now=NOON)
    with connect(tms.warehouse) as con:
        rebuild_stream(con, tms.source, tms.landing, "waybill", NOON)

    assert len(tms.rows(CURRENT)) == 2
    assert one(desk.rows()).state == "waiting"


def test_a_released_row_takes_the_place_of_the_version_held_meanwhile(tms, desk):
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()
    tms.csv("运单_1.csv", "WB1,-1,CNY,2026-10-01", GOOD[1])
    tms.pull()
    row = one(desk.rows())
    with connect(tms.warehouse) as con:
        assert (held_version(con, tms.source, row) or {})["quantity"] == Decimal(10)
    plan = one(desk.release(row))

    assert plan.replaces["quantity"] == Decimal(10)
    assert tms.rows(CURRENT)[0] == ("WB1", Decimal(-1), "CNY")
    assert tms.rows("select quantity from raw_tms.waybill__history where not _is_current") == [(Decimal(10),)]


def test_the_same_row_sent_again_is_decided_as_before_and_a_changed_one_waits(tms, desk):
    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03")
    tms.pull()
    desk.release(one(desk.rows()))
    tms.csv("运单_1.csv", GOOD[0], "WB3,-5,CNY,2026-10-03")
    (again,) = tms.pull()
    assert (again.rows_in, again.loaded, again.unchanged, again.quarantined, again.deleted) == (2, 0, 2, 0, 1)

    tms.csv("运单_1.csv", GOOD[0], "WB3,-6,CNY,2026-10-03")
    (other,) = tms.pull()
    assert other.quarantined == 1
    assert one(desk.rows()).values["quantity"] == "-6"
    assert tms.rows(CURRENT)[-1] == ("WB3", Decimal(-5), "CNY")  # the last version somebody answers for


def test_a_row_let_in_under_another_key_is_not_deleted_by_the_next_batch(tms, desk):
    tms.csv("运单_1.csv", *GOOD, ",30,CNY,2026-10-03")
    tms.pull()
    desk.release(one(desk.rows()), waybill_no="WB9")
    assert tms.rows(CURRENT)[-1] == ("WB9", Decimal(30), "CNY")

    tms.csv("运单_1.csv", "WB1,11,CNY,2026-10-01", ",30,CNY,2026-10-03")
    (loaded,) = tms.pull()
    assert (loaded.loaded, loaded.unchanged, loaded.quarantined, loaded.deleted) == (1, 1, 0, 1)
    assert [row[0] for row in tms.rows(CURRENT)] == ["WB1", "WB9"]


def test_a_key_that_is_taken_is_refused(tms, desk):
    tms.csv("运单_1.csv", *GOOD, ",30,CNY,2026-10-03")
    tms.csv("运单_2.csv", "WB8,1,CNY,2026-10-03")
    tms.pull()
    for key in ("WB1", "WB8"):
        with pytest.raises(QuarantineError, match=f"the key {key} is that of another row"):
            desk.release(one(desk.rows()), waybill_no=key)
    assert decisions(tms.landing.root) == []


def test_of_two_contents_of_one_key_only_one_can_be_let_in(tms, desk):
    tms.csv("运单_1.csv", *GOOD, "WB1,99,CNY,2026-10-01")
    tms.pull()
    with pytest.raises(QuarantineError, match="already loaded from another row of the same batch"):
        desk.release(*desk.rows())
    right = one([row for row in desk.rows() if row.values["quantity"] == "99"])
    desk.release(right)
    assert tms.rows(CURRENT)[0] == ("WB1", Decimal(99), "CNY")
    other = one(desk.rows())
    with pytest.raises(QuarantineError, match="drop the others"):
        desk.release(other)
    desk.decide(drop, other)
    assert desk.rows() == []
    assert tms.rows(CURRENT)[0] == ("WB1", Decimal(99), "CNY")


def test_copies_of_a_released_row_are_duplicates_and_can_be_dropped(tms, desk):
    line = "WB3,-5,CNY,2026-10-03"
    tms.csv("运单_1.csv", *GOOD, line, line, line)
    tms.pull()
    desk.release(desk.rows()[1])

    assert [(row.rule, row.state) for row in desk.rows(every=True)] == [
        ("duplicate", "waiting"),
        ("duplicate", "waiting"),
        ("min", "released"),
    ]
    with pytest.raises(QuarantineError, match="copy of a row that is loaded"):
        desk.release(desk.rows()[0])
    desk.decide(drop, desk.rows()[0])
    assert desk.rows() == []
    assert len(tms.rows(CURRENT)) == 3
    assert tms.rows("select rows_in - rows_loaded - rows_unchanged - rows_quarantined from ops.batch") == [
        (0,)
    ]


def test_undo_restores_waiting_and_every_decision_stays_on_record(tms, desk):
    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03")
    tms.pull()
    row = one(desk.rows())
    versions = [version(tms)]
    desk.release(row)
    versions.append(version(tms))
    desk.decide(undo, row)
    assert version(tms) == versions[0]
    assert one(desk.rows()) == row
    assert len(tms.rows(CURRENT)) == 2
    with pytest.raises(QuarantineError, match="nothing was decided on this row"):
        desk.decide(undo, row)

    desk.release(row, quantity="5")
    versions.append(version(tms))
    assert len(set(versions)) == 3  # another value is another result: the next refresh builds
    desk.decide(undo, row)
    desk.decide(drop, row)
    assert one(desk.rows(every=True)).state == "dropped"
    assert [item.kind for item in history(tms.landing, row)] == [
        "release-row", "undecide-row", "release-row", "undecide-row", "drop-row",
    ]  # fmt: skip


def version(tms):
    with connect(tms.warehouse) as con:
        return raw_version(con)


def test_who_and_why_must_be_said(tms, desk):
    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03")
    tms.pull()
    with connect(tms.warehouse) as con, pytest.raises(DecisionError, match="--reason TEXT"):
        drop(con, desk.sources, tms.landing, found(con, Filter()), by="zhang", reason=" ", now=NOON)
    assert len(desk.rows()) == 1


def test_a_column_promised_later_leaves_decisions_standing(tms, desk):
    from tieout.ingest.tables import ensure_raw_tables

    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03")
    tms.pull()
    desk.release(one(desk.rows()))
    document = tms.source.model_dump(by_alias=True)
    document["streams"]["waybill"]["columns"]["a_weight"] = {"type": "double"}
    tms.source = Source.model_validate(document)
    with connect(tms.warehouse) as con:
        assert ensure_raw_tables(con, {"tms": tms.source}) == ["tms.waybill"]
    tms.load()

    assert one(desk.rows(every=True)).state == "released"
    assert len(tms.rows(CURRENT)) == 3


def test_decisions_keep_the_watermark_that_quiet_pulls_have_advanced(tms, desk):
    from tieout.ingest.ledger import advance_watermarks

    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03")
    tms.pull()
    with connect(tms.warehouse) as con:
        advance_watermarks(con, [("tms", "waybill")], NOON + timedelta(days=3))
    desk.decide(drop, one(desk.rows()))
    assert tms.rows("select complete_to::text from ops.watermark") == [("2026-11-04 12:00:00+00",)]


# --- amounts --------------------------------------------------------------------------------------


def guarded(tms, sensitivity="L2"):
    document = from_yaml(WAYBILLS)
    document["connection"]["path"] = str(tms.drop)
    columns = document["streams"]["waybill"]["columns"]
    columns["quantity"] |= {"currency": "currency", "class": sensitivity}
    tms.source = Source.model_validate(document)
    return {"tms": tms.source}


def test_what_totals_are_without_is_added_up_by_currency(tms):
    sources = guarded(tms)
    tms.csv(
        "运单_1.csv", *GOOD, GOOD[0], "WB3,-5.25,CNY,2026-10-03", "WB4,-1,CNY,2026-10-03",
        "WB5,7,USD,2999-10-03", "WB6,many,USD,2026-10-03",
    )  # fmt: skip
    tms.pull()
    with connect(tms.warehouse) as con:
        amounts = quarantined_amounts(con, sources)
        lines = disclosed(con, sources)
        some = counts(con, Filter(rule="min"))
    # by hand: -5.25 - 1 in CNY; 7 in USD and one that is no number; the copy of WB1 is missing from no total
    assert [(a.unit, a.rows, a.amount, a.unreadable) for a in amounts] == [
        ("CNY", 2, Decimal("-6.25"), 0),
        ("USD", 2, Decimal(7), 1),
    ]
    assert lines == [
        "tms.waybill: 5 rows, 1 of them copies of loaded rows, quantity -6.25 CNY, quantity 7 USD (1 is no number)"
    ]
    assert [(c.rule, c.waiting) for c in some] == [("min", 2)]
    Desk(tms).decide(drop, *Desk(tms).rows(rule="not_future"))
    with connect(tms.warehouse) as con:
        assert "4 rows" in disclosed(con, sources)[0]
        assert "5 rows" in disclosed(con, sources, Filter(every=True))[0]


def test_sums_of_personal_columns_are_withheld(tms):
    sources = guarded(tms, "L4")
    tms.csv("运单_1.csv", *GOOD, "WB3,-5.25,CNY,2026-10-03")
    tms.pull()
    with connect(tms.warehouse) as con:
        assert disclosed(con, sources) == ["tms.waybill: 1 row, quantity withheld (personal)"]


def test_amounts_in_a_currency_the_row_does_not_name_are_not_added_up(tms):
    document = guarded(tms)["tms"].model_dump(by_alias=True)
    document["streams"]["waybill"]["columns"]["quantity"]["currency"] = "sale.currency"
    sources = {"tms": Source.model_validate(document)}
    tms.csv("运单_1.csv", *GOOD, "WB3,-5,CNY,2026-10-03", "WB4,-1,USD,2026-10-03")
    tms.pull()
    with connect(tms.warehouse) as con:
        assert disclosed(con, sources) == [
            "tms.waybill: 2 rows, quantity not added up (each in its sale.currency)"
        ]


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def tieout(tms, tmp_path, monkeypatch):
    """The command on a project of its own; a refusal comes back as its exception."""
    project = tmp_path / "project"
    monkeypatch.setattr("tieout.settings.settings", lambda: Settings(home=tmp_path, project=project))

    def run(*arguments):
        write_contract(project, tms.source)
        return CliRunner().invoke(app, ["quarantine", *arguments])

    return run


def write_contract(project, source):
    folder = project / "sources" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(source.model_dump(by_alias=True, mode="json"), allow_unicode=True)
    (folder / "source.yaml").write_text(text)


def test_the_command_lists_shows_releases_and_takes_back(tms, tieout, desk):
    tms.csv("运单_1.csv", *GOOD, "WB3,many,CNY,2026-10-03", GOOD[1])
    tms.pull()
    listed = tieout().output
    assert "2 rows wait" in listed
    assert "quantity = many: is not decimal(18, 2)" in listed
    row = one(desk.rows(rule="type"))
    shown = tieout("show", row.id[:5]).output
    assert f"tieout quarantine release {row.id} --set quantity=VALUE" in shown
    assert "运单_1.csv, row 4" in shown

    done = tieout("release", row.id, "--set", "quantity=3", "--by", "张伟", "--reason", "phoned").output
    assert "1 row released. Next: `tieout refresh`" in done
    assert tms.rows(CURRENT)[-1] == ("WB3", Decimal(3), "CNY")
    assert "released by 张伟: phoned (quantity = 3)" in tieout("show", row.id).output
    again = tieout("release", row.id, "--by", "a", "--reason", "b")
    assert isinstance(again.exception, CommandError)
    assert "was released by 张伟 already" in str(again.exception)
    tieout("undo", row.id, "--by", "张伟", "--reason", "wrong")
    assert len(tms.rows(CURRENT)) == 2


def test_several_rows_are_only_shown_until_that_is_said(tms, tieout):
    tms.csv("运单_1.csv", *GOOD, "WB3,-3,CNY,2026-10-03", "WB4,-4,CNY,2026-10-03")
    tms.pull()
    arguments = ["--rule", "min", "--by", "zhang", "--reason", "returns"]
    shown = tieout("release", *arguments)
    assert "Nothing was decided. These are 2 rows" in shown.output
    assert "-3.00" in shown.output
    assert decisions(tms.landing.root) == []
    assert tieout("release", *arguments, "--yes").exit_code == 0
    assert len(tms.rows(CURRENT)) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["release", "--rule", "min"], "say who decides"),
        (["drop", "--by", "a", "--reason", "b"], "name rows by their ids"),
        (["drop", "--rule", "max", "--by", "a", "--reason", "b"], "no row that waits fits"),
        (["show", "ffffffffff"], "no row in quarantine has an id like"),
        (["release", "x", "--set", "quantity", "--by", "a", "--reason", "b"], "say column=value"),
    ],
)
def test_what_cannot_be_done_is_said(tms, tieout, arguments, words):
    tms.csv("运单_1.csv", *GOOD, "WB3,-3,CNY,2026-10-03")
    tms.pull()
    assert words in str(tieout(*arguments).exception)


def test_personal_values_are_masked_in_lists_and_shown_in_show(tms, tieout, desk):
    document = from_yaml(WAYBILLS)
    document["connection"]["path"] = str(tms.drop)
    document["streams"]["waybill"]["columns"]["waybill_no"]["class"] = "L4"
    tms.source = Source.model_validate(document)
    tms.csv("运单_1.csv", *GOOD, "13911112222,-3,CNY,2026-10-03", "13911112223,-3,CNY,2026-10-03")
    tms.pull()

    assert "1391111222" not in tieout().output
    assert "1391111222" not in tieout("release", "--rule", "min", "--by", "a", "--reason", "b").output
    assert "13911112222" in tieout("show", desk.rows()[0].id).output
