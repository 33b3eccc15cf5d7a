"""A stream's shape changes at the source: each kind of change under each policy, judged by what the rows hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.contract import Source
from tieout.engine import connect, literal
from tieout.ingest.decisions import decide
from tieout.ingest.drift import (
    DriftError,
    Holds,
    Verdict,
    baseline,
    comment_columns,
    effective,
    grown,
    judge,
    open_holds,
    reading,
)
from tieout.ingest.drift.held import DROPPED, SHAPE, accept_batch, decline_batch
from tieout.ingest.drift.opened import open_drifts
from tieout.ingest.drift.refusals import refusals, remember
from tieout.ingest.intake.ask import Extracted
from tieout.ingest.landing import Landing, Manifest, batch_id

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
# One engine for all tests of this file: opening one costs more than what they ask of it.
_engine = cache(connect)
POLICIES = ("note", "evolve", "quarantine", "freeze")


def _cursor():
    return _engine().cursor()


def contract(policy: str = "note", **columns: dict) -> Source:
    return Source.model_validate(
        {
            "source": "wms",
            "title": {"zh": "仓库", "en": "Warehouse"},
            "module": "inventory",
            "owner": "warehouse",
            "connector": "sqlite",
            "connection": {"path": "env:WMS"},
            "class": "L2",
            "schedule": {"cron": "0 2 * * *"},
            "streams": {
                "move": {
                    "title": {"zh": "移动", "en": "Moves"},
                    "grain": "one row per move",
                    "from": "stock_move",
                    "key": ["id"],
                    "drift": policy,
                    "columns": {
                        "id": {"type": "bigint", "required": True},
                        "quantity": {"type": "decimal(18, 4)"},
                        "state": {"type": "text"},
                        "company": {"type": "bigint"},
                    }
                    | columns,
                }
            },
        }
    )


@dataclass
class Table:
    """A table of a source: its columns with types, and rows by SQL over `i`, the row's number."""

    columns: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {
            "id": ("BIGINT", "i"),
            "quantity": ("DOUBLE", "i * 1.25"),
            "state": ("VARCHAR", "case when i % 3 = 0 then 'done' else 'draft' end"),
            "company": ("BIGINT", "1"),
        }
    )
    rows: int = 1204

    def renamed(self, old: str, new: str) -> Table:
        return replace(
            self, columns={new if name == old else name: said for name, said in self.columns.items()}
        )

    def without(self, name: str) -> Table:
        return replace(self, columns={key: said for key, said in self.columns.items() if key != name})

    def having(self, **columns: tuple[str, str]) -> Table:
        return replace(self, columns=self.columns | columns)

    @property
    def declared(self) -> dict[str, str]:
        return {name: kind for name, (kind, _) in self.columns.items()}

    def write(self, wanted: dict[str, str], file: Path, where: str = "true") -> int:
        listed = ", ".join(
            f'cast({self.columns[name][1]} as {kind}) as "{name}"' for name, kind in wanted.items()
        )
        with _cursor() as con:
            con.execute(
                f"copy (select {listed} from range(1, {self.rows + 1}) as r(i) where {where})"
                f" to {literal(str(file))} (format parquet)"
            )
            row = con.execute(f"select count(*) from read_parquet({literal(str(file))})").fetchone()
        assert row
        return row[0]


@dataclass
class Door:
    """What every door does with a table: read what is promised, ask for the verdict, land."""

    source: Source
    landing: Landing
    pulls: int = 0
    held: list[Manifest] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(hours=self.pulls)

    def pull(self, table: Table, where: str = "true", *, sparse: bool = False) -> Verdict:
        self.pulls += 1
        source = effective(self.source, self.landing)
        last = baseline(self.landing, "wms", "move")
        stream = grown(source.streams["move"], table.declared, last)
        wanted = reading(stream, table.declared, last)
        with self.landing.draft("wms", "move") as draft, _cursor() as con:
            rows = table.write(wanted, draft / "rows.parquet", where)
            con.execute("begin transaction read only")  # as the doors of databases hold it
            verdict = judge(
                con,
                source,
                "move",
                stream,
                table.declared,
                last,
                draft / "rows.parquet",
                self.landing.data_file(last) if last else None,
                sparse=sparse,
            )
            con.execute("commit")
            manifest = Manifest(
                source="wms",
                stream="move",
                batch_id=batch_id(self.now, "*", str(self.pulls)),
                extracted_at=self.now.isoformat(),
                scope="*",
                origin="stock_move",
                data="rows.parquet",
                rows=rows,
                bytes=0,
                content_hash=str(self.pulls),
                contract_version="1",
                columns=wanted,
                declared=table.declared,
                evolved=verdict.evolved,
                held=verdict.held,
            )
            self.landing.commit(draft, manifest)
        return verdict


