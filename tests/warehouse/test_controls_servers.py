"""Totals of a whole system asked of real servers: exact to the last digit, and of the moment the rows are of."""

from __future__ import annotations

import pytest

from sources.contract import Source
from tests.conftest import SmallSource
from tests.servers import maria_database, postgres_database
from tieout.engine import connect
from tieout.ingest.controls import NO_ANSWER, ask_controls, compare_controls
from tieout.ingest.landing import Landing

pytestmark = pytest.mark.slow

HUGE = "12345678901234567890.0123456789"  # a floating-point number would keep 16 of its digits
AND_ONE = "12345678901234567891.0123456789"
SERVERS = {
    "postgres": (postgres_database, "numeric", "public.entry"),
    "mysql": (maria_database, "decimal(38,10)", "entry"),
}


@pytest.fixture(params=SERVERS)
def books(request, tmp_path):
    make, kind, table = SERVERS[request.param]
    database = make(request.config)
    database.run(
        f"create table entry (id bigint primary key, amount {kind})",
        f"insert into entry values (1, {HUGE}), (2, 1)",
    )
    if request.param == "postgres":
        database.grant()
    else:
        database.run(f"grant select on {database.name}.* to '{database.reader}'@'%'")
    title = {"zh": "账", "en": "Books"}
    source = Source.model_validate(
        {
            "source": "books", "title": title, "module": "m", "owner": "o", "connector": request.param, "class": "L2",
            "connection": {"dsn": "env:BOOKS_DSN"}, "schedule": {"cron": "0 2 * * *"},
            "controls": {
                "total": {
                    "title": title, "ask": "select sum(amount) from entry;", "hold": "select sum(amount) from raw_books.entry"
                }
            },
            "streams": {
                "entry": {
                    "title": title, "grain": "one row per entry", "from": table, "key": ["id"],
                    "columns": {
                        "id": {"type": "bigint", "required": True}, "amount": {"type": "decimal(38, 10)"}
                    },
                }
            },
        }
    )  # fmt: skip
    patch = pytest.MonkeyPatch()
    patch.setenv("BOOKS_DSN", database.dsn)
    small = SmallSource(source, tmp_path, Landing(tmp_path / "landing"), tmp_path / "warehouse.duckdb")
    yield small, database
    patch.undo()


def compared(small):
    small.pull()
    with connect(small.warehouse) as con:
        return {item.name: item for item in compare_controls(con, {"books": small.source}, small.landing)}


def test_a_total_is_exact_to_the_last_digit(books):
    small, _ = books
    total = compared(small)["total"]

    assert (total.source_says, total.we_hold) == (AND_ONE, AND_ONE)
    assert total.agrees


def test_a_total_is_of_the_snapshot_its_rows_are_of(books, monkeypatch):
    small, database = books
    if small.source.connector == "mysql":
        pytest.skip(
            "MariaDB's own SQL runs outside the snapshot of the scans: a total may be newer than the rows"
        )

    def later(reader, source):
        database.run("insert into entry values (3, 5)")
        return ask_controls(reader, source)

    monkeypatch.setattr("tieout.ingest.intake.databases.ask_controls", later)
    assert compared(small)["total"].agrees
    assert small.rows("select count(*) from raw_books.entry") == [(2,)]


def test_a_control_that_fails_stops_neither_streams_nor_leaks_the_password(books):
    small, _ = books
    document = small.source.model_dump(by_alias=True)
    good = document["controls"].pop("total")
    document["controls"] = {"bad": {**good, "ask": "select sum(x) from nowhere"}, "total": good}
    small.source = Source.model_validate(document)
    found = compared(small)

    assert found["bad"].source_says.startswith(NO_ANSWER)
    assert small.rows("select count(*) from raw_books.entry") == [(2,)]
    assert not any("password" in item.source_says or "reader:" in item.source_says for item in found.values())
    # both servers answer nothing more in a snapshot in which a query has failed, and that is said
    assert found["total"].source_says == f"{NO_ANSWER}not asked, because bad failed"
