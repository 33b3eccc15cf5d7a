"""One way of getting a table into DuckDB, run as a process of its own; prints what it cost as JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tieout.memory import peak_memory

CONTRACT = """
source: bench
title: {zh: 基准, en: Benchmark}
module: sales
owner: sales
connector: postgres
connection: {dsn: env:BENCH_DSN}
class: L2
schedule: {cron: "0 2 * * *", lateness: 1h}
streams:
  orders:
    title: {zh: 订单, en: Orders}
    grain: one row per order
    from: public.orders
    key: [id]
    LOAD
    control: {kind: query, rows: true, sums: [amount]}
    columns:
      id: {type: bigint, required: true}
      customer_id: {type: bigint, required: true}
      product_id: {type: bigint, required: true}
      status: {type: bigint, required: true, min: 0, max: 16}
      amount: {type: "decimal(18, 2)", required: true, min: 0}
      tax: {type: "decimal(18, 2)"}
      order_date: {type: date, required: true}
      updated_at: {type: timestamptz, required: true}
      order_no: {type: text, required: true}
      currency: {type: text, values: [CNY, USD, EUR]}
      customer_name: {type: text}
      note: {type: text}
"""


def copy(dsn: str, folder: Path) -> int:
    import psycopg

    with psycopg.connect(dsn) as con, con.cursor() as cursor:
        with cursor.copy("copy orders to stdout (format binary)") as stream:
            for _ in stream:
                pass
        return cursor.execute("select count(*) from orders").fetchone()[0]


def bare(dsn: str, folder: Path) -> int:
    from tieout.engine import connect, literal, load_extension

    with connect(folder / "bare.duckdb") as con:
        load_extension(con, "postgres_scanner")
        con.execute("set preserve_insertion_order = false")
        con.execute(f"attach {literal(dsn)} as src (type postgres, read_only)")
        con.execute("create table orders as select * from src.orders")
        return con.execute("select count(*) from orders").fetchone()[0]


def tieout(dsn: str, folder: Path, load: str = "load: full") -> int:
    from datetime import UTC, datetime

    import yaml

    from sources.contract import Source
    from tieout.engine import INGEST_MEMORY, connect
    from tieout.ingest.extract import extract_source
    from tieout.ingest.intake.ask import Ask
    from tieout.ingest.landing import Landing
    from tieout.ingest.ledger import ensure_ledger
    from tieout.ingest.load import load_pending
    from tieout.ingest.tables import ensure_raw_tables

    source = Source.model_validate(yaml.safe_load(CONTRACT.replace("LOAD", load)))
    landing, now = Landing(folder / "landing"), datetime.now(UTC)
    started = time.perf_counter()
    for outcome in extract_source(source, landing, Ask(now), lambda _: None):
        if outcome.error:
            raise outcome.error
    landed = time.perf_counter()
    with connect(folder / "tieout.duckdb", memory=INGEST_MEMORY) as con:
        ensure_ledger(con)
        ensure_raw_tables(con, {"bench": source})
        load_pending(con, {"bench": source}, landing, now, lambda _: None)
        print(f"extract {landed - started:.2f} s, load {time.perf_counter() - landed:.2f} s", file=sys.stderr)
        return con.execute("select count(*) from raw_bench.orders where not _is_deleted").fetchone()[0]


def connectorx(dsn: str, folder: Path) -> int:
    import connectorx as cx
    import duckdb

    arrived = cx.read_sql(_uri(dsn), "select * from orders", return_type="arrow")
    with duckdb.connect(str(folder / "connectorx.duckdb")) as con:
        con.from_arrow(arrived).create("orders")
        return con.execute("select count(*) from orders").fetchone()[0]


def adbc(dsn: str, folder: Path) -> int:
    import adbc_driver_postgresql.dbapi
    import duckdb

    with adbc_driver_postgresql.dbapi.connect(_uri(dsn)) as source, source.cursor() as cursor:
        cursor.execute("select * from orders")
        reader = cursor.fetch_record_batch()  # noqa: F841 (DuckDB finds it by its name)
        with duckdb.connect(str(folder / "adbc.duckdb")) as con:
            con.execute(
                "create table orders as select * replace (amount::decimal(18, 2) as amount, tax::decimal(12, 2) as tax)"
                " from reader"
            )
            return con.execute("select count(*) from orders").fetchone()[0]


def dlt(dsn: str, folder: Path, backend: str) -> int:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt as library
    import duckdb
    from dlt.sources.sql_database import sql_database

    uri = _uri(dsn)
    if backend == "pyarrow":
        uri = uri.replace("postgresql://", "postgresql+psycopg://")
        data = sql_database(uri, backend="pyarrow", table_names=["orders"], chunk_size=100_000)
    else:
        # The SQLAlchemy address reflects the table, the other one reads it.
        data = sql_database(
            uri.replace("postgresql://", "postgresql+psycopg://"), backend="connectorx", table_names=["orders"],
            backend_kwargs={"conn": uri},
        )  # fmt: skip
    file = folder / f"dlt_{backend}.duckdb"
    pipeline = library.pipeline(
        pipeline_name=f"bench_{backend}", destination=library.destinations.duckdb(str(file)),
        dataset_name="raw", pipelines_dir=str(folder / "dlt"),
    )  # fmt: skip
    pipeline.run(data, loader_file_format="parquet", write_disposition="replace")
    with duckdb.connect(str(file)) as con:
        return con.execute("select count(*) from raw.orders").fetchone()[0]


def _uri(dsn: str) -> str:
    """A libpq DSN (`host=… port=…`) as an address."""
    if "://" in dsn:
        return dsn
    import shlex
    from urllib.parse import quote

    parts = dict(item.split("=", 1) for item in shlex.split(dsn))
    login = quote(parts["user"]) + (":" + quote(parts["password"]) if "password" in parts else "")
    return f"postgresql://{login}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def main(variant: str, dsn: str, folder: str) -> None:
    place = Path(folder) / variant
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    run = {
        "copy": copy, "bare": bare, "tieout": tieout, "connectorx": connectorx, "adbc": adbc,
        "dlt-connectorx": lambda d, f: dlt(d, f, "connectorx"), "dlt-pyarrow": lambda d, f: dlt(d, f, "pyarrow"),
    }[variant]  # fmt: skip
    before, started = time.process_time(), time.perf_counter()
    rows = run(dsn, place)
    print(
        json.dumps({
            "wall": time.perf_counter() - started, "cpu": time.process_time() - before,
            "memory": round(peak_memory()), "rows": rows,
        })
    )  # fmt: skip
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
