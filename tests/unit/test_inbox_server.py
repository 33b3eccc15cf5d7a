"""The inbox over HTTP, as senders and strangers meet it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from sources.contract import Source
from tests.conftest import WAYBILLS
from tieout.ingest.intake.inbox import InboxServer, open_hints, server
from tieout.ingest.intake.inbox.server import AT_ONCE, LARGEST, Bucket
from tieout.strict import from_yaml

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECRET = "Gehe1m-hook"


class Inbox:
    """A running inbox; `post` signs unless told otherwise."""

    def __init__(self, home: Path, lines: list[str], made: InboxServer) -> None:
        self.home, self.lines, self.made = home, lines, made
        self.port = made.server_address[1]

    def post(self, path: str, body: bytes = b"{}", *, key: str = SECRET, **headers: str) -> tuple[int, dict]:
        signed = {"X-Sig": "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}
        return self.send("POST", path, body, signed | {"X-Id": hashlib.sha256(body).hexdigest()} | headers)

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, dict]:
        con = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(con):
            con.request(method, path, body, headers)
            answer = con.getresponse()
            self.headers = dict(answer.getheaders())
            return answer.status, json.loads(answer.read())

    def raw(self, text: bytes, wait: float = 5) -> bytes:
        """What comes back; nothing where the server hung up on what it would not read."""
        answer = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=wait) as sent,
            contextlib.suppress(ConnectionError, OSError),
        ):
            sent.sendall(text)
            sent.shutdown(socket.SHUT_WR)
            while part := sent.recv(4096):
                answer += part
        return answer


@pytest.fixture
def document() -> dict:
    made = from_yaml(WAYBILLS)
    made["inbox"] = {
        "secret": "env:TMS_HOOK",
        "signature": {"header": "X-Sig", "prefix": "sha256="},
        "id": {"header": "X-Id"},
        "hints": {"form": {"yd": "waybill"}},
    }
    return made


@contextlib.contextmanager
def running(tmp_path: Path, document: dict) -> Generator[Inbox]:
    lines: list[str] = []
    quiet = {**document, "source": "quiet", "inbox": None}
    sources = {"tms": Source.model_validate(document), "quiet": Source.model_validate(quiet)}
    made = InboxServer(("127.0.0.1", 0), tmp_path, sources, lines.append, lambda: NOON)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Inbox(tmp_path, lines, made)
    finally:
        made.shutdown()
        made.server_close()
        thread.join(5)


@pytest.fixture
def inbox(tmp_path, document, monkeypatch) -> Generator[Inbox]:
    monkeypatch.setenv("TMS_HOOK", SECRET)
    with running(tmp_path, document) as made:
        yield made


def test_a_genuine_delivery_is_kept_before_it_is_answered_and_a_repetition_is_known(inbox):
    assert inbox.post("/tms/waybill", b'{"driver": "Zhang San", "phone": "13800000000"}') == (
        202,
        {"status": "accepted"},
    )
    (hint,) = open_hints(inbox.home)
    assert (hint.source, hint.stream, hint.count, hint.received_at) == ("tms", "waybill", 1, NOON.isoformat())
    assert inbox.post("/tms/waybill", b'{"driver": "Zhang San", "phone": "13800000000"}') == (
        200,
        {"status": "duplicate"},
    )
    assert open_hints(inbox.home) == [hint]

    kept = b"".join(path.read_bytes() for path in inbox.home.rglob("*") if path.is_file())
    assert b"Zhang" not in kept and b"13800000000" not in kept and SECRET.encode() not in kept


def test_the_content_or_the_path_says_which_stream(inbox):
    inbox.post("/tms", b'{"form": "yd"}')
    assert [hint.stream for hint in open_hints(inbox.home)] == ["waybill"]
    inbox.post("/tms", b'{"form": "another"}')
    assert {hint.stream for hint in open_hints(inbox.home)} == {"waybill", None}


def test_strangers_learn_nothing_and_leave_nothing(inbox):
    assert inbox.post("/tms", key="guess") == (401, {"status": "unauthorized"})
    assert inbox.send("POST", "/tms", b"{}", {}) == (401, {"status": "unauthorized"})
    unknown = [
        inbox.post(path)[0]
        for path in ("/nobody", "/quiet", "/tms/nothing", "/tms/waybill/x", "/", "/../tms", "/tms%2Fwaybill")
    ]
    assert unknown == [404] * 7
    assert inbox.send("GET", "/tms", None, {})[0] == 405
    assert not (inbox.home / "inbox").exists()
    assert "Server" not in inbox.headers and "Date" not in inbox.headers
    assert SECRET not in repr(inbox.made) + str(inbox.lines)


def test_what_is_too_large_is_refused_unread(inbox):
    assert inbox.post("/tms", b"x" * (LARGEST + 1))[0] == 413
    assert inbox.post("/tms", b'"' + b"x" * (LARGEST - 2) + b'"')[0] == 202
    answer = inbox.raw(
        b"POST /tms HTTP/1.1\r\nContent-Length: 99999999999999\r\nExpect: 100-continue\r\n\r\n"
    )
    assert b" 413 " in answer.splitlines()[0] and b"100" not in answer.splitlines()[0]


@pytest.mark.parametrize(
    "text",
    [
        b"POST /tms HTTP/1.1\r\n\r\n",
        b"POST /tms HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /tms HTTP/1.1\r\nContent-Length: 5x\r\n\r\nhello",
        b"POST /tms HTTP/1.1\r\nContent-Length: 50\r\n\r\nhello",
        b"POST /tms HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /tms HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"POST /tms HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_in_few_words_and_the_next_is_served(inbox, text):
    answer = inbox.raw(text)
    status = answer.split(b" ", 2)[1] if answer.startswith(b"HTTP") else answer[:1]
    assert status in {b"400", b"431", b"414", b"{", b""}, answer
    assert b"Python" not in answer and b"Traceback" not in answer and len(answer) < 400
    assert inbox.post("/tms")[0] == 202


def test_a_header_sent_twice_says_nothing(inbox):
    right = (
        b"X-Sig: sha256=" + hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest().encode() + b"\r\n"
    )
    wrong = b"X-Sig: sha256=0\r\n"
    head = b"POST /tms HTTP/1.1\r\nContent-Length: 2\r\nX-Id: 1\r\n"

    assert b" 401 " in inbox.raw(head + right + wrong + b"\r\n{}")
    assert b" 401 " in inbox.raw(head + wrong + right + b"\r\n{}")
    assert b" 202 " in inbox.raw(head + right + b"\r\n{}"), "on its own the first one is good"


def test_a_genuine_delivery_without_what_the_contract_names_is_a_bad_request(inbox):
    assert inbox.post("/tms", b"no json at all")[0] == 400
    assert inbox.post("/tms", **{"X-Id": ""})[0] == 400
    assert any("lacks what `inbox` in the contract looks for" in line for line in inbox.lines)


def test_a_flood_is_told_to_come_back_and_strangers_cannot_use_up_the_allowance(
    tmp_path, document, monkeypatch
):
    monkeypatch.setenv("TMS_HOOK", SECRET)
    document["inbox"]["per_minute"] = 5
    with running(tmp_path, document) as inbox:
        assert [inbox.post("/tms", key="guess")[0] for _ in range(10)] == [401] * 10
        got = [inbox.post("/tms/waybill", b'{"n": %d}' % n)[0] for n in range(12)]
        assert got == [202] * 5 + [429] * 7
        assert inbox.headers["Retry-After"] == "30"
        (hint,) = open_hints(tmp_path)
        assert hint.count == 5
        assert len(inbox.lines) == 3, "a flood does not fill the log: refused, kept, too many"


def test_the_allowance_comes_back_with_time():
    now = [0.0]
    bucket = Bucket(60, lambda: now[0])
    assert [bucket.take() for _ in range(61)] == [True] * 60 + [False]
    now[0] = 2.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now[0] = 10_000.0
    assert sum(bucket.take() for _ in range(100)) == 60


def test_slow_senders_are_cut_off_and_never_take_every_place(inbox, monkeypatch):
    monkeypatch.setattr(server, "DEADLINE", 0.5)
    slow = []
    for _ in range(AT_ONCE):
        sent = socket.create_connection(("127.0.0.1", inbox.port), timeout=5)
        sent.sendall(b"POST /tms HTTP/1.1\r\nContent-Length: 10\r\n\r\nhel")
        slow.append(sent)
    until = time.monotonic() + 5
    while len(inbox.made._alive) < AT_ONCE and time.monotonic() < until:
        time.sleep(0.01)
    assert b" 503 " in inbox.raw(b"")
    until = time.monotonic() + 5
    while inbox.made._alive and time.monotonic() < until:
        time.sleep(0.05)
    assert inbox.post("/tms")[0] == 202, "the slow ones were cut off"
    for sent in slow:
        sent.close()


def test_many_at_once_lose_nothing(inbox):
    got: list[int] = []

    def sender(start: int) -> None:
        got.extend(inbox.post("/tms/waybill", b'{"n": %d}' % n)[0] for n in range(start, start + 10))

    threads = [threading.Thread(target=sender, args=(start,)) for start in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (hint,) = open_hints(inbox.home)
    assert got == [202] * 80 and hint.count == 80


def test_a_secret_that_is_not_there_is_named_at_the_start(tmp_path, document, monkeypatch):
    monkeypatch.delenv("TMS_HOOK", raising=False)
    from sources.contract import ContractError

    with pytest.raises(
        ContractError, match=r"tms: inbox\.secret: the environment variable TMS_HOOK is not set"
    ):
        InboxServer(("127.0.0.1", 0), tmp_path, {"tms": Source.model_validate(document)})


SERVE = """
import sys
from pathlib import Path
from sources.contract import read_sources
from tieout.ingest.intake.inbox import InboxServer
server = InboxServer(("127.0.0.1", 0), Path(sys.argv[1]), read_sources(Path(sys.argv[2])))
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def test_every_delivery_that_was_answered_survives_a_kill(tmp_path, document):
    contract = tmp_path / "sources" / "tms" / "source.yaml"
    contract.parent.mkdir(parents=True)
    contract.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")

    @contextlib.contextmanager
    def process() -> Generator[Inbox]:
        command = [sys.executable, "-c", SERVE, str(tmp_path), str(contract.parent.parent)]
        env = {**os.environ, "TMS_HOOK": SECRET}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout
            made = Inbox.__new__(Inbox)
            made.home, made.port = tmp_path, int(running.stdout.readline())
            try:
                yield made
            finally:
                os.kill(running.pid, signal.SIGKILL)

    answered: list[int] = []
    with process() as inbox:

        def sender(start: int) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                for n in range(start, start + 10_000):
                    assert inbox.post("/tms/waybill", b'{"n": %d}' % n)[0] == 202
                    answered.append(n)

        threads = [threading.Thread(target=sender, args=(start,)) for start in (0, 20_000, 40_000)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 10
        while len(answered) < 12 and time.monotonic() < until:
            time.sleep(0.01)
    for thread in threads:
        thread.join(10)

    (hint,) = open_hints(tmp_path)
    assert 12 <= len(answered) <= hint.count <= len(answered) + 3, (
        "at most those under way were kept unanswered"
    )
    with process() as inbox:
        assert {inbox.post("/tms/waybill", b'{"n": %d}' % n)[0] for n in answered} == {200}
        assert inbox.post("/tms/waybill", b'{"n": -1}')[0] == 202
