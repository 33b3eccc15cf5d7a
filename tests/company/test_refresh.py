"""A refresh may be repeated and killed at any point; what is published is old or new, never between."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.company.conftest import Company
from tieout.engine import connect
from tieout.fingerprint import schema_hashes

pytestmark = [pytest.mark.company]


def published(company: Company) -> dict[str, str]:
    """Content hash of every table of the snapshot readers open, and of every table behind the SQL door."""
    with connect(company.home / "snapshots" / "current.duckdb", read_only=True) as con:
        hashes = schema_hashes(con, ("marts", "metrics"))
    return {name: value for name, value in hashes.items() if not name.endswith(".publish")}


def behind_the_door(company: Company) -> dict[str, tuple]:
    """Rows and an order-free checksum of every table a PostgreSQL client sees."""
    import psycopg

    from tieout.doors.door import door_of

    found = {}
    with door_of(company.settings).opened() as dsn, psycopg.connect(dsn) as con:
        tables = con.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('marts', 'metrics') and table_name <> 'publish'"
        ).fetchall()
        for (name,) in tables:
            found[name] = con.execute(
                f"select count(*), sum(hashtextextended(t::text, 0)::numeric) from {name} as t"
            ).fetchone()
    return found


def test_a_second_run_loads_nothing_and_publishes_nothing(company):
    before = company.rows("select publish_id from ops.publish")
    batches = company.value("select count(*) from ops.batch")

    done = company.run("demo")
    assert "0 rows loaded" in done.stderr
    assert "Nothing has changed since publish" in done.stdout
    assert company.rows("select publish_id from ops.publish") == before
    assert company.value("select count(*) from ops.batch") == batches


def test_a_stream_that_was_seen_unchanged_is_complete_up_to_now(company):
    before = company.value("select min(complete_to) from ops.watermark")
    company.run("refresh")
    streams, after = company.rows("select count(*), min(complete_to) from ops.watermark")[0]
    assert streams == 60
    assert after > before


def test_every_batch_accounts_for_its_rows_and_every_control_total_agrees(company):
    assert (
        company.value(
            "select count(*) from ops.batch where rows_in <> rows_loaded + rows_unchanged + rows_quarantined"
        )
        == 0
    )
    assert company.rows("select count(*) > 20, bool_and(agrees) from ops.control_total") == [(True, True)]


def test_the_snapshot_and_the_door_hold_the_same_rows(company):
    door = behind_the_door(company)
    with connect(company.home / "snapshots" / "current.duckdb", read_only=True) as con:
        rows = {
            name: con.execute(f"select count(*) from {name}").fetchone()[0]
            for name in published(company)
            if con.execute(
                "select count(*) from duckdb_tables() where schema_name || '.' || table_name = ?", [name]
            ).fetchone()[0]
        }
    assert len(rows) > 25
    assert {name: door[name][0] for name in rows} == rows


@pytest.fixture(scope="module")
def undisturbed(company, place):
    """A copy of the company where one purchasing file changed, refreshed without any accident."""
    return changed_company(company, place / "undisturbed", crash=None)


def changed_company(company: Company, home: Path, crash: str | None) -> dict:
    """Copy the installation, change a source, refresh (with a kill first, if asked), and say what is published."""
    copy = company.copied(home)
    drop = home / "company" / "hx_purchasing"
    file = next(iter(sorted(drop.glob("采购订单_2026-*.csv"))))
    text = file.read_bytes().decode("gb18030")
    assert ",processing," in text
    file.write_bytes(text.replace(",processing,", ",done,").encode("gb18030"))
    doors = dict(
        line.split("=", 1)
        for line in (home / "company" / "doors.env").read_text().splitlines()
        if "=" in line
    )
    environment = {"HX_PURCHASING_DROP": doors["HX_PURCHASING_DROP"].replace(str(company.home), str(home))}
    if crash:
        before = published(copy)
        killed = copy.run("refresh", code=None, TIEOUT_CRASH_AT=crash, **environment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        if crash != "published":
            assert published(copy) == before, "a kill before the switch changes nothing for readers"
    copy.run("refresh", **environment)
    states = [row[0] for row in copy.rows("select state from ops.run order by started_at")]
    found = {"snapshot": published(copy), "door": behind_the_door(copy), "states": states}
    shutil.rmtree(home)
    return found


@pytest.mark.parametrize(
    "crash",
    [
        pytest.param("extract:30", marks=pytest.mark.nightly),
        pytest.param(
            "load:1", marks=pytest.mark.nightly
        ),  # killed loads are replayed in test_prove_replay.py
        "transform:60",
        # the switch itself is killed at every step in tests/warehouse/test_publish.py
        pytest.param("publish", marks=pytest.mark.nightly),
        # between the publish and its record
        pytest.param("published", marks=pytest.mark.nightly),
    ],
)
def test_killed_anywhere_the_next_refresh_ends_as_if_nothing_had_happened(company, undisturbed, place, crash):
    recovered = changed_company(company, place / crash.replace(":", "-"), crash)

    assert recovered["snapshot"] == undisturbed["snapshot"]
    assert recovered["door"] == undisturbed["door"]
    assert recovered["states"] == [*undisturbed["states"][:-1], "interrupted", "published"]


def test_the_change_reached_the_published_tables(company, undisturbed):
    before = published(company)
    differing = {name for name, value in undisturbed["snapshot"].items() if before.get(name) != value}
    assert "marts.fct_purchase_order_line" in differing


def test_an_installation_is_rebuilt_from_landing_alone(company, tmp_path_factory):
    from datetime import UTC, datetime

    from sources.contract import read_sources
    from tieout import refresh
    from tieout.progress import Silent
    from tieout.settings import Settings

    home = tmp_path_factory.mktemp("replay")
    shutil.copytree(company.home / "landing", home / "landing")
    fresh = Settings(home=home)
    sources = read_sources(fresh.sources)
    refresh.opened(fresh, sources, "R-replay", datetime.now(UTC))
    refresh.load(fresh, sources, Silent(), datetime.now(UTC))
    schemas = [source.raw_schema for source in sources.values()]

    def content(path) -> dict[str, tuple]:
        with connect(path, read_only=True) as con:
            return {
                name: con.execute(
                    f"select count(*), sum(hash(r)::hugeint) from (select * exclude (_loaded_at) from {name}) as r"
                ).fetchone()
                for name in schema_hashes(con, schemas)
            }

    assert content(home / "warehouse.duckdb") == content(company.home / "warehouse.duckdb")
    assert json.loads(next((home / "landing").rglob("manifest.json")).read_text())["rows"] > 0
