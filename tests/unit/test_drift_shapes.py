"""Shapes compared without data: types as systems spell them, names that are alike, ASCII names for columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.contract import Stream
from tieout.ingest.decisions import FOLDER, DecisionError, decide, decisions
from tieout.ingest.drift.changes import Evidence, changes, likeness
from tieout.ingest.drift.evolved import column_id
from tieout.ingest.drift.kinds import contract_type, step

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STREAM = Stream.model_validate(
    {
        "title": {"zh": "移动", "en": "Moves"},
        "grain": "one row per move",
        "from": "stock_move",
        "key": ["id"],
        "columns": {
            "id": {"type": "bigint", "required": True},
            "quantity": {"type": "decimal(18, 4)"},
            "state": {"type": "text", "from": ["status", "state_code"]},
        },
    }
)
SHAPE = {"id": "BIGINT", "quantity": "DOUBLE", "status": "VARCHAR", "note": "VARCHAR"}


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("BIGINT", "bigint", "same"),
        ("character varying(20)", "VARCHAR", "same"),
        ("varchar(20)", "varchar(200) not null", "same"),
        ("timestamp(6) without time zone", "TIMESTAMP", "same"),
        ("timestamp with time zone", "TIMESTAMP WITH TIME ZONE", "same"),
        ("numeric(18,4)", "DECIMAL(18, 4)", "same"),
        ("INTEGER", "BIGINT", "widened"),
        ("int unsigned", "bigint", "widened"),
        ("DECIMAL(12,2)", "DECIMAL(18,4)", "widened"),
        ("numeric(12,2)", "numeric", "widened"),
        ("INTEGER", "DECIMAL(10,0)", "widened"),
        ("BIGINT", "VARCHAR", "widened"),
        ("DATE", "TIMESTAMP", "widened"),
        ("real", "double precision", "widened"),
        ("DECIMAL(18,4)", "DECIMAL(18,2)", "retyped"),
        ("DECIMAL(18,2)", "DECIMAL(18,4)", "retyped"),  # two digits fewer before the point
        ("BIGINT", "INTEGER", "retyped"),
        ("BIGINT", "DOUBLE", "retyped"),  # beyond 2^53 it rounds
        ("VARCHAR", "BIGINT", "retyped"),
        ("TIMESTAMP", "DATE", "retyped"),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "retyped"),
        ("numeric", "numeric(12,2)", "retyped"),
        ("BOOLEAN", "INTEGER", "retyped"),
        ("", "BIGINT", "same"),  # a source that does not say its types
    ],
)
def test_a_type_is_the_same_wider_or_another(before, now, said):
    assert step(before, now) == said


@pytest.mark.parametrize(
    ("declared", "promised"),
    [
        ("numeric(18,2)", "decimal(18, 2)"),
        ("numeric", "text"),
        ("NVARCHAR(50)", "text"),
        ("int4", "bigint"),
        ("UBIGINT", "decimal(38, 0)"),
        ("datetime2", "timestamp"),
        ("jsonb", "text"),
        ("geometry", "text"),
        ("DOUBLE", "double"),
    ],
)
def test_a_declared_type_becomes_one_the_contract_knows(declared, promised):
    assert contract_type(declared) == promised


def test_the_order_of_columns_is_no_change():
    assert changes(STREAM, SHAPE, dict(reversed(SHAPE.items()))) == []


def test_an_alias_resolves_a_rename():
    now = {"state_code" if name == "status" else name: kind for name, kind in SHAPE.items()}
    assert changes(STREAM, SHAPE, now) == []


def test_each_kind_of_change_is_named():
    added = changes(STREAM, SHAPE, SHAPE | {"lot": "VARCHAR"})
    assert [(item.what, item.now, item.column, item.harmless) for item in added] == [
        ("added", "lot", None, True)
    ]
    gone = {name: kind for name, kind in SHAPE.items() if name != "quantity"}
    assert [(item.what, item.column, item.harmless) for item in changes(STREAM, SHAPE, gone)] == [
        ("removed", "quantity", False)
    ]
    assert [
        (item.what, item.before, item.now) for item in changes(STREAM, SHAPE, gone | {"qty": "DOUBLE"})
    ] == [("renamed", "quantity", "qty")]
    assert [item.what for item in changes(STREAM, SHAPE, SHAPE | {"quantity": "DATE"})] == ["retyped"]
    assert [
        (item.what, item.harmless) for item in changes(STREAM, SHAPE, SHAPE | {"quantity": "VARCHAR"})
    ] == [("widened", True)]


def test_values_overrule_names():
    now = {name: kind for name, kind in SHAPE.items() if name != "quantity"} | {
        "qty": "DOUBLE",
        "amount": "DOUBLE",
    }
    told = {("quantity", "qty"): Evidence(1000, 20, 0.01), ("quantity", "amount"): Evidence(1000, 990, 0.01)}
    assert [(item.what, item.now) for item in changes(STREAM, SHAPE, now, told)] == [
        ("renamed", "amount"),
        ("added", "qty"),
    ]


def test_a_constant_tells_nothing():
    always = Evidence(1000, 1000, 1.0)
    assert not always.tells
    assert always.agreement == 0
    now = {name: kind for name, kind in SHAPE.items() if name != "quantity"} | {"x1": "DATE", "x2": "DATE"}
    found = changes(STREAM, SHAPE, now, {("quantity", "x1"): always, ("quantity", "x2"): always})
    assert [item.what for item in found] == ["removed", "added", "added"]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("quantity", "qty", True),
        ("Qty ", "ｑｔｙ", True),
        ("customer", "cust_no", False),
        ("数量", "数 量", True),
    ],
)
def test_names_are_alike_as_people_see_it(one, other, alike):
    assert (likeness(one, other) >= 0.75) is alike


# --- names for columns that are taken in ----------------------------------------------------------


def test_a_chinese_name_gets_an_ascii_one_and_always_the_same():
    assert column_id("批号", ()) == column_id("批号", ()) != column_id("批次", ())
    assert column_id("批号", ()).startswith("x_")
    assert column_id("金额 (CNY)", ()).startswith("x_cny_")
    assert column_id("lot_no", ()) == "lot_no"
    assert column_id("lot_no\n", ()) != "lot_no\n"
    assert column_id("Lot No", ()).startswith("x_lot_no_")
    assert column_id("_hash", ()) != "_hash"  # the loader's own


@settings(max_examples=200, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=30), min_size=1, max_size=30))
def test_ascii_names_are_identifiers_and_never_collide(names):
    taken: set[str] = set()
    for name in sorted(names):
        found = column_id(name, taken)
        assert found not in taken
        assert found.isascii()
        assert found[0].islower()
        assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
        taken.add(found)


def test_a_collision_of_hashes_is_resolved():
    first = column_id("批号", ())
    assert column_id("批号", {first}) != first


# --- decisions ------------------------------------------------------------------------------------


def test_decisions_are_kept_in_the_order_they_were_taken(tmp_path):
    decide(tmp_path, "accept-batch", "s", "t", {"batch": "1"}, by="李娜", reason="upgrade", now=NOON)
    # The clock has gone back: what was decided later still counts as later.
    decide(
        tmp_path,
        "decline-batch",
        "s",
        "t",
        {"batch": "1"},
        by="李娜",
        reason="no",
        now=NOON - timedelta(days=1),
    )
    decide(tmp_path, "accept-batch", "s", "u", {"batch": "2"}, by="b", reason="c", now=NOON)
    found = decisions(tmp_path)
    assert [item.kind for item in found] == ["accept-batch", "decline-batch", "accept-batch"]
    assert [item.at for item in found] == sorted({item.at for item in found})
    assert [item.about for item in decisions(tmp_path, kinds={"accept-batch"}, stream="t")] == [
        {"batch": "1"}
    ]
    assert found[0].by == "李娜"


def test_two_equal_decisions_in_one_instant_are_both_kept(tmp_path):
    for _ in range(3):
        decide(tmp_path, "release", "s", "t", {"n": 1}, by="a", reason="b", now=NOON)
    assert len(decisions(tmp_path)) == 3


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("  ", "why"), ("me", ""), ("me", " \n")])
def test_a_decision_needs_a_name_and_a_reason(tmp_path, by, reason):
    with pytest.raises(DecisionError, match="Nothing was decided"):
        decide(tmp_path, "release", "s", "t", {}, by=by, reason=reason, now=NOON)
    assert decisions(tmp_path) == []


def test_a_decision_that_cannot_be_read_stops_instead_of_being_left_out(tmp_path):
    decide(tmp_path, "release", "s", "t", {}, by="a", reason="b", now=NOON)
    file = next((tmp_path / FOLDER).glob("*.json"))
    file.write_text(file.read_text()[:-20])
    with pytest.raises(DecisionError, match=file.name):
        decisions(tmp_path)


def test_a_half_written_decision_is_not_one(tmp_path):
    decide(tmp_path, "release", "s", "t", {}, by="a", reason="b", now=NOON)
    (tmp_path / FOLDER / ".half.json-1-ab").write_text("{")
    (tmp_path / FOLDER / ".half.json").write_text("{")
    assert len(decisions(tmp_path)) == 1
