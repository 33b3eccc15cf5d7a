"""Views an earlier build made are left alone only while nothing they are made of has changed."""

from __future__ import annotations

import pytest

from tieout.engine import connect
from tieout.settings import Settings
from tieout.transform import dbt

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
