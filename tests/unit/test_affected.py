"""What a column reaches: judged by changing the column's values and looking which results change."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine import connect
from tieout.transform.affected import affected
from tieout.transform.reach import Reach, reach

_engine = cache(connect)  # opening one costs more than a query of it
TABLES = {
    "raw.move": "select i as id, i % 7 as quantity, i % 3 as state, i % 5 as product from range(40) as r(i)",
    "raw.product": "select i as id, i % 2 as kind, i * 10 as price, 'p' || i as name from range(5) as r(i)",
}
# Queries in the idioms of the project; each is asked about every column of its tables.
QUERIES = {
    "rename and cast": "select id, cast(quantity as decimal(18, 2)) as qty, state as status from raw.move",
    "import ctes": """
        with source as (select * from raw.move), kept as (select * from source where state = 1)
        select id, product from kept""",
    "star": "select * from raw.move",
    "star but": "select * exclude (quantity), quantity * 2 as twice from raw.move",
    "star with": "select * replace (quantity + 1 as quantity) from raw.move",
    "join": """
        select m.id, m.quantity * p.price as amount, p.name
        from raw.move as m left join raw.product as p on m.product = p.id""",
    "using": "select id, quantity, name from raw.move join raw.product using (id)",
    "grouped": "select product, sum(quantity) as qty, count(*) as n from raw.move group by product",
    "grouped by all": "select product, sum(quantity) as qty from raw.move group by all",
    "having": "select product from raw.move group by product having sum(quantity) > 20",
    "window": "select id, sum(quantity) over (partition by product order by id) as running from raw.move",
    "qualify": "select id from raw.move qualify row_number() over (partition by product order by quantity, id) = 1",
    "exists": "select id from raw.product where exists (select 1 from raw.move as m where m.quantity = price)",
    "scalar subquery": "select id, (select max(quantity) from raw.move) as most from raw.product",
    "in subquery": "select name from raw.product where id in (select product from raw.move where state = 2)",
    "correlated": "select p.id, (select sum(m.quantity) from raw.move m where m.product = p.id) as q from raw.product p",
    "union by position": "select id, quantity from raw.move union all select price, kind from raw.product",
    "union by name": "select id, quantity from raw.move union all by name select price as quantity, id from raw.product",
    "name of a name": "select quantity + 1 as one, one * 2 as two, id from raw.move",
    "filter by a name": "select id, quantity % 2 as odd from raw.move where odd = 1",
    "distinct": "select distinct state from raw.move",
    "limit": "select id from raw.move order by quantity, id limit 5",
    "case": "select id, case when state = 1 then quantity end as done_qty from raw.move",
    "derived table": "select x.q from (select quantity as q, id from raw.move) as x where x.id > 3",
    "columns named at the cte": "with c(a, b) as (select id, quantity from raw.move) select a, b + 1 as more from c",
    "asof": "select m.id, p.price from raw.move m asof join raw.product p on m.product >= p.id",
    "unnest": "select id, unnest([quantity, 0]) as q from raw.move",
    "struct": "select id, {'q': quantity, 's': state} as s from raw.move",
    "recursive": """
        with recursive walk as (
            select id, quantity from raw.move where id < 2
            union all select m.id, w.quantity from walk as w join raw.move as m on m.id = w.id + 1 where m.id < 6
        ) select id, quantity from walk""",
    "aggregate with filter": "select count(*) filter (where state = 1) as done, sum(quantity) as q from raw.move",
    "two levels": """
        with a as (select product, sum(quantity) as q from raw.move group by product),
        b as (select p.name, coalesce(a.q, 0) as q from raw.product as p left join a on a.product = p.id)
        select name, q, q > 20 as many from b""",
}
COLUMNS = [("raw.move", c) for c in ("id", "quantity", "state", "product")] + [
    ("raw.product", c) for c in ("id", "kind", "price", "name")
]


def results(query: str, table: str, column: str, change: str | None) -> dict[str, list]:
    """Every column of a query's result as a sorted list, with one input column changed by an expression."""
    with _engine().cursor() as con:
        con.execute("create schema if not exists raw")
        for name, select in TABLES.items():
            again = (
                f"select * replace ({change} as {column}) from ({select})"
                if change and name == table
                else select
            )
            con.execute(f"create or replace table {name} as {again}")
        cursor = con.execute(query)
        names = [item[0] for item in cursor.description]
        rows = cursor.fetchall()
    return {name: sorted(str(row[place]) for row in rows) for place, name in enumerate(names)} | {
        "#": [str(len(rows))]
    }