@pytest.fixture
def door(tmp_path):
    return lambda policy="note", **columns: Door(contract(policy, **columns), Landing(tmp_path))


BEFORE = Table()
CHANGES = {
    "renamed": BEFORE.renamed("quantity", "qty"),
    "removed": BEFORE.without("quantity"),
    "retyped": BEFORE.having(quantity=("VARCHAR", "'about ' || i")),
    "cut": BEFORE.having(quantity=("BIGINT", "floor(i * 1.25)")),
    "emptied": BEFORE.having(quantity=("DOUBLE", "null")),
    "key renamed": BEFORE.renamed("id", "move_id"),
}


# --- what a promised column that changes does, under each policy ----------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_promised_column_that_changes_is_refused_or_held(door, policy, change):
    wms = door(policy)
    assert wms.pull(BEFORE) == Verdict({})
    if policy == "quarantine":
        verdict = wms.pull(CHANGES[change])
        assert verdict.held
        assert [batch.held for batch in open_holds(wms.landing, "wms", "move")] == [verdict.held]
    else:
        with pytest.raises(DriftError) as refused:
            wms.pull(CHANGES[change])
        message = str(refused.value)
        assert message.startswith("wms.move: stock_move")
        assert "Nothing of it was loaded; what was loaded before stays." in message
        assert "tieout drift accept wms.move" in message
        assert len(wms.landing.batches("wms", "move")) == 1


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "same",
    [
        BEFORE,
        replace(BEFORE, columns=dict(reversed(BEFORE.columns.items()))),
        replace(BEFORE, rows=300),
        BEFORE.having(state=("VARCHAR", "'changed'")),
    ],
)
def test_other_rows_and_another_order_are_no_change(door, policy, same):
    wms = door(policy)
    wms.pull(BEFORE)
    assert wms.pull(same) == Verdict({})


@pytest.mark.parametrize("policy", ["note", "evolve", "quarantine"])
def test_a_wider_type_goes_on_with_a_note(door, policy):
    wms = door(policy)
    wms.pull(BEFORE.having(company=("INTEGER", "1")))
    verdict = wms.pull(BEFORE.having(company=("VARCHAR", "'1'")))
    assert verdict.held is None
    assert [item.what for item in verdict.changes] == ["widened"]
    assert "has the column company as VARCHAR, which was INTEGER: wider" in verdict.notes[0]


def test_a_wider_type_goes_on_if_all_but_a_few_values_still_fit(door):
    wms = door()
    wms.pull(BEFORE)
    few = BEFORE.having(company=("VARCHAR", "case when i = 7 then 'n/a' else '1' end"))
    verdict = wms.pull(few)  # one row for quarantine is no reason to refuse a thousand
    assert "1 of 1,204 values are not bigint, for example 'n/a'" in verdict.notes[0]


def test_a_wider_type_most_of_whose_values_do_not_fit_is_another_type(door):
    wms = door()
    wms.pull(BEFORE)
    many = BEFORE.having(company=("VARCHAR", "case when i % 2 = 0 then 'n/a' else '1' end"))
    with pytest.raises(DriftError, match="602 of 1,204 values are not bigint"):
        wms.pull(many)


@pytest.mark.parametrize("policy", ["note", "evolve", "quarantine"])
def test_a_type_that_is_spelt_otherwise_but_holds_the_same_values_goes_on(door, policy):
    wms = door(policy)
    wms.pull(BEFORE.having(company=("VARCHAR", "'1'")))
    verdict = wms.pull(BEFORE.having(company=("BIGINT", "1")))
    assert verdict.held is None
    assert len(verdict.notes) == 1


def test_digits_that_were_cut_off_are_seen_and_counted(door):
    wms = door()
    wms.pull(BEFORE.having(quantity=("DECIMAL(18,4)", "case when i <= 10 then 1.2345 else i end")))
    with pytest.raises(DriftError, match=r"10 of 1,204 values lost something: 1.2345 is now 1.2300"):
        wms.pull(BEFORE.having(quantity=("DECIMAL(12,2)", "case when i <= 10 then 1.23 else i end")))


