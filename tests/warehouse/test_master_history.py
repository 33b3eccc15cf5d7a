"""Versions of records and golden records: by a hand-worked table, and against plain Python on random histories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.master_data.history import golden_versions, lineage, record_versions
from tieout.master_data.rules import read_rules
from tieout.settings import PROJECT

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ROOTS = [("intermediate", "int_customer_records__one"), ("intermediate", "int_customer_records__two")]
KEYS = {("raw_hc_kingdee", "customer"): ("code",), ("raw_hc_crm", "client"): ("id",)}
RULES = read_rules(PROJECT / "dbt_project" / "master_data" / "customer.yaml")


class World:
    """A warehouse of two systems: one has name and phone in one table, the other a phone only."""

    def __init__(self) -> None:
        self.con = duckdb.connect(":memory:")
        self.con.execute(
            "set timezone = 'UTC'; create schema ops; create schema staging; create schema intermediate"
        )
        self.con.execute("create schema master")
        technical = (
            "_batch_id text, _loaded_at timestamptz, _hash ubigint, _is_deleted boolean, _is_current boolean"
        )
        for schema, table, columns in (
            ("raw_hc_kingdee", "customer", "code text, name text, phone text"),
            ("raw_hc_crm", "client", "id text, phone text"),
        ):
            self.con.execute(
                f"create schema {schema}; create table {schema}.{table}__history ({columns}, {technical})"
            )
            self.con.execute(
                f"create view {schema}.{table} as"
                f" select * exclude (_is_current) from {schema}.{table}__history where _is_current"
            )
        self.con.execute(
            """
            create view staging.customers as select * from raw_hc_kingdee.customer where not _is_deleted;
            create view staging.clients as select * from raw_hc_crm.client where not _is_deleted;
            create view intermediate.int_customer_records__one as with customers as (select * from staging.customers)
                select 'hc_kingdee' as source_system, code as source_key, 'HC' as company_code, name, phone,
                true as is_active, null::timestamptz as changed_at from customers;
            create view intermediate.int_customer_records__two as
                select 'hc_crm' as source_system, id as source_key, 'HC' as company_code, phone, true as is_active from staging.clients;
            create view master.customer_record as
                select source_system || ':' || source_key as record_id, *, null as same_as
                from (select * from intermediate.int_customer_records__one
                    union all by name select * from intermediate.int_customer_records__two)
            """
        )
        self.batches = 0

    def write(self, day: int, system: str, key: str, values: tuple[str | None, ...] | None) -> None:
        """One version, as the loader writes it; None deletes."""
        table, column, width = {
            "hc_kingdee": ("raw_hc_kingdee.customer__history", "code", 2),
            "hc_crm": ("raw_hc_crm.client__history", "id", 1),
        }[system]
        self.batches += 1
        at = DAY + timedelta(days=day, microseconds=self.batches)
        newer = f"{column} = ? and _loaded_at > ?"
        current = not self.con.execute(f"select 1 from {table} where {newer}", [key, at]).fetchall()
        if current:
            self.con.execute(f"update {table} set _is_current = false where {column} = ?", [key])
        given = list(values or (None,) * width)
        row = [key, *given, f"{at:%Y%m%d%f}", at, abs(hash((key, values))), values is None, current]
        self.con.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)

    def versions(self, before: str | None = None) -> list[tuple]:
        found = record_versions(
            self.con, {"customer": ROOTS}, {"customer": "master.customer_record"}, KEYS, before
        )
        self.con.register("found", found)
        self.con.execute("create or replace table master.record_version as from found")
        return self.con.execute(
            "select record_id, attributes ->> 'name', attributes ->> 'phone', day(known_from) - 1, is_gone"
            " from master.record_version order by 1, known_from"
        ).fetchall()

    def golden(self, keys: dict[str, str]) -> list[tuple]:
        pairs = ", ".join(f"('customer', '{record}', '{key}')" for record, key in keys.items())
        self.con.execute(
            f"create or replace table crosswalk as from (values {pairs}) as pair (entity, record_id, master_key)"
        )
        self.con.execute(
            "create or replace table golden as select 'customer' as entity, '' as master_key, '' as attribute, '' as value"
            " where false"
        )
        found = golden_versions(
            self.con, "customer", "master.record_version", "crosswalk", "golden", RULES, {}
        )
        self.con.register("found", found)
        return self.con.execute(
            "select master_key, version, attributes ->> 'name', attributes ->> 'phone',"
            " day(valid_from) - 1, day(valid_to) - 1 from found order by 1, 2"
        ).fetchall()


def test_versions_of_records_by_hand() -> None:
    world = World()
    world.write(0, "hc_kingdee", "C1", ("华信", "1"))
    world.write(0, "hc_kingdee", "C2", ("东方", None))
    world.write(2, "hc_crm", "7", ("5",))  # a system that joins later
    world.write(3, "hc_kingdee", "C1", ("华信精密", "1"))
    world.write(4, "hc_crm", "7", ("5",))  # the same again
    world.write(5, "hc_kingdee", "C2", None)
    world.write(6, "hc_kingdee", "C2", ("东方", "9"))

    assert world.versions() == [
        ("hc_crm:7", None, "5", 2, False),
        ("hc_kingdee:C1", "华信", "1", 0, False),
        ("hc_kingdee:C1", "华信精密", "1", 3, False),
        ("hc_kingdee:C2", "东方", None, 0, False),
        ("hc_kingdee:C2", "东方", None, 5, True),
        ("hc_kingdee:C2", "东方", "9", 6, False),
    ]


def test_versions_of_a_golden_record_by_hand() -> None:
    """Phones are believed from the CRM first, names only the ERP has; only what changes the whole is a version."""
    world = World()
    world.write(0, "hc_kingdee", "C1", ("华信", "0571-88886666"))
    world.write(1, "hc_crm", "7", ("0571-88887777",))  # came later: counts from the beginning
    world.write(3, "hc_kingdee", "C1", ("华信精密", "0571-88886666"))
    world.write(5, "hc_kingdee", "C1", ("华信精密", "0571-88880000"))  # not believed: no version
    world.write(7, "hc_crm", "7", None)  # now the ERP's phone counts
    world.write(0, "hc_kingdee", "C2", ("不变", "0571-11112222"))
    world.versions()

    assert world.golden({"hc_kingdee:C1": "K1", "hc_crm:7": "K1", "hc_kingdee:C2": "K2"}) == [
        ("K1", 1, "华信", "0571-88887777", None, 3),
        ("K1", 2, "华信精密", "0571-88887777", 3, 7),
        ("K1", 3, "华信精密", "0571-88880000", 7, None),
    ]


def test_a_split_gives_each_its_own_past() -> None:
    world = World()
    world.write(0, "hc_kingdee", "C1", ("甲", "1"))
    world.write(0, "hc_kingdee", "C2", ("乙", "2"))
    world.write(4, "hc_kingdee", "C2", ("丙", "2"))
    world.versions()
    apart = [("K2", 1, "乙", "2", None, 4), ("K2", 2, "丙", "2", 4, None)]
    assert world.golden({"hc_kingdee:C1": "K1", "hc_kingdee:C2": "K2"}) == apart
    together = world.golden({"hc_kingdee:C1": "K1", "hc_kingdee:C2": "K1"})
    assert together == []  # the name of C1 wins before and after: nothing of the whole has changed
    assert world.golden({"hc_kingdee:C1": "K1", "hc_kingdee:C2": "K2"}) == apart


def test_only_what_a_query_names_is_its_lineage() -> None:
    found = lineage(World().con, ROOTS)
    assert set(found.raw) == set(KEYS)
    assert set(found.views) == {*ROOTS, ("staging", "customers"), ("staging", "clients")}
    assert found.others == ()


# --- against plain Python -------------------------------------------------------------------------

PHONES = st.sampled_from(["1", "2", None])
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 5),  # day
        st.sampled_from(["hc_kingdee", "hc_crm"]),
        st.sampled_from(["a", "b"]),
        st.one_of(st.none(), st.tuples(PHONES, PHONES)),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


def expected(events: list[tuple]) -> list[tuple]:
    """At the end of each day what every record says; a version where that differs from the day before."""
    result = []
    for system, key in sorted({(system, key) for _, system, key, _ in events}):
        last, said = None, None
        for day in range(6):
            for _, _, _, values in [e for e in events if e[:3] == (day, system, key)]:
                last = values and ((None, values[1]) if system == "hc_crm" else values)
            if last and last != said:
                result.append((f"{system}:{key}", *last, day, False))
            elif last is None and said is not None:
                result.append((f"{system}:{key}", *said, day, True))
            said = last
    return sorted(result, key=lambda row: (row[0], row[3]))


def written(world: World, event: tuple) -> None:
    day, system, key, values = event
    world.write(day, system, key, values[1:] if values and system == "hc_crm" else values)


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_versions_are_those_of_plain_python(events: list[tuple]) -> None:
    events = sorted(events, key=lambda event: event[0])
    world = World()
    for event in events:
        written(world, event)
    assert world.versions() == expected(events)


@settings(max_examples=15, deadline=None)
@given(EVENTS)
def test_day_by_day_in_any_order_is_the_same_as_at_once(events: list[tuple]) -> None:
    """Also when days arrive late: what is known of earlier moments is then found out again."""
    daily, at_once = World(), World()
    first = True
    days: dict[int, None] = dict.fromkeys(event[0] for event in events)
    for day in days:
        for event in events:
            if event[0] == day:
                written(daily, event)
        daily.versions(None if first else "master.record_version")
        first = False
    for event in sorted(events, key=lambda event: event[0]):
        written(at_once, event)
    assert (
        daily.versions("master.record_version")
        == at_once.versions()
        == expected(sorted(events, key=lambda event: event[0]))
    )


def test_a_moment_seen_before_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from tieout.master_data import history

    world, looked = World(), []
    add = history._add
    monkeypatch.setattr(history, "_add", lambda *args: (looked.append(args[-1]), add(*args)))
    for day in range(4):
        world.write(day, "hc_kingdee", "C1", (f"name {day}", None))
        world.versions("master.record_version" if day else None)
    assert len(looked) == 4
    assert len(world.versions()) == 4  # without what was found before: all of them
    assert len(looked) == 8


def test_what_was_found_by_other_views_is_found_anew() -> None:
    world = World()
    world.write(0, "hc_kingdee", "C1", ("one", None))
    world.write(1, "hc_kingdee", "C1", ("two", None))
    world.versions()
    world.con.execute(
        "create or replace view staging.customers as"
        " select * replace (upper(name) as name) from raw_hc_kingdee.customer where not _is_deleted"
    )
    found = world.versions("master.record_version")
    assert [row[1] for row in found] == ["ONE", "TWO"]


def test_tables_of_the_product_below_records_are_named() -> None:
    """Records are views down to the raw tables; what is a table in between has no history, so only names may be."""
    models = Path(PROJECT) / "dbt_project" / "models" / "intermediate"
    tables = {path.stem for path in (models / "master").glob("*.sql")}
    for path in (models / "canonical").glob("int_*_records__*.sql"):
        for name in {word for word in path.read_text().split('"') if word.startswith("int_")}:
            text = next(models.rglob(f"{name}.sql")).read_text()
            assert name in tables or 'materialized="view"' in text, f"{path.name} reads the table {name}"