@pytest.mark.parametrize("name", QUERIES)
def test_whatever_changes_with_a_column_was_foretold(name):
    """Sound: a result that changes is named, or said to depend on it by its rows."""
    query = QUERIES[name]
    for table, column in COLUMNS:
        answer, why = reach(query, {table: Reach(frozenset({column}))})
        assert answer is not None, why
        changes = ["'z' || name"] if column == "name" else [f"{column} + 1", f"({column} * 3) % 4", "null"]
        before = results(query, table, column, None)
        for change in changes:
            after = results(query, table, column, change)
            moved = {item.lower() for item in before if before[item] != after[item]}
            foretold = answer.rows or answer.wild
            assert foretold or moved <= answer.values, (table, column, change, moved, answer)


@pytest.mark.parametrize(
    ("name", "table", "column", "values", "rows"),
    [
        ("rename and cast", "raw.move", "quantity", {"qty"}, False),
        ("rename and cast", "raw.move", "product", set(), False),
        ("import ctes", "raw.move", "quantity", set(), False),
        ("import ctes", "raw.move", "state", set(), True),
        ("star but", "raw.move", "quantity", {"twice"}, False),
        ("join", "raw.product", "price", {"amount"}, False),
        ("join", "raw.product", "name", {"name"}, False),
        ("grouped", "raw.move", "quantity", {"qty"}, False),
        ("grouped by all", "raw.move", "quantity", {"qty"}, False),
        ("union by position", "raw.product", "price", {"id"}, False),
        ("union by name", "raw.product", "price", {"quantity"}, False),
        ("two levels", "raw.move", "quantity", {"q", "many"}, False),
        ("derived table", "raw.move", "id", set(), True),
    ],
)
def test_nothing_else_is_named(name, table, column, values, rows):
    """Sharp: worked out by eye."""
    answer, _ = reach(QUERIES[name], {table: Reach(frozenset({column}))})
    assert answer == Reach(frozenset(values), rows)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["id", "quantity", "state", "product"]), min_size=1, max_size=4, unique=True),
    st.data(),
)
def test_a_chain_of_selects_passes_on_exactly_what_it_names(columns, data):
    query, wanted = "raw.move", "quantity"
    expected = {"quantity"}
    for level in range(data.draw(st.integers(1, 5))):
        if data.draw(st.booleans()):
            query = f"select * from {query if level == 0 else f'({query})'}"
        else:
            listed = {
                c: f"n{level}_{place}"
                for place, c in enumerate(sorted(expected | {"id"} if level == 0 else expected))
            }
            if not listed:
                break
            kept = {old: new for old, new in listed.items() if data.draw(st.booleans())}
            parts = [f"{old} as {new}" for old, new in kept.items()] or ["1 as one"]
            query = f"select {', '.join(parts)} from {query if level == 0 else f'({query})'}"
            expected = {new for old, new in kept.items() if old in expected}
    if query == "raw.move":
        query = "select * from raw.move"
    answer, why = reach(query, {"raw.move": Reach(frozenset({wanted}))})
    assert answer is not None, why
    assert answer.values == expected


# --- a project ------------------------------------------------------------------------------------


def node(name: str, schema: str, code: str | None, parents: list[str], **meta: str) -> dict:
    return {
        "unique_id": f"model.p.{name}", "resource_type": "model", "name": name, "alias": name, "schema": schema,
        "package_name": "p", "original_file_path": f"models/{name}.sql", "description": f"{name} / {name}",
        "depends_on": {"nodes": parents}, "config": {"meta": meta}, "compiled_code": code,
    }  # fmt: skip


def metric(name: str, measures: list[str], parents: list[str], owner: str) -> dict:
    return {
        "name": name, "label": name, "config": {"meta": {"owner": owner}},
        "type_params": {"input_measures": [{"name": item} for item in measures]},
        "depends_on": {"nodes": parents},
    }  # fmt: skip


