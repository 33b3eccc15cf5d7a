"""Metrics compiled ahead: the same numbers without compiling, and only from the very same definitions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.warehouse.test_metric_layer import COMPANY, MANIFEST, MARTS, definitions
from tieout.engine import connect
from tieout.fingerprint import schema_hashes
from tieout.metrics import layer
from tieout.metrics.definitions import read
from tieout.metrics.layer import COMPILED, Layer, build_layer, compile_ahead

# The net of the company's orders has turned its sign; names and everything else stay.
OTHER = COMPANY.replace("case when is_booked then amount_cny end", "case when is_booked then -amount_cny end")


@pytest.fixture
def con():
    with connect() as con:
        con.execute(MARTS)
        yield con


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> Path:
    """dbt's target folder, with metrics compiled ahead; tests change a copy."""
    folder = tmp_path_factory.mktemp("compiled")
    written(folder, COMPANY)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    compile_ahead(read(folder / "semantic_manifest.json"), folder / COMPILED)
    return folder


@pytest.fixture
def folder(compiled, tmp_path) -> Path:
    return Path(shutil.copytree(compiled, tmp_path / "target"))


def written(folder: Path, text: str) -> None:
    text = definitions(folder / "yaml", text).text
    (folder / "semantic_manifest.json").write_text(text, encoding="utf-8")


def built(con: duckdb.DuckDBPyConnection, folder: Path) -> Layer:
    return build_layer(con, folder / "semantic_manifest.json", folder / "manifest.json")


def orders(con: duckdb.DuckDBPyConnection) -> object:
    """All orders ever, as schema `metrics` has them."""
    sql = "select value from metrics.metric('order_amount_net', grain := 'all')"
    return con.execute(sql).fetchall()[0][0]


def poisoned(file: Path) -> None:
    """Every stored query of an order amount now answers 99999."""
    left = json.loads(file.read_text())
    left["sql"] = [
        [*key, "select 99999 as value"] if key[1:] == ["order_amount_net", "all", "all"] else [*key, sql]
        for *key, sql in left["sql"]
    ]
    file.write_text(json.dumps(left))


def test_what_was_compiled_ahead_is_executed_and_not_compiled_again(con, folder):
    with connect() as plain:
        plain.execute(MARTS)
        (folder / COMPILED).rename(folder / "aside")
        compiled_here = built(plain, folder)
        expected = schema_hashes(plain, ["metrics"])
        (folder / "aside").rename(folder / COMPILED)

    made = built(con, folder)

    assert compiled_here.compiled > 0
    assert made.compiled == 0
    assert schema_hashes(con, ["metrics"]) == expected
    con.execute("drop schema metrics cascade")
    poisoned(folder / COMPILED)
    built(con, folder)
    assert orders(con) == 99999  # it is the file that was executed


def test_sql_of_other_definitions_is_not_used(con, folder):
    built(con, folder)
    before = orders(con)
    con.execute("drop schema metrics cascade")
    poisoned(folder / COMPILED)
    written(folder, OTHER)

    made = built(con, folder)

    assert made.compiled > 0
    assert orders(con) not in (before, 99999)


def test_sql_of_another_compiler_is_not_used(con, folder, monkeypatch):
    poisoned(folder / COMPILED)
    monkeypatch.setattr(layer, "_compiler_version", lambda: "another")

    assert built(con, folder).compiled > 0
    assert orders(con) != 99999


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_that_cannot_be_read_is_as_good_as_none(con, folder, content):
    (folder / COMPILED).write_text(content)

    assert built(con, folder).compiled > 0