def test_leading_zeros_that_were_cut_off_are_seen(door):
    wms = door()
    wms.pull(BEFORE.having(state=("VARCHAR", "case when i < 5 then '007' else i::text end")))
    with pytest.raises(DriftError, match="4 of 1,204 values lost something: 007 is now 7"):
        wms.pull(BEFORE.having(state=("BIGINT", "case when i < 5 then 7 else i end")))


def test_a_type_the_contract_now_promises_is_accepted(door):
    wms = door()
    wms.pull(BEFORE.having(quantity=("DECIMAL(18,4)", "1.2345")))
    wms.source = contract(quantity={"type": "decimal(12, 2)"})
    assert wms.pull(BEFORE.having(quantity=("DECIMAL(12,2)", "1.23"))).held is None


# --- renamed: what the values say -----------------------------------------------------------------


def test_a_rename_is_proved_by_the_values_and_the_message_says_how_to_go_on(door):
    wms = door()
    wms.pull(BEFORE)
    # 24 of 1,204 rows changed for reasons of their own: 98 % are equal.
    now = BEFORE.having(quantity=("DOUBLE", "case when i <= 24 then -i else i * 1.25 end")).renamed(
        "quantity", "qty"
    )
    with pytest.raises(DriftError) as refused:
        wms.pull(now)
    message = str(refused.value)
    assert (
        "stock_move no longer has the column quantity; it is qty now: 98 % of 1,204 rows with the same key hold the same value"
        in message
    )
    assert "tieout drift accept wms.move --rename quantity=qty --by NAME --reason TEXT" in message
    assert "from: [qty, quantity]" in message
    (change,) = refused.value.changes
    assert change.evidence is not None
    assert (change.evidence.compared, change.evidence.equal) == (1204, 1180)


def test_the_values_find_the_column_whatever_it_is_called(door):
    wms = door()
    wms.pull(BEFORE)
    now = BEFORE.renamed("quantity", "menge").having(quantities=("DOUBLE", "1000 - i"))
    with pytest.raises(DriftError, match="quantity; it is menge now: 100 %"):
        wms.pull(now)


def test_a_new_column_with_other_values_is_no_rename(door):
    wms = door()
    wms.pull(BEFORE)
    with pytest.raises(DriftError, match=r"no longer has the column quantity\. It now has \['qty'\]"):
        wms.pull(BEFORE.without("quantity").having(qty=("DOUBLE", "1000 - i")))


def test_constants_agree_with_everything_so_the_name_decides(door):
    wms = door()
    wms.pull(BEFORE)
    now = BEFORE.renamed("company", "company_id").having(version=("BIGINT", "1"), active=("BIGINT", "1"))
    with pytest.raises(DriftError, match=r"company; renamed\? company_id is new, and alike"):
        wms.pull(now)


def test_two_columns_renamed_at_once_find_their_heirs(door):
    wms = door()
    wms.pull(BEFORE)
    with pytest.raises(DriftError) as refused:
        wms.pull(BEFORE.renamed("quantity", "c1").renamed("state", "c2"))
    assert {(item.before, item.now) for item in refused.value.changes} == {
        ("quantity", "c1"),
        ("state", "c2"),
    }


def test_a_renamed_key_is_found_by_its_values_and_then_the_rest_by_the_key(door):
    wms = door()
    wms.pull(BEFORE)
    with pytest.raises(DriftError) as refused:
        wms.pull(BEFORE.renamed("id", "nr").renamed("quantity", "menge"))
    found = {item.column: item for item in refused.value.changes}
    assert (found["id"].now, found["quantity"].now) == ("nr", "menge")
    assert "100 % of 1,204 different values are found there" in str(found["id"])
    assert found["quantity"].evidence is not None
    assert found["quantity"].evidence.share == 1


def test_rows_that_share_no_key_leave_the_name_to_decide(door):
    wms = door()
    wms.pull(BEFORE, "i <= 600")
    with pytest.raises(DriftError, match=r"quantity; renamed\? qty is new"):
        wms.pull(BEFORE.renamed("quantity", "qty"), "i > 600")


def test_an_alias_resolves_it_and_the_old_batches_keep_their_name(door):
    wms = door()
    wms.pull(BEFORE)
    wms.source = contract(quantity={"type": "decimal(18, 4)", "from": ["qty", "quantity"]})
    assert wms.pull(BEFORE.renamed("quantity", "qty")) == Verdict({})
    assert wms.pull(BEFORE.renamed("quantity", "qty")) == Verdict({})


