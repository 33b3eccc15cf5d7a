"""A million rows of twelve columns pass through less memory than they fill."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.servers import maria_database, postgres_database

pytestmark = pytest.mark.slow

ROWS = 1_000_000
LIMIT = 600  # MB, of the whole process, Python and DuckDB included
CREATE = {
    "postgres": f"""
        create table big as select i::bigint as id, (i * 1.01)::numeric(18,2) as amount, (i * 1.5)::numeric(22,4) as price,
            'name ' || i as name, now() as changed_at, i % 7 as kind, repeat('x', 20) as words, repeat('y', 20) as more,
            i * 3 as a, i * 4 as b, current_date as day, i % 2 = 0 as flag
        from generate_series(1, {ROWS}) as i""",
    "mysql": f"""
        create table big (primary key (id)) select seq as id, cast(seq * 1.01 as decimal(18,2)) as amount,
            cast(seq * 1.5 as decimal(22,4)) as price, concat('name ', seq) as name, now() as changed_at, seq % 7 as kind,
            repeat('x', 20) as words, repeat('y', 20) as more, seq * 3 as a, seq * 4 as b, curdate() as day, seq % 2 as flag
        from seq_1_to_{ROWS}""",
}
COLUMNS = {
    "id": "bigint", "amount": "decimal(18, 2)", "price": "decimal(22, 4)", "name": "text", "changed_at": "timestamptz",
    "kind": "integer", "words": "text", "more": "text", "a": "bigint", "b": "bigint", "day": "date", "flag": "text",
}  # fmt: skip
PULL = """
import json, sys, time
from datetime import UTC, datetime
from pathlib import Path
from sources.contract import Source
from tieout.ingest.extract import extract_source
from tieout.ingest.intake.ask import Ask
from tieout.ingest.landing import Landing
from tieout.memory import peak_memory

source, folder = Source.model_validate(json.loads(sys.argv[1])), Path(sys.argv[2])
started = time.perf_counter()
(outcome,) = extract_source(source, Landing(folder), Ask(datetime.now(UTC)), lambda _: None)
seconds = time.perf_counter() - started
if outcome.error:
    raise outcome.error
print(json.dumps([outcome.rows, round(peak_memory()), round(seconds, 1)]))
"""


@pytest.mark.parametrize("connector", ["postgres", "mysql"])
def test_a_million_rows_pass_through_bounded_memory(connector, request, tmp_path, monkeypatch):
    database = {"postgres": postgres_database, "mysql": maria_database}[connector](request.config)
    database.run(CREATE[connector])
    database.grant()
    monkeypatch.setenv("BIG_DSN", database.dsn)
    stream = {
        "title": {"zh": "大表", "en": "Big"},
        "grain": "one row per id",
        "from": "big",
        "key": ["id"],
        "columns": {name: {"type": kind, "required": name == "id"} for name, kind in COLUMNS.items()},
    }
    contract = {
        "source": "big",
        "title": {"zh": "大", "en": "Big"},
        "module": "sales",
        "owner": "sales",
        "connector": connector,
        "connection": {"dsn": "env:BIG_DSN"},
        "class": "L2",
        "schedule": {"cron": "0 2 * * *"},
        "streams": {"big": stream},
    }
    done = subprocess.run(
        [sys.executable, "-c", PULL, json.dumps(contract), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows, peak, seconds = json.loads(done.stdout.splitlines()[-1])
    print(f"{connector}: {rows} rows, peak {peak} MB, {seconds} s")

    assert rows == ROWS
    assert peak < LIMIT
