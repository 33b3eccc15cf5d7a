"""The whole company from its landing: in any order, doubled, killed midway, it is the same; and a lie is found."""

from __future__ import annotations

import re
import shutil

import pytest

from tieout.engine import connect

pytestmark = [pytest.mark.company]


@pytest.mark.nightly  # in small, with every order and kill: tests/warehouse/test_replay.py and test_load.py
def test_every_order_and_every_kill_gives_the_tables_that_are_held(company):
    done = company.run("prove", "replay", "--raw-only")

    last = done.stdout.strip().splitlines()[-1]
    match = re.match(r"([\d,]+) of ([\d,]+) tables equal in (\d+) variants", last)
    assert match, done.stdout
    assert match[1] == match[2]
    assert int(match[3]) == 8
    for words in (
        "shuffled, seed 3",
        "every batch twice",
        "killed after the middle batch",
        "the warehouse in use",
    ):
        assert words in done.stdout


def test_a_replayed_warehouse_is_the_one_that_was_held_and_a_changed_cell_is_found(company, place):
    copy = company.copied(place / "replayed")
    try:
        with connect(copy.home / "warehouse.duckdb") as con:
            con.execute("update raw_hx_sales.sale_sale__history set _origin = 'elsewhere' where rowid = 0")
        found = copy.run("replay", "--check", "--raw-only", code=1)
        assert "raw_hx_sales.sale_sale__history" in found.stdout
        assert "2 tables differ; the warehouse was not touched" in found.stdout

        published = copy.rows("select publish_id from ops.publish")
        copy.run("replay", code=1)  # the lie is what differs; marts and metrics do not
        assert copy.rows("select publish_id from ops.publish") == published
        again = copy.run("replay", "--check", "--raw-only")
        assert "nothing differs" in again.stdout
        assert "Nothing has changed since publish" in copy.run("refresh").stdout
    finally:
        shutil.rmtree(copy.home)