# --- emptied, and sources that leave out what is empty --------------------------------------------


def test_a_column_that_was_rarely_filled_may_be_empty_with_a_note(door):
    wms = door()
    wms.pull(BEFORE.having(quantity=("DOUBLE", "case when i % 10 = 0 then i end")))
    verdict = wms.pull(BEFORE.having(quantity=("DOUBLE", "null")))
    assert "120 of 1,204 rows had a value in the last batch, none of 1,204 has one now" in verdict.notes[0]


def test_a_few_rows_without_a_value_are_chance(door):
    wms = door()
    wms.pull(BEFORE.having(quantity=("DOUBLE", "case when i % 2 = 0 then i end")))
    assert wms.pull(BEFORE.having(quantity=("DOUBLE", "null")), "i <= 10") == Verdict({})


def test_new_rows_that_are_all_empty_are_noted_only(door):
    wms = door()
    wms.pull(BEFORE, "i <= 1000")
    verdict = wms.pull(BEFORE.having(quantity=("DOUBLE", "null")), "i > 1000")
    assert verdict.held is None
    assert "has the column quantity without a single value" in verdict.notes[0]


def test_a_sparse_source_may_leave_a_column_out_by_chance_but_not_from_every_row(door):
    wms = door()
    wms.pull(BEFORE.having(quantity=("DOUBLE", "case when i % 2 = 0 then i end")))
    assert wms.pull(BEFORE.without("quantity"), "i <= 5", sparse=True) == Verdict({})
    wms.pull(BEFORE.having(quantity=("DOUBLE", "i")))
    with pytest.raises(DriftError, match="no longer has the column quantity"):
        wms.pull(BEFORE.without("quantity"), sparse=True)


# --- added ----------------------------------------------------------------------------------------


def test_an_added_column_is_noted_once_and_not_loaded(door):
    wms = door("note")
    wms.pull(BEFORE)
    more = BEFORE.having(批号=("VARCHAR", "'L' || i"))
    verdict = wms.pull(more)
    assert verdict.evolved == {}
    assert verdict.notes == (
        "wms.move: stock_move has a new column 批号 (VARCHAR); it is not loaded. "
        "tieout drift accept wms.move --add '批号' takes it into the contract",
    )
    assert wms.pull(more).notes == ()
    assert [item.state for item in open_drifts({"wms": wms.source}, wms.landing)] == []


def test_an_added_column_is_taken_in_under_an_ascii_name_with_its_own_name_as_comment(door):
    wms = door("evolve")
    wms.pull(BEFORE)
    more = BEFORE.having(批号=("VARCHAR", "'L' || i"), lot_no=("INTEGER", "i"))
    verdict = wms.pull(more)
    (chinese,) = [column for column in verdict.evolved if column != "lot_no"]
    assert verdict.evolved == {
        chinese: {"from": "批号", "type": "text"},
        "lot_no": {"from": "lot_no", "type": "bigint"},
    }
    assert any("批号 (VARCHAR); it was taken in" in note for note in verdict.notes)
    assert wms.landing.batches("wms", "move")[-1].columns.keys() >= {"批号", "lot_no"}
    wms.pull(more)
    source = effective(wms.source, wms.landing)
    taken = source.streams["move"].columns
    title = taken[chinese].title
    assert title is not None
    assert (taken[chinese].required, title.zh) == (False, "批号")
    assert source.class_of("move", chinese) == "L4"
    with connect() as con:
        con.execute("create schema raw_wms")
        for name in ("move", "move__history"):
            con.execute(f"create table raw_wms.{name} (id bigint, {chinese} text, lot_no bigint)")
        comment_columns(con, wms.source, source)
        said = con.execute(
            "select distinct column_name, comment from duckdb_columns() where comment is not null order by all"
        ).fetchall()
    assert sorted(said) == sorted([(chinese, "批号"), ("lot_no", "lot_no")])


