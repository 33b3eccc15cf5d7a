"""Batches become history: whole, once, in any order, and what is wrong is set aside by name."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.contract.columns import ListHolds
from tieout.fingerprint import table_hash
from tieout.ingest.errors import SourceError

CURRENT = "select waybill_no, quantity from raw_tms.waybill where not _is_deleted order by 1"
GOOD = ["WB1,10,CNY,2026-10-01", "WB2,20,USD,2026-10-02"]


def counts(outcomes):
    return [(o.rows_in, o.loaded, o.unchanged, o.quarantined, o.deleted) for o in outcomes]


def test_rows_arrive_typed_with_the_place_they_came_from(tms):
    tms.csv("运单_1.csv", *GOOD)

    assert counts(tms.pull()) == [(2, 2, 0, 0, 0)]
    assert tms.rows(
        "select waybill_no, quantity, signed_on::text, _origin, _row from raw_tms.waybill order by 1"
    ) == [
        ("WB1", Decimal("10.00"), "2026-10-01", "运单_1.csv", 2),
        ("WB2", Decimal("20.00"), "2026-10-02", "运单_1.csv", 3),
    ]


def test_the_same_file_again_lands_nothing(tms):
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()

    assert tms.pull() == []
    assert len(tms.landing.batches("tms", "waybill")) == 1


def test_a_file_sent_again_changes_only_what_differs(tms):
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()
    tms.csv("运单_1.csv", "WB1,11,CNY,2026-10-01", "WB3,30,CNY,2026-10-03")

    assert counts(tms.pull()) == [(2, 2, 0, 0, 1)]
    assert tms.rows(CURRENT) == [("WB1", Decimal(11)), ("WB3", Decimal(30))]
    assert tms.rows("select waybill_no, _is_deleted from raw_tms.waybill__history order by _batch_id, 1") == [
        ("WB1", False),
        ("WB2", False),
        ("WB1", False),
        ("WB2", True),
        ("WB3", False),
    ]


def test_another_file_does_not_delete_the_rows_of_the_first(tms):
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()
    tms.csv("运单_2.csv", "WB9,90,CNY,2026-10-09")

    assert counts(tms.pull()) == [(1, 1, 0, 0, 0)]
    assert [row[0] for row in tms.rows(CURRENT)] == ["WB1", "WB2", "WB9"]


@pytest.mark.parametrize(
    ("line", "rule", "words"),
    [
        ("WB3,-5,CNY,2026-10-03", "min", "quantity = -5: is below 0"),
        ("WB3,5,XXX,2026-10-03", "values", "currency = XXX: is not one of CNY, USD"),
        ("WB3,5,CNY,2027-10-03", "not_future", "signed_on = 2027-10-03: lies in the future"),
        ("WB3,many,CNY,2026-10-03", "type", "quantity = many: is not decimal(18, 2)"),
        (",5,CNY,2026-10-03", "required", "waybill_no = missing: is required"),
    ],
)
def test_a_row_that_breaks_a_rule_is_set_aside_with_its_place(tms, line, rule, words):
    tms.csv("运单_1.csv", *GOOD, line)

    assert counts(tms.pull()) == [(3, 2, 0, 1, 0)]
    assert tms.rows("select rule, reason, origin, row_number, owner from ops.quarantine") == [
        (rule, words, "运单_1.csv", 4, "logistics")
    ]
    assert len(tms.rows(CURRENT)) == 2


def test_a_list_that_lost_an_item_is_set_aside_not_read_as_empty(tms):
    column = tms.source.streams["waybill"].columns["currency"]
    column = column.model_copy(update={"values": None, "holds": ListHolds(by="id", each=("amount", "title"))})
    stream = tms.source.streams["waybill"]
    stream = stream.model_copy(update={"columns": {**stream.columns, "currency": column}})
    tms.source = tms.source.model_copy(update={"streams": {"waybill": stream}})
    forms = {
        "WB1": '[{""id"":""title""},{""id"":""amount"",""value"":3}]',
        "WB2": '[{""id"":""title""},{""id"":""amount_2"",""value"":3}]',
        "WB3": "[]",
        "WB4": "amount and title",
    }
    tms.csv("运单_1.csv", *(f'{no},1,"{form}",2026-10-01' for no, form in forms.items()), "WB5,1,,2026-10-01")

    tms.pull()

    assert [no for no, _ in tms.rows(CURRENT)] == ["WB1", "WB5"]
    assert tms.rows("select record_key, rule, reason from ops.quarantine order by 1") == [
        ("WB2", "holds", "currency holds no id amount"),
        ("WB3", "holds", "currency holds no id amount"),
        ("WB4", "holds", "currency holds no id amount"),
    ]


def test_one_key_with_two_contents_is_not_guessed(tms):
    tms.csv("运单_1.csv", *GOOD, "WB1,99,CNY,2026-10-01")

    assert counts(tms.pull()) == [(3, 1, 0, 2, 0)]
    assert tms.rows("select record_key, rule, row_number from ops.quarantine order by 3") == [
        ("WB1", "key", 2),
        ("WB1", "key", 4),
    ]


def test_the_same_row_twice_is_kept_once(tms):
    tms.csv("运单_1.csv", *GOOD, GOOD[0])

    assert counts(tms.pull()) == [(3, 2, 0, 1, 0)]
    assert tms.rows("select rule, row_number from ops.quarantine") == [("duplicate", 4)]


def test_a_quarantined_row_does_not_delete_its_last_good_version(tms):
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()
    tms.csv("运单_1.csv", "WB1,-1,CNY,2026-10-01", GOOD[1])

    assert counts(tms.pull()) == [(2, 0, 1, 1, 0)]
    assert tms.rows(CURRENT) == [("WB1", Decimal(10)), ("WB2", Decimal(20))]


def test_a_column_of_another_type_stops_the_stream_and_changes_nothing(tms):
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()
    tms.csv("运单_1.csv", "WB1,ten,CNY,2026-10-01", "WB2,twenty,USD,2026-10-02")

    (outcome,) = tms.extract()
    assert "no value of 件数 in 运单_1.csv is decimal(18, 2) (for example 'ten')" in str(outcome.error)
    assert tms.load() == []
    assert tms.rows(CURRENT) == [("WB1", Decimal(10)), ("WB2", Decimal(20))]
    assert tms.rows("select count(*) from ops.quarantine") == [(0,)]


def test_a_lost_column_is_refused_before_anything_lands(tms):
    (tms.drop / "运单_1.csv").write_bytes(
        "运单号,件数,货币,签收日期\r\nWB1,1,CNY,2026-10-01\r\n".encode("gb18030")
    )

    (outcome,) = tms.extract()
    assert isinstance(outcome.error, SourceError)
    assert "运单_1.csv no longer has the column 币种" in str(outcome.error)
    assert "货币" in str(outcome.error)
    assert tms.landing.batches("tms", "waybill") == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("运单号,件数,币种,签收日期\r\nWB1,10,CNY,2026-10-01\r\nWB2,2", "cut in the middle"),
        ("运单号,件数,币种,签收日期\r\nWB1,10\r\n", "line 2: has 2 values, the header has 4"),
        ('运单号,件数,币种,签收日期\r\n"WB1,10,CNY,2026-10-01\r\n', "line"),
        ("运单号,件数,币种,签收日期\r\n", "is empty"),
        ("", "has no header line 1"),
    ],
)
def test_a_broken_file_is_refused_whole(tms, content, words):
    tms.csv("运单_1.csv", *GOOD)
    tms.pull()
    (tms.drop / "运单_1.csv").write_bytes(content.encode("gb18030"))

    (outcome,) = tms.extract()
    assert words in str(outcome.error)
    tms.load()
    assert tms.rows(CURRENT) == [("WB1", Decimal(10)), ("WB2", Decimal(20))]


def test_a_wrong_encoding_is_named(tms):
    (tms.drop / "运单_1.csv").write_bytes(b"\xff\xfe\x00\x81\xff\r\n")

    (outcome,) = tms.extract()
    assert "is not gb18030" in str(outcome.error)


def test_no_file_at_all_is_an_error(tms):
    (outcome,) = tms.extract()
    assert "no file 运单_*.csv in the drop folder" in str(outcome.error)


FILES = st.lists(
    st.tuples(
        st.sampled_from(["运单_1.csv", "运单_2.csv"]),
        st.dictionaries(st.sampled_from(["WB1", "WB2", "WB3"]), st.integers(0, 3), min_size=1),
    ),
    min_size=2,
    max_size=5,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, seed=st.randoms(use_true_random=False))
def test_loading_in_any_order_and_twice_gives_the_same_tables(tms, tmp_path_factory, files, seed):
    folder = tmp_path_factory.mktemp("order")
    tms.landing.root = folder / "landing"
    for path in tms.drop.iterdir():
        path.unlink()
    for name, content in files:
        tms.csv(name, *(f"{key},{value},CNY,2026-10-01" for key, value in content.items()))
        tms.extract()
    tables = ("raw_tms.waybill", "raw_tms.waybill__history", "ops.batch", "ops.quarantine")

    tms.warehouse = folder / "in_order.duckdb"
    tms.load()
    expected = hashes(tms, tables)

    tms.warehouse = folder / "shuffled.duckdb"
    every = tms.landing.batches
    batches = every("tms", "waybill")
    seed.shuffle(batches)
    for count in range(1, len(batches) + 1):
        chosen = {batch.batch_id for batch in batches[:count]}
        tms.landing.batches = lambda *a, chosen=chosen: [b for b in every(*a) if b.batch_id in chosen]
        tms.load()
        tms.load()
    tms.landing.batches = every
    assert hashes(tms, tables) == expected


def hashes(tms, tables):
    from tieout.engine import connect

    with connect(tms.warehouse) as con:
        return {table: table_hash(con, table) for table in tables}


def test_every_batch_accounts_for_all_its_rows(tms):
    tms.csv("运单_1.csv", *GOOD, GOOD[0], "WB3,-5,CNY,2026-10-03")
    tms.pull()
    tms.csv("运单_1.csv", GOOD[0], "WB2,21,USD,2026-10-02")
    outcomes = tms.pull()

    assert all(o.rows_in == o.loaded + o.unchanged + o.quarantined for o in outcomes)
    assert tms.rows("select rows_in - rows_loaded - rows_unchanged - rows_quarantined from ops.batch") == [
        (0,),
        (0,),
    ]
