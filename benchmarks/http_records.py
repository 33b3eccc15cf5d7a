"""What the HTTP door costs against the bare path and against dlt, for the same nested records.

40,000 orders (two objects, a list of two lines, a list of tags; about 520 bytes) come in pages of 1,000 from a
server of its own process that has every page ready. Each way runs in a process of its own, in turn; CPU is
user + system of that process from after its imports to its end, so the server's and the imports' are not in it.

bare   page bytes to files, `read_json` with the contract's types, flattened in SQL into two tables
tieout the door: pages kept compressed, rows of two streams as text with exact numbers, checks, two batches
dlt    dlt's own `rest_api` source into DuckDB, Parquet as loader format
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tieout.memory import peak_memory

PROJECT = Path(__file__).resolve().parent.parent
SIZE = 1_000
STRUCT = (
    "id bigint, order_no varchar, updated_at timestamptz, amount decimal(18, 2), currency varchar, is_open boolean,"
    " customer struct(id bigint, name varchar, city varchar),"
    " address struct(province varchar, city varchar, detail varchar),"
    " lines struct(line integer, sku varchar, qty integer, price decimal(18, 4))[], tags varchar[], note varchar"
)


def record(number: int) -> dict[str, object]:
    return {
        "id": number,
        "order_no": f"SO-2026-{number:08d}",
        "updated_at": "2026-01-05T16:20:00+08:00",
        "amount": round(random.random() * 1e5, 2),
        "currency": "CNY",
        "is_open": bool(number % 2),
        "customer": {"id": number % 997, "name": "华东五金有限公司", "city": "上海"},
        "address": {"province": "江苏", "city": "苏州", "detail": "工业园区星湖街 328 号"},
        "lines": [
            {
                "line": line,
                "sku": f"M-{(number * 7 + line) % 5000:05d}",
                "qty": line * 3,
                "price": round(random.random() * 100, 4),
            }
            for line in (1, 2)
        ],
        "tags": ["a", "b", "urgent"],
        "note": "x" * 40,
    }


def serve(pages: int) -> None:
    """Answer page 1 … pages from memory; prints the port."""
    random.seed(1)
    bodies = []
    for page in range(pages):
        items = [record(page * SIZE + place) for place in range(1, SIZE + 1)]
        bodies.append(
            json.dumps(
                {"code": 0, "data": {"total": pages * SIZE, "items": items}}, ensure_ascii=False
            ).encode()
        )

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query)["page"][0])
            body = (
                bodies[number - 1] if number <= pages else b'{"code": 0, "data": {"total": 0, "items": []}}'
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def bare(url: str, pages: int, folder: Path) -> tuple[int, int]:
    import duckdb
    import requests

    measure = Measure()
    with requests.Session() as session:
        for page in range(1, pages + 1):
            (folder / f"{page:05d}.json").write_bytes(
                session.get(f"{url}/orders", params={"page": page}).content
            )
    con = duckdb.connect(str(folder / "bare.duckdb"))
    con.execute(
        f"create temp table pages as select unnest(data.items) as r from read_json('{folder}/*.json',"
        f" columns = {{data: 'struct(items struct({STRUCT})[])'}}, maximum_object_size = 33554432)"
    )
    con.execute(
        "create table orders as select r.id, r.order_no, r.updated_at, r.amount, r.currency, r.is_open, r.customer.id as customer_id,"
        " r.customer.name as customer_name, r.customer.city as customer_city, r.address.province as province,"
        " r.address.city as city, r.address.detail as detail, r.tags, r.note from pages"
    )
    con.execute("create table lines as select id, l.* from (select r.id, unnest(r.lines) as l from pages)")
    con.close()
    measure.end()
    return counted(folder / "bare.duckdb", "orders", "lines")


def tieout(url: str, pages: int, folder: Path) -> tuple[int, int]:
    import duckdb  # noqa: F401
    import orjson  # noqa: F401
    import pyarrow  # noqa: F401
    import requests  # noqa: F401

    from sources.contract import Source
    from tieout.ingest.intake.ask import Ask
    from tieout.ingest.intake.http import pull_http
    from tieout.ingest.landing import Landing

    flat = {
        "id": {"type": "bigint", "required": True}, "order_no": {"type": "text"}, "updated_at": {"type": "timestamptz"},
        "amount": {"type": "decimal(18, 2)"}, "currency": {"type": "text"}, "is_open": {"type": "boolean"},
        "customer_id": {"type": "bigint", "from": "customer.id"}, "customer_name": {"type": "text", "from": "customer.name"},
        "customer_city": {"type": "text", "from": "customer.city"}, "province": {"type": "text", "from": "address.province"},
        "city": {"type": "text", "from": "address.city"}, "detail": {"type": "text", "from": "address.detail"},
        "tags": {"type": "text"}, "note": {"type": "text"},
    }  # fmt: skip
    inner = {
        "id": {"type": "bigint", "required": True, "from": "parent.id"}, "line": {"type": "integer", "required": True},
        "sku": {"type": "text"}, "qty": {"type": "integer"}, "price": {"type": "decimal(18, 4)"},
    }  # fmt: skip
    title = {"zh": "订单", "en": "Orders"}
    request = {
        "params": {"page": "{page}"}, "records": "data.items", "total": "data.total",
        "paging": {"kind": "page", "size": SIZE},
    }  # fmt: skip
    source = Source.model_validate(
        {
            "source": "shop", "title": title, "module": "sales", "owner": "sales", "connector": "http", "class": "L2",
            "schedule": {"cron": "0 3 * * *"}, "connection": {"url": url}, "http": {"errors": {"code": "code"}},
            "streams": {
                "orders": {"title": title, "grain": "order", "from": "/orders", "key": ["id"], "request": request, "columns": flat},
                "lines": {
                    "title": title, "grain": "line", "from": "/orders", "key": ["id", "line"], "columns": inner,
                    "request": {"parent": "orders", "records": "lines"},
                },
            },
        }
    )  # fmt: skip
    landing = Landing(folder / "landing")
    measure = Measure()
    rows = {}
    pull_http(source, landing, Ask(datetime.now(UTC)), lambda item: rows.update({item.stream: item}))
    measure.end()
    for item in rows.values():
        if item.error:
            raise item.error
    return rows["orders"].landed[0].rows, rows["lines"].landed[0].rows


def dlt(url: str, pages: int, folder: Path) -> tuple[int, int]:
    os.environ |= {"DLT_DATA_DIR": str(folder / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = str(folder / "dlt.duckdb")
    import dlt as library
    import duckdb  # noqa: F401
    import pyarrow  # noqa: F401
    from dlt.sources.rest_api import rest_api_source

    paging = {"type": "page_number", "base_page": 1, "total_path": None, "stop_after_empty_page": True}
    measure = Measure()
    source = rest_api_source(
        {
            "client": {"base_url": url, "paginator": paging},
            "resources": [{"name": "orders", "endpoint": {"path": "orders", "data_selector": "data.items"}}],
        }  # type: ignore[arg-type]
    )
    pipeline = library.pipeline(
        "bench", destination="duckdb", dataset_name="raw", pipelines_dir=str(folder / "pipelines")
    )
    pipeline.run(source, loader_file_format="parquet")
    measure.end()
    return counted(folder / "dlt.duckdb", "raw.orders", "raw.orders__lines")


def counted(file: Path, orders: str, lines: str) -> tuple[int, int]:
    import duckdb

    with duckdb.connect(str(file)) as con:
        row = con.execute(
            f"select (select count(*) from {orders}), (select count(*) from {lines})"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


class Measure:
    """CPU and wall seconds from here to `end`, printed as one JSON line."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def end(self) -> None:
        peak = peak_memory()
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        print("MEASURED", json.dumps({"cpu": cpu, "wall": wall, "peak": peak}), flush=True)


