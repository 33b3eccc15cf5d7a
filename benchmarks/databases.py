"""A PostgreSQL table into the warehouse: against the bare copy, and against the tools people use for it.

One run, one machine, one server (the embedded PostgreSQL, on loopback). Every variant is a process of its own;
its CPU is user + system of that process, the server's is read from the kernel beside it, its peak memory is the
process's own high-water mark. Variants take turns, several rounds; the table shows the round with the least wall
time of each, since other work on the machine only ever adds.

    .venv/bin/python benchmarks/databases.py [rows] [rounds]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PEERS = PROJECT / ".bench" / "bin" / "python"
WORKER = Path(__file__).with_name("databases_worker.py")

# Twelve columns as an ERP's orders have them: keys, codes, money, a day, an instant, words.
TABLE = """
create table orders as
select i::bigint as id, (i % 50021)::int as customer_id, (i % 1009)::int as product_id, (i % 17)::int as status,
    ((i::bigint * 7919) % 100000000 / 100.0)::numeric(18, 2) as amount, ((i::bigint * 31) % 9999 / 100.0)::numeric(12, 2) as tax,
    date '2024-01-01' + (i % 700)::int as order_date,
    timestamptz '2024-01-01 00:00+00' + i * interval '20 seconds' as updated_at,
    'SO' || lpad(i::text, 9, '0') as order_no, (array['CNY', 'USD', 'EUR'])[1 + i % 3] as currency,
    'customer ' || (i % 50021) as customer_name, '备注 ' || md5(i::text) as note
from generate_series(1, {rows}) as s(i)
"""


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds, of which the server's; peak memory of the process in MB; rows that arrived."""

    wall: float
    cpu: float
    server: float
    memory: int
    rows: int


def measured(variant: str, dsn: str, folder: Path, server) -> Cost:
    """Run one variant in its own process.

    Raises: subprocess.CalledProcessError if it fails; RuntimeError if rows are missing.
    """
    python = sys.executable if variant.startswith("tieout") or variant in LIMITS else str(PEERS)
    before = server_cpu(server)
    done = subprocess.run(
        [python, str(WORKER), variant, dsn, str(folder)],
        check=False, capture_output=True, text=True, cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT) if python == sys.executable else "", "BENCH_DSN": dsn},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{variant}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return Cost(said["wall"], said["cpu"], server_cpu(server) - before, said["memory"], said["rows"])


LIMITS = ("copy", "bare")
TITLES = {
    "copy": "COPY BINARY of one stream to nothing (what the server can send)",
    "bare": "DuckDB scanner → table, nothing else (the bare copy)",
    "tieout": "tieout: snapshot → landing → typed, hashed, judged, counted, ledger",
    "connectorx": "connectorx → Arrow → DuckDB",
    "adbc": "ADBC → DuckDB",
    "dlt-connectorx": "dlt sql_database, connectorx, Parquet → DuckDB",
    "dlt-pyarrow": "dlt sql_database, pyarrow, Parquet → DuckDB",
}


def server_cpu(server) -> float:
    """CPU seconds of the server: its postmaster counts the children that have ended."""
    import psutil

    total = 0.0
    for process in psutil.process_iter(["cmdline"]):
        try:
            if str(server.cluster) in " ".join(process.info["cmdline"] or []):
                for one in (process, *process.children(recursive=True)):
                    times = one.cpu_times()
                    total += times.user + times.system
                    if one is process:
                        total += times.children_user + times.children_system
        except psutil.Error:
            continue
    return total


def main(rows: int = 3_000_000, rounds: int = 3) -> None:
    from tieout.doors.server import PostgresServer

    wanted = [name for name in TITLES if name in LIMITS or name == "tieout" or PEERS.is_file()]
    if not PEERS.is_file():
        print("peers are not installed (see benchmarks/peers.txt); only the limits are compared")
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PostgresServer(folder / "postgres")
        with server.running():
            dsn = filled(server, rows)
            best: dict[str, Cost] = {}
            for _ in range(rounds):
                for variant in wanted:
                    cost = measured(variant, dsn, folder, server)
                    if cost.rows != rows:
                        raise RuntimeError(f"{variant}: {cost.rows} of {rows} rows arrived")
                    if variant not in best or cost.wall < best[variant].wall:
                        best[variant] = cost
    show(best, rows)


def filled(server, rows: int) -> str:
    """Make the table; returns the DSN of its database."""
    import psycopg

    dsn = server.create_database("bench")
    with psycopg.connect(dsn, autocommit=True) as con:
        con.execute("drop table if exists orders")
        con.execute(TABLE.format(rows=rows))
        con.execute("alter table orders add primary key (id)")
        con.execute("create index on orders (updated_at)")
        con.execute("vacuum analyze orders")
    time.sleep(1)
    return dsn


def show(best: dict[str, Cost], rows: int) -> None:
    bare, ours = best["bare"], best["tieout"]
    print(f"\n{rows:,} rows × 12 columns\n")
    print(
        f"{'':<66}{'wall s':>8}{'k rows/s':>9}{'CPU s':>8}{'server':>8}{'peak MB':>9}{'wall ×':>8}{'CPU ×':>8}"
    )
    for variant, cost in best.items():
        print(
            f"{TITLES[variant]:<66}{cost.wall:>8.1f}{rows / cost.wall / 1000:>9.0f}{cost.cpu:>8.1f}{cost.server:>8.1f}"
            f"{cost.memory:>9}{cost.wall / bare.wall:>8.2f}{(cost.cpu + cost.server) / (bare.cpu + bare.server):>8.2f}"
        )
    print(f"\nthroughput with landing against the bare copy: {bare.wall / ours.wall:.2f} (goal ≥ 0.6)")
    peers = {name: cost for name, cost in best.items() if name.startswith("dlt")}
    if peers:
        name, cost = min(peers.items(), key=lambda item: item[1].wall)
        print(f"against dlt's best ({name}): {cost.wall / ours.wall:.1f} × faster by the clock,"
              f" {(cost.cpu + cost.server) / (ours.cpu + ours.server):.1f} × less CPU (goal ≥ 4)")  # fmt: skip


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
