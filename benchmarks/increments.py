"""What a small change costs to load beside the table it changes: 1 % of the rows, scattered or the newest.

Batches are made by SQL and landed like any other; measured is the loader alone (casts, rules, quarantine, history,
ledger), in CPU seconds with the checkpoint, against loading the whole table and against a bare
`create table as select` of it. Growth compares the same number of changed rows on the smaller and the larger table.

    .venv/bin/python benchmarks/increments.py [rows …]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.databases_worker import CONTRACT
from sources.contract import Source
from tieout.engine import INGEST_MEMORY, connect, literal
from tieout.ingest.intake.land import Received, fingerprint, land
from tieout.ingest.landing import Landing, Manifest
from tieout.ingest.ledger import ensure_ledger
from tieout.ingest.load import load_batch
from tieout.ingest.tables import ensure_raw_tables

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIXED = 10_000  # changed rows for the comparison of growth
ORDERS = """
select i::bigint as id, i % 50021 as customer_id, i % 1009 as product_id, i % 17 as status,
    (((i * 7919) % 100000000 / 100.0) + {bump})::decimal(18, 2) as amount, ((i * 31) % 9999 / 100.0)::decimal(18, 2) as tax,
    date '2024-01-01' + (i % 700)::int as order_date,
    timestamptz '2024-01-01 00:00:00+00' + i * interval '20 seconds' as updated_at,
    'SO' || lpad(i::text, 9, '0') as order_no, ['CNY', 'USD', 'EUR'][1 + i % 3] as currency,
    'customer ' || (i % 50021) as customer_name, '备注 ' || md5(i::text) as note
from range({start}, {stop}) as r(i) where {keep}
"""


def source() -> Source:
    load = "load: incremental\n    cursor: updated_at"
    document = yaml.safe_load(CONTRACT.replace("LOAD", load))
    del document["streams"]["orders"]["control"]
    return Source.model_validate(document)


def landed(contract: Source, landing: Landing, select: str, minute: int) -> Manifest:
    with connect(memory=INGEST_MEMORY) as con, landing.draft("bench", "orders") as draft:
        file = draft / "rows.parquet"
        con.execute(f"copy ({select}) to {literal(str(file))} (format parquet)")
        columns = {
            row[0]: row[1]
            for row in con.execute(f"describe from read_parquet({literal(str(file))})").fetchall()
        }
        rows, content = fingerprint(con, file)
        got = Received(
            "orders", "rows.parquet", rows, content, file.stat().st_size, columns, columns, complete=False
        )
        return land(con, contract, "orders", landing, draft, got, NOON + timedelta(minutes=minute))[0][0]


def loaded(contract: Source, landing: Landing, warehouse: Path, manifest: Manifest) -> float:
    """CPU seconds of loading one batch, with the checkpoint."""
    with connect(warehouse, memory=INGEST_MEMORY) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, {"bench": contract})
        before = time.process_time()
        load_batch(con, contract, landing, manifest, NOON)
        con.execute("checkpoint")
        return time.process_time() - before


def measured(rows: int) -> dict[str, float]:
    contract = source()
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as name:
        folder = Path(name)
        landing, warehouse = Landing(folder / "landing"), folder / "warehouse.duckdb"
        everything = ORDERS.format(bump=0, start=0, stop=rows, keep="true")
        first = landed(contract, landing, everything, 0)
        found = {"whole": loaded(contract, landing, warehouse, first)}
        with connect(folder / "bare.duckdb", memory=INGEST_MEMORY) as con:
            before = time.process_time()
            con.execute(f"create table orders as from read_parquet({literal(str(landing.data_file(first)))})")
            con.execute("checkpoint")
            found["bare"] = time.process_time() - before
        changes = {
            "scattered": {"start": 0, "stop": rows, "keep": f"hash(i) % {rows} < {rows // 100}"},
            "newest": {"start": rows - rows // 125, "stop": rows + rows // 500, "keep": "true"},
            "fixed, scattered": {"start": 0, "stop": rows, "keep": f"hash(i * 3) % {rows} < {FIXED}"},
            "fixed, newest": {"start": rows - FIXED, "stop": rows, "keep": "true"},
        }
        for minute, (change, part) in enumerate(changes.items(), start=1):
            manifest = landed(contract, landing, ORDERS.format(bump=minute, **part), minute)
            found[change] = loaded(contract, landing, warehouse, manifest)
            found[f"{change}, rows"] = manifest.rows
        return found


def main(*sizes: int) -> None:
    every = {rows: measured(rows) for rows in sizes or (1_000_000, 10_000_000)}
    for rows, found in every.items():
        print(
            f"\n{rows:,} rows × 12 columns: whole table {found['whole']:.1f} CPU s, bare copy of it {found['bare']:.1f}"
        )
        for change in ("scattered", "newest", "fixed, scattered", "fixed, newest"):
            cost = found[change]
            print(
                f"  {change:<18} {found[f'{change}, rows']:>9,} rows  {cost:6.2f} CPU s"
                f"  {100 * cost / found['whole']:5.1f} % of the whole, {100 * cost / found['bare']:5.1f} % of the bare copy"
            )
    if len(every) > 1:
        small, large = every[min(every)], every[max(every)]
        for change in ("fixed, scattered", "fixed, newest"):
            print(
                f"growth, {FIXED:,} rows {change.removeprefix('fixed, ')}: × {large[change] / small[change]:.1f} (goal ≤ 2)"
            )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
