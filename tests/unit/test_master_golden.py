"""Survivorship against a second computation in plain Python, and the cases a steward would ask about."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tieout.master_data.golden import golden_query

Row = dict[str, Any]
SYSTEMS = ["crm", "erp", "shop"]
TYPES = pa.schema(
    [("record_id", "string"), ("source_system", "string"), ("source_key", "string"), ("is_active", pa.bool_()),
     ("changed_at", pa.timestamp("us", "UTC")), ("name", "string"), ("address", "string"), ("city", "string")]
)  # fmt: skip


def record(
    system: str, number: int, *, active: bool = True, day: int | None = 1, **values: str | None
) -> Row:
    from datetime import UTC, datetime

    return {
        "record_id": f"{system}:{number}", "source_system": system, "source_key": str(number), "is_active": active,
        "changed_at": datetime(2026, 1, day, tzinfo=UTC) if day else None,
        **dict.fromkeys(("name", "address", "city")), **values,
    }  # fmt: skip


def golden(
    rows: list[Row], keys: dict[str, str], **rules: Any
) -> dict[tuple[str, str], tuple[str, str, str]]:
    with duckdb.connect() as con:
        con.register("records", pa.Table.from_pylist(rows, TYPES))
        con.register("crosswalk", pa.table({"record_id": list(keys), "master_key": list(keys.values())}))
        con.register("doubtful", pa.table({"record_id": ["crm:9"], "attribute": ["name"]}))
        found = con.execute(
            golden_query(con, "records", "crosswalk", doubtful="doubtful", **rules)
        ).fetchall()
    assert len({row[:2] for row in found}) == len(found), "an attribute has two values"
    return {(key, attribute): (value, origin, rule) for key, attribute, value, origin, rule in found}


def test_an_address_is_never_made_of_two_records():
    rows = [
        record("crm", 1, city="苏州"),
        record("erp", 1, address="东吴南路 1 号"),
        record("erp", 2, address="x", city="杭州"),
    ]
    keys = {row["record_id"]: "K" for row in rows}
    said = golden(rows, keys, trust={"*": SYSTEMS}, together=[["address", "city"]])

    # The street comes from erp:1, which names no city: the city of another record would be a lie.
    assert said == {("K", "address"): ("东吴南路 1 号", "erp:1", "most trusted")}
    assert golden(rows[:1], keys, trust={}, together=[["address", "city"]])[("K", "city")][0] == "苏州"


def test_what_a_steward_prefers_wins_and_goes_with_its_record():
    rows = [record("crm", 1, name="A"), record("erp", 1, name="B")]
    pinned = {("erp:1", "name"): "C", ("erp:1", "city"): "宁波"}
    together = golden(rows, {"crm:1": "K", "erp:1": "K"}, trust={"*": SYSTEMS}, pinned=pinned)
    apart = golden(rows, {"crm:1": "K", "erp:1": "L"}, trust={"*": SYSTEMS}, pinned=pinned)

    assert (
        together[("K", "name")] == ("C", "erp:1", "pinned by a steward")
        and together[("K", "city")][0] == "宁波"
    )
    assert apart[("K", "name")][0] == "A" and apart[("L", "name")][0] == "C"


def test_a_doubtful_value_wins_over_nothing_but_is_not_lost():
    rows = [record("crm", 9, name="doubtful"), record("shop", 1, name="known", active=False, day=None)]
    assert golden(rows, {"crm:9": "K", "shop:1": "K"}, trust={"*": SYSTEMS})[("K", "name")][0] == "known"
    assert golden(rows, {"crm:9": "K", "shop:1": "L"}, trust={})[("K", "name")][2].startswith("doubtful")


VALUES = st.sampled_from([None, "", " ", "a", "b ", "有限公司"])
ROWS = st.lists(
    st.builds(
        record, st.sampled_from(SYSTEMS), st.integers(1, 12), active=st.booleans(),
        day=st.sampled_from([None, 1, 2]), name=VALUES, address=VALUES, city=VALUES,
    ),
    min_size=1, max_size=8, unique_by=lambda row: row["record_id"],
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, split=st.integers(1, 3), trust=st.permutations(SYSTEMS), named=st.booleans())
@example(rows=[record("crm", 1), record("erp", 1)], split=1, trust=SYSTEMS, named=True)
def test_every_value_is_the_one_plain_python_picks(rows, split, trust, named):
    keys = {row["record_id"]: f"K{place % split}" for place, row in enumerate(rows)}
    rules = {"*": trust[:2], **({"name": trust[::-1]} if named else {})}

    def rank(row: Row, attribute: str) -> tuple:
        systems = rules.get(attribute) or rules["*"]
        place = systems.index(row["source_system"]) if row["source_system"] in systems else 1000
        later = -row["changed_at"].timestamp() if row["changed_at"] else float("inf")
        doubtful = (row["record_id"], attribute) == ("crm:9", "name")
        return doubtful, not row["is_active"], place, later, row["record_id"]

    expected = {}
    for key in set(keys.values()):
        mine = [row for row in rows if keys[row["record_id"]] == key]
        for attribute in ("name", "address", "city"):
            told = [row for row in mine if (row[attribute] or "").strip()]
            if told:
                best = min(told, key=lambda row: rank(row, attribute))
                expected[key, attribute] = (best[attribute].strip(), best["record_id"])
    assert {key: found[:2] for key, found in golden(rows, keys, trust=rules).items()} == expected