@pytest.fixture
def project(tmp_path) -> Path:
    source = "source.p.wms.move"
    staging = node(
        "stg_moves", "staging", "select id, quantity as qty, state as status from raw_wms.move", [source]
    )
    fact = node("fct_move", "marts", None, ["model.p.stg_moves"], owner="warehouse")
    odd = node(
        "int_odd", "intermediate", "pivot staging.stg_moves on status using sum(qty)", ["model.p.stg_moves"]
    )
    away = node("fct_other", "marts", "select 1 as one", [], owner="hr")
    tie = node("identity_moved", "tie", "select qty as left_value from marts.fct_move", ["model.p.fct_move"])
    nodes = {item["unique_id"]: item for item in (staging, fact, odd, away, tie)}
    children: dict[str, list[str]] = {}
    for item in nodes.values():
        for parent in item["depends_on"]["nodes"]:
            children.setdefault(parent, []).append(item["unique_id"])
    relation = {"schema_name": "marts", "alias": "fct_move"}
    manifest = {
        "nodes": nodes,
        "sources": {source: {"source_name": "wms", "name": "move", "schema": "raw_wms", "identifier": "move"}},
        "child_map": children,
        "semantic_models": {
            "sm": {"node_relation": relation, "measures": [{"name": "moved", "expr": "case when is_done then qty end"},
                                                          {"name": "moves", "expr": "1"}]}
        },
        "metrics": {
            "metric.p.moved_qty": metric("moved_qty", ["moved"], [], "warehouse"),
            "metric.p.move_count": metric("move_count", ["moves"], [], "warehouse"),
            "metric.p.moved_ratio": metric("moved_ratio", [], ["metric.p.moved_qty"], "finance"),
        },
        "saved_queries": {"q": {"name": "moves_monthly", "query_params": {"metrics": ["moved_ratio"]}}},
    }  # fmt: skip
    (tmp_path / "compiled/p/models").mkdir(parents=True)
    (tmp_path / "compiled/p/models/fct_move.sql").write_text(
        "select id, qty, status = 2 as is_done from staging.stg_moves"
    )
    for path, text in {
        "expectations/reconciliation/moved.yaml": "title: {zh: 移动, en: Moved}\nowner: warehouse\nwith: finance\n",
        "expectations/suites/marts/fct_move.yaml": "owner: inventory\nexpectations:\n- {type: x, kwargs: {column: qty}}\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_from_a_column_to_models_metrics_reports_and_owners(project):
    found = affected(
        project / "manifest.json", "wms", "move", ["quantity"], expectations=project / "expectations"
    )
    models = {item.name: item.columns for item in found.of("model") if item.certain}
    assert models == {
        "staging.stg_moves": ("qty",),
        "marts.fct_move": ("qty",),  # its SQL is found beside the manifest
        "tie.identity_moved": ("left_value",),
    }
    assert [item.name for item in found.of("metric")] == ["moved_qty", "moved_ratio"]
    assert [item.name for item in found.of("report")] == ["moves_monthly"]
    assert [item.owner for item in found.of("identity")] == ["warehouse/finance"]
    assert [(item.name, item.columns) for item in found.of("suite")] == [("marts.fct_move", ("qty",))]
    assert set(found.owners) == {"warehouse", "finance", "inventory"}


def test_a_model_that_cannot_be_followed_is_named_whole_and_said(project):
    found = affected(project / "manifest.json", "wms", "move", ["quantity"])
    odd = next(item for item in found.of("model") if item.name == "intermediate.int_odd")
    assert (odd.columns, odd.certain) == (("*",), False)
    assert any(note.startswith("int_odd: its SQL could not be followed") for note in found.notes)


def test_the_other_column_reaches_other_things(project):
    found = affected(project / "manifest.json", "wms", "move", ["state"])
    assert {item.name: item.columns for item in found.of("model") if item.certain} == {
        "staging.stg_moves": ("status",),
        "marts.fct_move": ("is_done",),
    }
    assert [item.name for item in found.of("metric")] == ["moved_qty", "moved_ratio"]


def test_a_column_nobody_reads_and_a_project_not_yet_built(project, tmp_path):
    assert affected(project / "manifest.json", "wms", "move", ["memo"]).touched == ()
    assert "No model reads wms.stock" in affected(project / "manifest.json", "wms", "stock", ["x"]).notes[0]
    assert "after the first build" in affected(tmp_path / "none.json", "wms", "move", ["x"]).notes[0]