WAYS = {"bare": bare, "tieout": tieout, "dlt": dlt}


def once(way: str, url: str, pages: int) -> dict[str, float]:
    """Run one way in a process of its own.

    Raises: RuntimeError if it fails or loses a row; a benchmark of failures measures nothing.
    """
    with tempfile.TemporaryDirectory(prefix="tieout-bench-") as folder:
        command = [sys.executable, __file__, way, url, str(pages), folder]
        run = subprocess.run(
            command,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
        )
    lines = run.stdout.splitlines()
    if run.returncode or f"ROWS {pages * SIZE} {pages * SIZE * 2}" not in lines:
        raise RuntimeError(f"{way} failed:\n{run.stdout[-2000:]}{run.stderr[-4000:]}")
    return json.loads(next(line for line in lines if line.startswith("MEASURED")).removeprefix("MEASURED "))


def main(pages: int = 40, rounds: int = 3) -> None:
    server = subprocess.Popen(
        [sys.executable, __file__, "serve", str(pages)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(once(way, url, pages))
    finally:
        server.kill()
        server.wait()
    median = {
        way: {what: statistics.median(item[what] for item in runs) for what in runs[0]}
        for way, runs in found.items()
    }
    print(f"{pages * SIZE} records, {rounds} rounds, medians\n")
    print("| way | CPU s | µs a record | wall s | peak MB | ÷ bare | dlt ÷ |\n|---|---|---|---|---|---|---|")
    for way, item in median.items():
        each = item["cpu"] / pages / SIZE * 1e6
        ratio, slower = item["cpu"] / median["bare"]["cpu"], median["dlt"]["cpu"] / item["cpu"]
        print(
            f"| {way} | {item['cpu']:.2f} | {each:.0f} | {item['wall']:.2f} | {item['peak']:.0f} | {ratio:.2f} | {slower:.1f} |"
        )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        threading.stack_size(1 << 20)
        serve(int(arguments[1]))
    elif arguments[:1] and arguments[0] in WAYS:
        rows = WAYS[arguments[0]](arguments[1], int(arguments[2]), Path(arguments[3]))
        print("ROWS", *rows)
    else:
        main(*(int(item) for item in arguments))
