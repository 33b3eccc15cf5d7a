"""Views an earlier build made are left alone only while nothing they are made of has changed."""

from __future__ import annotations

import json

import pytest

from tieout.engine import connect
from tieout.settings import Settings
from tieout.transform import dbt
from tieout.transform.views import VIEWS

PROFILE = """
small: {target: file, outputs: {file: {type: duckdb, path: "{{ env_var('TIEOUT_WAREHOUSE') }}"}}}
"""
SHOWN = "{{ config(materialized='view') }} select n * 10 as n from raw_toys.toy"
KEPT = "{{ config(materialized='table') }} select sum(n) as n from {{ ref('shown') }}"

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path, monkeypatch) -> Settings:
    """A raw table, a view on it, a table on the view."""
    for name in dbt.environment(Settings(tmp_path)):
        monkeypatch.setenv(name, "")  # dbt is told by our environment; give it back afterwards
    models = tmp_path / "project" / "dbt_project" / "models"
    models.mkdir(parents=True)
    (models.parent / "dbt_project.yml").write_text("{name: small, profile: small, model-paths: [models]}")
    (models.parent / "profiles.yml").write_text(PROFILE)
    (models / "shown.sql").write_text(SHOWN)
    (models / "kept.sql").write_text(KEPT)
    settings = Settings(tmp_path / "home", tmp_path / "project")
    settings.home.mkdir()
    with connect(settings.warehouse) as con:
        con.execute("create schema ops; create schema raw_toys; create table raw_toys.toy as select 1 as n")
    return settings


def built(settings: Settings) -> set[str]:
    return {node.unique_id.split(".")[-1] for node in dbt.build(settings, lambda node: None, keep_views=True)}


def total(settings: Settings) -> int:
    with connect(settings.warehouse) as con:
        return con.execute("select n from main.kept").fetchall()[0][0]


def run(settings: Settings, sql: str) -> None:
    with connect(settings.warehouse) as con:
        con.execute(sql)


def test_the_second_time_only_tables_are_made_and_they_hold_what_is_loaded_now(small):
    assert built(small) == {"shown", "kept"} and total(small) == 10
    run(small, "insert into raw_toys.toy values (2)")

    assert built(small) == {"kept"} and total(small) == 30


def test_other_definitions_other_columns_and_another_warehouse_make_views_anew(small):
    built(small)
    (small.dbt_project / "models" / "shown.sql").write_text(SHOWN.replace("10", "100"))
    assert built(small) == {"shown", "kept"} and total(small) == 100

    run(small, "create or replace table raw_toys.toy as select cast('7' as decimal(9, 2)) as n")
    assert built(small) == {"shown", "kept"} and total(small) == 700

    small.warehouse.unlink()
    run(small, "create schema ops; create schema raw_toys; create table raw_toys.toy as select 5 as n")
    assert built(small) == {"shown", "kept"} and total(small) == 500


def prepared(settings: Settings) -> None:
    drafts = dbt.target(settings) / "drafts"
    drafts.mkdir(parents=True)
    dbt.prepare(settings, drafts)
    dbt.adopt(settings, drafts)


def views(settings: Settings) -> list[tuple]:
    with connect(settings.warehouse) as con:
        return con.execute(
            "select schema_name, view_name, sql from duckdb_views() where not internal order by all"
        ).fetchall()


def test_views_compiled_ahead_are_those_that_dbt_makes(small):
    """Views on views and on sources are made at once; a view on a table waits for dbt."""
    models = small.dbt_project / "models"
    (models / "doubled.sql").write_text(
        "{{ config(materialized='view') }} select n * 2 from {{ ref('shown') }} -- end"
    )
    (models / "late.sql").write_text(
        "{{ config(materialized='view') }} select n + 1 as n from {{ ref('kept') }}"
    )
    prepared(small)
    compiled = json.loads((dbt.target(small) / VIEWS).read_text())

    names = {"shown", "doubled", "kept", "late"}
    assert built(small) == names and total(small) == 10
    assert [name.split(".")[-1] for name in compiled["made"]] == ["shown", "doubled"]
    assert compiled["others"] == ["late"]
    ours = views(small)
    small.warehouse.unlink()
    (dbt.target(small) / VIEWS).unlink()
    run(small, "create schema ops; create schema raw_toys; create table raw_toys.toy as select 1 as n")
    assert built(small) == names
    assert views(small) == ours and len(ours) == 3


@pytest.mark.parametrize("change", ["definition", "raw table"])
def test_views_compiled_ahead_that_do_not_fit_any_more_are_left_to_dbt(small, change):
    prepared(small)
    if change == "definition":
        (small.dbt_project / "models" / "shown.sql").write_text(SHOWN.replace("10", "7"))
        assert built(small) == {"shown", "kept"} and total(small) == 7
    else:
        run(small, "create or replace table raw_toys.toy as select 1 as other")
        with pytest.raises(dbt.TransformError, match="shown"):
            built(small)


def test_views_of_a_build_that_failed_are_not_trusted_when_the_change_is_taken_back(small):
    built(small)
    (small.dbt_project / "models" / "shown.sql").write_text(SHOWN.replace("10", "100"))
    (small.dbt_project / "models" / "kept.sql").write_text(KEPT.replace("sum(n)", "no_such(n)"))
    with pytest.raises(dbt.TransformError):
        built(small)

    (small.dbt_project / "models" / "shown.sql").write_text(SHOWN)
    (small.dbt_project / "models" / "kept.sql").write_text(KEPT)

    assert built(small) == {"shown", "kept"} and total(small) == 10


def test_a_warehouse_that_took_over_the_line_but_not_the_views_makes_them(small):
    """A replay builds a new warehouse beside the old one and carries over what only the old one knows."""
    built(small)
    with connect(small.warehouse) as con:
        ((line,),) = con.execute("select version from ops.views_built").fetchall()
    small.warehouse.unlink()
    run(small, "create schema ops; create schema raw_toys; create table raw_toys.toy as select 4 as n")
    run(small, f"create table ops.views_built as select '{line}' as version")

    assert built(small) == {"shown", "kept"} and total(small) == 40
