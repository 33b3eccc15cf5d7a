"""A small HTTP system for tests: tables in memory, pages of every kind, and faults on demand.

It keeps its own rows and its own log of requests, so tests compare what was landed with what it holds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """What is sent back: a body, or a document to be written as JSON; `declared` lies about the length."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    declared: int | None = None
    drop: bool = False  # close the connection without an answer


class HttpSystem:
    """`answer` maps a path to what answers it, a path that ends in `/` all below it; `faults` are replies that
    come first, one a request.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Asked], Reply]] = {}
        self.faults: list[Reply | None] = []
        self.log: list[Asked] = []
        self.lock = threading.Lock()
        self.url = ""

    def on(self, path: str, answer: Callable[[Asked], Reply | Any]) -> None:
        self.answers[path] = lambda asked: made if isinstance(made := answer(asked), Reply) else Reply(made)

    def asked(self, path: str | None = None) -> list[Asked]:
        return [item for item in self.log if path is None or item.path == path]

    def reply(self, asked: Asked) -> Reply:
        with self.lock:
            self.log.append(asked)
            fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            return fault
        answer = self.answers.get(asked.path) or self.answers.get(asked.path.rpartition("/")[0] + "/")
        return answer(asked) if answer else Reply({"message": "no such path"}, status=404)


def encoded(value: Any) -> bytes:
    """JSON as servers write it; a Decimal is written as a number with exactly its digits."""

    def text(item: Any) -> str:
        if isinstance(item, Decimal):
            return str(item)
        if isinstance(item, dict):
            return "{" + ", ".join(f"{text(key)}: {text(part)}" for key, part in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(text, item)) + "]"
        return json.dumps(item, ensure_ascii=False)

    return text(value).encode()


@contextmanager
def running(system: HttpSystem | None = None):
    """A system that answers on a loopback port until the block ends."""
    system = system or HttpSystem()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            kind = self.headers.get("Content-Type", "")
            body: Any = raw or None
            if raw and "json" in kind:
                body = json.loads(raw)
            elif raw:
                body = dict(parse_qsl(raw.decode(), keep_blank_values=True))
            parts = urlsplit(self.path)
            params = dict(parse_qsl(parts.query, keep_blank_values=True))
            reply = system.reply(Asked(self.command, parts.path, params, dict(self.headers), body))
            if reply.drop:
                self.close_connection = True
                self.connection.close()
                return
            content = reply.body if reply.body is not None else encoded(reply.document)
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json; charset=utf-8"} | reply.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header(
                "Content-Length", str(reply.declared if reply.declared is not None else len(content))
            )
            self.end_headers()
            self.wfile.write(content)
            if reply.declared is not None and reply.declared != len(content):
                self.close_connection = True

        do_GET = do_POST = _serve

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    system.url = f"http://127.0.0.1:{server.server_port}/api"
    try:
        yield system
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- what tests of the door share -----------------------------------------------------------------


def http_source(url: str, streams: dict[str, Any], **more: Any):
    """A contract over such a system; `more` are keys of the source (http, limits, connection options …)."""
    from sources.contract import Source

    options = more.pop("options", {})
    made = {}
    for name, stream in streams.items():
        columns = {
            column: spec if isinstance(spec, dict) else {"type": spec}
            for column, spec in stream["columns"].items()
        }
        for key in stream["key"]:
            columns[key] = {**columns[key], "required": True}
        made[name] = {
            "title": {"zh": name, "en": name},
            "grain": "one row each",
            **stream,
            "columns": columns,
        }
    return Source.model_validate(
        {
            "source": "shop",
            "title": {"zh": "商店", "en": "Shop"},
            "module": "sales",
            "owner": "sales",
            "connector": "http",
            "class": "L2",
            "schedule": {"cron": "0 3 * * *"},
            "connection": {"url": url, "options": options},
            "streams": made,
            **more,
        }
    )


class Puller:
    """Pulls one source into a landing of its own; waits are written down, not waited for."""

    def __init__(self, source: Any, root: Any) -> None:
        from tieout.ingest.landing import Landing

        self.source, self.landing = source, Landing(root / "landing")
        self.waits: list[float] = []

    def pull(self, now: Any = None, **ask: Any) -> dict[str, Any]:
        """Outcome by stream."""
        from datetime import UTC, datetime

        from tieout.ingest.intake.ask import Ask
        from tieout.ingest.intake.http import pull_http

        outcomes: dict[str, Any] = {}
        moment = now or datetime.now(UTC)
        pull_http(
            self.source,
            self.landing,
            Ask(moment, **ask),
            lambda item: outcomes.update({item.stream: item}),
            pause=self.waits.append,
        )
        return outcomes

    def error(self, stream: str, now: Any = None, **ask: Any) -> str:
        """What a refused pull says; nothing may have landed by it."""
        before = len(self.landing.batches("shop", stream))
        outcome = self.pull(now, **ask)[stream]
        assert outcome.error is not None, "the pull was not refused"
        assert outcome.landed == () and len(self.landing.batches("shop", stream)) == before
        return str(outcome.error)

    def rows(self, stream: str, batch: Any = None) -> list[dict[str, Any]]:
        """Rows of a batch (the newest), under the source's names, without their numbers."""
        import duckdb

        manifest = batch or self.landing.latest("shop", stream)
        with duckdb.connect() as con:
            con.execute(
                f"select * exclude (_row) from read_parquet('{self.landing.data_file(manifest)}') order by _row"
            )
            names = [item[0] for item in con.description]
            return [dict(zip(names, row, strict=True)) for row in con.fetchall()]

    def files(self) -> list[Any]:
        """Every file under the folder, whatever it is called."""
        return [path for path in self.landing.root.parent.rglob("*") if path.is_file()]
