"""The small server webhooks are sent to: stdlib only, loopback by default, TLS and the outside world before it.

Answers say no more than a sender needs: 202 kept, 200 known already, 400 unreadable, 401 not genuine, 404 no such
inbox, 413 too large, 429 too many (repeat later). Every connection is bounded in size, time and number.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from sources.contract import Source, resolve
from tieout.ingest.intake.inbox.store import receive
from tieout.ingest.intake.inbox.verify import Delivery, Unreadable, delivery_id, genuine, hinted_stream

PORT = 8439
LARGEST = 1_000_000  # bytes of a body; webhooks carry records, not files
AT_ONCE = 32  # connections; a burst beyond it is turned away before a thread is spent on it
DEADLINE = 15.0  # seconds of one connection, however slowly it drips
_WORDS = {
    202: "accepted", 200: "duplicate", 400: "bad request", 401: "unauthorized", 404: "not found",
    405: "method not allowed", 413: "too large", 429: "too many requests", 503: "busy",
}  # fmt: skip

Clock = Callable[[], datetime]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Answer:
    """`said` is for our own log, never for the sender."""

    status: int
    said: str = ""


class Bucket:
    """So many a minute, in bursts of as many; threads share it."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._full, self._clock, self._lock = float(per_minute), clock, threading.Lock()
        self._left, self._at = self._full, clock()

    def take(self) -> bool:
        with self._lock:
            now = self._clock()
            self._left = min(self._full, self._left + (now - self._at) * self._full / 60)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class InboxServer(ThreadingHTTPServer):
    """One inbox for every source whose contract has one.

    Raises: ContractError if a secret's reference points nowhere.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        home: Path,
        sources: dict[str, Source],
        report: Report = lambda line: None,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self.home, self.clock, self._report = home, clock, report
        self.sources = {name: source for name, source in sources.items() if source.inbox}
        self._secrets = {
            name: resolve(source.inbox.secret, f"{name}: inbox.secret")
            for name, source in self.sources.items()
            if source.inbox
        }
        self._buckets = {
            name: Bucket(source.inbox.per_minute) for name, source in self.sources.items() if source.inbox
        }
        self._told: dict[str, float] = {}
        self._alive: dict[socket.socket, float] = {}
        self._alive_lock = threading.Lock()
        super().__init__(address, _Handler)

    def __repr__(self) -> str:
        return f"InboxServer({self.server_address!r})"

    # --- what a delivery is worth ---

    def judge(self, path: str, delivery: Delivery) -> Answer:
        """Verify, deduplicate and keep one delivery; on 202 its hint is on disk."""
        found = self.inbox_at(path)
        if found is None:
            return Answer(404)
        source, stream = found
        inbox = source.inbox
        assert inbox is not None
        now = self.clock()
        if not genuine(inbox, self._secrets[source.name], delivery, now):
            return Answer(401, f"{source.name}: a delivery without a valid signature was refused")
        try:
            name = delivery_id(inbox, delivery)
            stream = stream or hinted_stream(inbox, delivery)
        except Unreadable:
            return Answer(400, f"{source.name}: a delivery lacks what `inbox` in the contract looks for")
        # Only genuine deliveries count: strangers must not use up what the system may send.
        if not self._buckets[source.name].take():
            return Answer(
                429, f"{source.name}: more than {inbox.per_minute} deliveries a minute; told to repeat"
            )
        new = receive(self.home, source.name, stream, name, delivery.sha256, now)
        return Answer(202, f"{source.name}.{stream or '*'}: hint kept") if new else Answer(200)

    def inbox_at(self, path: str) -> tuple[Source, str | None] | None:
        """Source and stream a path names; None unless both are promised."""
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        source = self.sources.get(parts[0])
        if source is None or len(parts) > 2 or (len(parts) == 2 and parts[1] not in source.streams):
            return None
        return source, parts[1] if len(parts) == 2 else None

    def say(self, answer: Answer) -> None:
        """One line a minute for each thing there is to say: a flood must not fill the log either."""
        now = time.monotonic()
        if answer.said and now - self._told.get(answer.said, -60.0) >= 60:
            self._told[answer.said] = now
            self._report(answer.said)

    # --- bounded in number and time ---

    def process_request(self, request, client_address) -> None:
        with self._alive_lock:
            full = len(self._alive) >= AT_ONCE
            if not full:
                self._alive[request] = time.monotonic()
        if full:
            with contextlib.suppress(OSError):
                request.settimeout(0.2)
                request.sendall(
                    b"HTTP/1.1 503 busy\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        with self._alive_lock:
            self._alive.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called twice a second by `serve_forever`: whoever is slower than the deadline is cut off."""
        limit = time.monotonic() - DEADLINE
        with self._alive_lock:
            late = [request for request, began in self._alive.items() if began < limit]
        for request in late:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address) -> None:
        """A connection that broke off is no news; its sender repeats."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = DEADLINE

    @property
    def inbox(self) -> InboxServer:
        assert isinstance(self.server, InboxServer)
        return self.server

    def do_POST(self) -> None:
        self.close_connection = True
        if self.inbox.inbox_at(self.path) is None:
            self._answer(Answer(404))
            return
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"\d{1,18}", length):
            self._answer(Answer(400))
            return
        if int(length) > LARGEST:
            self._answer(Answer(413))
            self._drain()
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self._answer(Answer(400))
            return
        # A header sent twice says two things: it says nothing.
        names = [name.lower() for name in self.headers]
        headers = {name: str(self.headers[name]) for name in names if names.count(name) == 1}
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True, max_num_fields=50))
        try:
            answer = self.inbox.judge(self.path, Delivery(headers, query, body))
        except OSError as error:  # the disk is full: the sender must repeat
            answer = Answer(503, f"a hint could not be kept: {error.strerror}")
        self.inbox.say(answer)
        self._answer(answer)

    def handle_expect_100(self) -> bool:
        """No invitation to send what will be refused."""
        length = self.headers.get("Content-Length", "")
        if re.fullmatch(r"\d{1,18}", length) and int(length) > LARGEST:
            self.close_connection = True
            self._answer(Answer(413))
            return False
        return super().handle_expect_100()

    def _drain(self) -> None:
        """Read a little of what is too large, so that the sender reads our answer instead of a broken pipe."""
        with contextlib.suppress(OSError):
            self.wfile.flush()
            for _ in range(64):
                if not self.rfile.read1(65536):
                    break

    def _answer(self, answer: Answer) -> None:
        text = json.dumps({"status": _WORDS.get(answer.status, "error")}).encode()
        self.send_response_only(answer.status, _WORDS.get(answer.status, "error"))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if answer.status == 429:
            self.send_header("Retry-After", "30")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The library's own refusals (malformed requests, other methods) in the same few words."""
        self.close_connection = True
        self._answer(Answer(405 if code == 501 else 400 if code < 500 else code))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: paths and addresses of senders are not for the log."""