def test_a_door_that_reads_too_little_nulls_nothing_in_silence(door, tmp_path):
    """It declares a column but leaves it out of the data: never taken in, never loaded as null."""
    wms = door("evolve")
    wms.pull(BEFORE)
    last = baseline(wms.landing, "wms", "move")
    assert last is not None
    more = BEFORE.having(lot=("VARCHAR", "'L' || i"))
    stream = grown(wms.source.streams["move"], more.declared, last)

    def said(wanted: Table, declared: dict[str, str]) -> Verdict:
        wanted.write(wanted.declared, tmp_path / "data.parquet")
        with _cursor() as con:
            before = wms.landing.data_file(last)
            return judge(
                con, wms.source, "move", stream, declared, last, tmp_path / "data.parquet", before
            )  # fmt: skip

    assert said(BEFORE, more.declared).evolved == {}
    assert list(said(more, more.declared).evolved) == ["lot"]
    with pytest.raises(DriftError, match="no longer has the column quantity"):
        said(BEFORE.without("quantity"), BEFORE.declared)


def test_what_was_taken_in_is_as_good_as_promised_and_never_lost_in_silence(door):
    wms = door("evolve")
    wms.pull(BEFORE)
    more = BEFORE.having(lot=("VARCHAR", "'L' || i"))
    wms.pull(more)
    with pytest.raises(DriftError, match="lot; it is lot_no now"):
        wms.pull(more.renamed("lot", "lot_no"))
    with pytest.raises(DriftError, match="no longer has the column lot"):
        wms.pull(BEFORE)
    decide(wms.landing.root, DROPPED, "wms", "move", {"column": "lot"}, by="a", reason="b", now=wms.now)
    assert "lot" not in effective(wms.source, wms.landing).streams["move"].columns
    assert wms.pull(BEFORE).held is None


def test_the_contract_takes_over_what_was_taken_in(door):
    wms = door("evolve")
    wms.pull(BEFORE)
    more = BEFORE.having(批号=("VARCHAR", "'L' || i"))
    wms.pull(more)
    wms.source = contract("evolve", lot={"type": "text", "from": "批号"})
    assert list(effective(wms.source, wms.landing).streams["move"].columns)[-1] == "lot"
    assert len(effective(wms.source, wms.landing).streams["move"].columns) == 5
    assert wms.pull(more).held is None


def test_a_frozen_stream_refuses_an_added_column_until_the_shape_is_accepted(door):
    wms = door("freeze")
    wms.pull(BEFORE)
    more = BEFORE.having(lot=("VARCHAR", "'L' || i"))
    with pytest.raises(DriftError, match=r"has a new column lot \(VARCHAR\)"):
        wms.pull(more)
    decide(
        wms.landing.root, SHAPE, "wms", "move", {"declared": more.declared, "emptied": []},
        by="a", reason="b", now=wms.now,
    )  # fmt: skip
    assert wms.pull(more) == Verdict({})
    assert wms.pull(more) == Verdict({})


def test_an_emptied_column_can_be_accepted_too(door):
    wms = door()
    wms.pull(BEFORE)
    with pytest.raises(DriftError, match="quantity without a single value"):
        wms.pull(CHANGES["emptied"])
    about = {"declared": BEFORE.declared, "emptied": ["quantity"]}
    decide(wms.landing.root, SHAPE, "wms", "move", about, by="a", reason="b", now=wms.now)
    assert wms.pull(CHANGES["emptied"]).held is None
    assert wms.pull(CHANGES["emptied"]) == Verdict({})


# --- held batches ---------------------------------------------------------------------------------


def test_a_change_stays_a_change_while_its_batch_is_held(door):
    wms = door("quarantine")
    wms.pull(BEFORE)
    for _ in range(3):
        assert wms.pull(CHANGES["retyped"]).held
    (batch,) = open_holds(wms.landing, "wms", "move")
    assert batch == wms.landing.latest("wms", "move")
    assert baseline(wms.landing, "wms", "move") == wms.landing.batches("wms", "move")[0]


def test_a_held_batch_holds_the_new_columns_so_an_alias_can_still_load_it(door):
    wms = door("quarantine")
    wms.pull(BEFORE)
    wms.pull(BEFORE.renamed("quantity", "qty"))
    held = wms.landing.latest("wms", "move")
    assert held is not None
    assert "qty" in held.columns


def test_a_decision_lets_a_held_batch_be_loaded_or_never(door):
    wms = door("quarantine")
    wms.pull(BEFORE)
    wms.pull(CHANGES["retyped"])
    batch = wms.landing.latest("wms", "move")
    assert batch is not None
    assert not Holds(wms.landing).may_load(batch)
    accept_batch(wms.landing, batch, by="李娜", reason="looked at", now=wms.now)
    assert Holds(wms.landing).may_load(batch)
    assert baseline(wms.landing, "wms", "move") == batch
    decline_batch(wms.landing, batch, by="李娜", reason="no", now=wms.now)
    assert Holds(wms.landing).state(batch) == "declined"
    assert open_holds(wms.landing, "wms", "move") == []


