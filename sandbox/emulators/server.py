"""Serves an emulated system on 127.0.0.1: what arrives, what is sent back, and what goes wrong on request.

The base class knows HTTP, the store and the faults; a vendor's class knows paths, signatures and the shape of answers.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import socketserver
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.emulators.calls import Call, Refusal, Reply, json_text
from sandbox.emulators.faults import Faults, Tally, read_faults
from sandbox.store import Field, Store, Table

__all__ = ["Call", "Emulator", "Refusal", "Reply", "json_text", "serve_all", "serving"]

MAX_CALLS_KEPT = 10_000


class Emulator(ABC):
    """One tenant of one vendor's system.

    `options` are the credentials and settings this tenant has, `clock` gives epoch seconds, and `faults_file`, if
    set, is looked at before every call: that is how another process switches faults.
    """

    def __init__(
        self,
        store: Store,
        options: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        faults_file: Path | None = None,
    ) -> None:
        self.store = store
        self.options = dict(options or {})
        self.calls: deque[Call] = deque(maxlen=MAX_CALLS_KEPT)
        self.tokens: dict[str, float] = {}
        self.address = ""
        self.faults = Faults()
        self._clock = clock
        self._faults_file = faults_file
        self._faults_seen: int | None = None
        self._reading = threading.Lock()

    # --- what a vendor's class writes --------------------------------------------------------------

    @abstractmethod
    def answer(self, call: Call) -> Reply: ...

    def rate_error(self, call: Call) -> Reply:
        return Reply({"message": "too many requests"}, 429)

    def quota_error(self, call: Call) -> Reply:
        return Reply({"message": "quota used up"}, 429)

    def is_counted(self, call: Call) -> bool:
        """Do the faults count this call? Not where it is a login or asks for a token."""
        return True

    # --- what a vendor's class uses ----------------------------------------------------------------

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults, self._tally = faults, Tally()

    def now(self) -> float:
        """Epoch seconds by this server's clock, which may be wrong."""
        return self._clock() + self.faults.clock_skew

    def issue(self, seconds: float) -> str:
        """A new session or token, valid for so many seconds."""
        token = secrets.token_hex(16)
        self.tokens[token] = self.now() + seconds
        return token

    def alive(self, token: str) -> bool:
        """One use of a session or token: is it still good? May be the use at which all of them die."""
        used, faults = self._tally.next("use"), self.faults
        once, every = faults.expire_session_after, faults.expire_session_every
        if (once and used == once + 1) or (every and used % (every + 1) == 0):
            self.tokens.clear()
        return self.tokens.get(token, 0) > self.now()

    def is_revoked(self, table: str) -> bool:
        return table in self.faults.revoked

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by name, its fields under the names they have today."""
        return {name: self._drifted(table) for name, table in self.store.tables.items()}

    def rows(
        self,
        table: str,
        where: str = "true",
        values: Sequence[Any] = (),
        order: str = "",
        limit: int = -1,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Rows of the store (see `Store.rows`) that show today, under today's names. SQL uses `column`."""
        where, values = self._showing(table, where, values)
        rows = list(self.store.rows(table, where, values, order, limit, offset))
        names = self._names(table)
        return [{names.get(key, key): value for key, value in row.items()} for row in rows] if names else rows

    def count(self, table: str, where: str = "true", values: Sequence[Any] = ()) -> int:
        return self.store.count(table, *self._showing(table, where, values))

    def column(self, table: str, field: str) -> str:
        """The quoted SQL name of a field as a request names it. Raises: KeyError if there is none today."""
        names = self._names(table)
        known = {names.get(item.name, item.name): item.name for item in self.store.tables[table].fields}
        return '"' + known[field].replace('"', '""') + '"'

    def today(self, table: str, field: str) -> Field:
        """A field of the store as it is called today."""
        (known,) = (item for item in self.store.tables[table].fields if item.name == field)
        return _renamed(known, self._names(table))

    def page(self, rows: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
        """One page of rows as it leaves: perhaps the last one again, or less than it should be, or more in each row."""
        faults = self.faults
        if not faults.reach(table):
            return rows
        again = self._tally.kept(table)
        number = self._tally.next("page")
        if again is not None:
            rows = again
        elif number == faults.repeat_page:
            self._tally.keep(table, rows)
        if number == faults.truncate_page:
            rows = rows[: len(rows) - max(1, len(rows) // 3)]
        if faults.add_field:
            rows = [row | {faults.add_field: "new"} for row in rows]
        return rows

    # --- the way of a call -------------------------------------------------------------------------

    def reply(self, call: Call) -> Reply:
        """The answer to a call, with what goes wrong on the way."""
        self.calls.append(call)
        self._look_at_faults()
        faults = self.faults
        if faults.slow:
            time.sleep(faults.slow)
        if faults.error_always:
            return Reply({"message": "internal error"}, 500)
        number = self._tally.next("call") if self.is_counted(call) else 0
        if number and number == faults.error_at:
            return Reply({"message": "internal error"}, 500)
        if number and faults.throttle_every and number % faults.throttle_every == 0:
            return self.rate_error(call)
        if faults.quota is not None and number > faults.quota:
            return self.quota_error(call)
        try:
            reply = self.answer(call)
        except Refusal as refusal:
            reply = refusal.reply
        return replace(reply, cut=True) if number and number == faults.cut_body_at else reply

    def _look_at_faults(self) -> None:
        if self._faults_file is None:
            return
        with self._reading:
            seen = self._faults_file.stat().st_mtime_ns if self._faults_file.exists() else None
            if seen != self._faults_seen:
                self.faults = read_faults(self._faults_file)
                self._faults_seen = seen

    def _names(self, table: str) -> dict[str, str]:
        """Old field → new field in a table, where it drifted."""
        drift = self.faults.drift
        return drift if drift and self.faults.reach(table) else {}

    def _drifted(self, table: Table) -> Table:
        names = self._names(table.name)
        if not names:
            return table
        return replace(
            table,
            fields=tuple(_renamed(item, names) for item in table.fields),
            key=tuple(names.get(item, item) for item in table.key),
            link=names.get(table.link, table.link) if table.link else None,
        )

    def _showing(self, table: str, where: str, values: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
        late = self.faults.late_rows.get(table, [])
        if not late:
            return where, tuple(values)
        key = self.store.tables[table].key[0].replace('"', '""')
        marks = ", ".join("?" * len(late))
        return f'({where}) and "{key}" not in ({marks})', (*values, *late)


def _renamed(field: Field, names: Mapping[str, str]) -> Field:
    """A field under the name it has today; what people call it goes with it."""
    new = names.get(field.name, field.name)
    return (
        replace(field, name=new, title=field.title + new.removeprefix(field.name))
        if new != field.name
        else field
    )


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that stopping ends those that clients keep alive."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, emulator: Emulator, port: int) -> None:
        self.emulator = emulator
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # the parent asks the resolver for the host's name, which can take seconds where there is none
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        assert isinstance(self.server, _Server)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        call = Call(
            self.command,
            unquote(parts.path),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
            self.path,
        )
        try:
            reply = self.server.emulator.reply(call)
            content, kind = reply.content()
        except Exception:
            # a mistake of the emulator's: whoever tests sees where
            reply = Reply(status=500)
            content, kind = traceback.format_exc().encode(), "text/plain; charset=utf-8"
        self.send_response(reply.status)
        for name, value in ({"Content-Type": kind} | reply.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if reply.cut else content)
        if reply.cut:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(emulator: Emulator, port: int = 0) -> Generator[str]:
    """Serve until the block ends; gives the address, `http://127.0.0.1:<port>`. Raises: OSError if the port is taken."""
    server = _Server(emulator, port)
    emulator.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield emulator.address
    finally:
        server.stop()
        thread.join()


@contextlib.contextmanager
def serve_all(
    emulators: Mapping[str, Emulator], ports: Mapping[str, int] | None = None
) -> Generator[dict[str, str]]:
    """Serve several systems from one process, each on a port of its own; gives their addresses by name."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(serving(emulator, (ports or {}).get(name, 0)))
            for name, emulator in emulators.items()
        }