def test_a_held_batch_is_overtaken_by_the_next_good_one(door):
    wms = door("quarantine")
    wms.pull(BEFORE)
    wms.pull(CHANGES["renamed"])
    wms.pull(BEFORE)
    assert open_holds(wms.landing, "wms", "move") == []


# --- what a person sees ---------------------------------------------------------------------------


def test_refusals_are_remembered_until_a_pull_succeeds(door):
    wms = door()
    wms.pull(BEFORE)
    with pytest.raises(DriftError) as refused:
        wms.pull(CHANGES["renamed"])
    remember(wms.landing.root, [Extracted("wms", "move", error=refused.value)], NOON)
    (item,) = refusals(wms.landing.root)
    assert item.changes == refused.value.changes
    (drift,) = open_drifts({"wms": wms.source}, wms.landing)
    assert (drift.state, drift.columns, drift.waits) == ("refused", ("quantity",), True)
    remember(wms.landing.root, [Extracted("wms", "move")], NOON)
    assert refusals(wms.landing.root) == []


def test_notes_of_the_last_batches_and_held_batches_are_listed(door):
    wms = door("quarantine")
    wms.pull(BEFORE)
    more = BEFORE.having(lot=("VARCHAR", "'L'"))
    wms.pull(more)
    assert [(item.state, item.name) for item in open_drifts({"wms": wms.source}, wms.landing)] == [
        ("noted", "lot")
    ]
    wms.pull(more.renamed("quantity", "qty"))
    held, noted = open_drifts({"wms": wms.source}, wms.landing)
    assert (held.state, held.columns, noted.state) == ("held", ("quantity",), "noted")


# --- whatever changes -----------------------------------------------------------------------------

NAMES = st.sampled_from(["id", "quantity", "state", "company", "qty", "status", "批号", "x", "ID ", "Menge"])


@st.composite
def tables(draw):
    """The same rows under another shape: columns dropped, renamed, reordered, retyped, emptied or new."""
    columns: dict[str, tuple[str, str]] = {}
    # Few at a time: where everything changes, anything is refused.
    touched = draw(st.sets(st.sampled_from(list(BEFORE.columns)), max_size=2))
    fates = ["goes", "renamed", "text", "date", "empty"]
    for name, said in draw(st.permutations(list(BEFORE.columns.items()))):
        fate = draw(st.sampled_from(fates)) if name in touched else "stays"
        if fate == "goes":
            continue
        if fate == "renamed":
            other = draw(NAMES)
            if other.lower() not in {item.lower() for item in (*columns, *BEFORE.columns)}:
                columns[other] = said
            continue
        columns[name] = {
            "text": ("VARCHAR", f"cast({said[1]} as text)"),
            "date": ("DATE", "date '2026-01-01' + i::int"),
            "empty": (said[0], "null"),
        }.get(fate, said)
    if not columns or draw(st.booleans()):
        columns.setdefault("extra", ("VARCHAR", "'e' || i"))
    return Table(columns, rows=60)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policy=st.sampled_from(POLICIES), table=tables())
def test_no_promised_column_ever_becomes_all_null_in_silence(tmp_path_factory, policy, table):
    """Whatever goes on to be loaded holds a value in every promised column that had one: cast as the loader casts."""
    landing = Landing(tmp_path_factory.mktemp("landing"))
    wms = Door(contract(policy), landing)
    wms.pull(replace(BEFORE, rows=60))
    try:
        verdict = wms.pull(table)
    except DriftError:
        return
    if verdict.held:
        return
    last = landing.latest("wms", "move")
    assert last is not None
    stream = effective(wms.source, landing).streams["move"]
    with _cursor() as con:
        for column, spec in stream.columns.items():
            name = stream.column_in(column, last.columns)
            assert name is not None, f"{column} would be null"
            row = con.execute(
                f'select count(try_cast("{name}" as {spec.type})), count(*) from read_parquet(?)',
                [str(landing.data_file(last))],
            ).fetchone()
            assert row is not None
            assert row[0] > 0, f"{column} would be null"
