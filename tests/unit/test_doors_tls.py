"""The TLS front: what it lets through, and that nothing passes in clear text."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import ssl
import stat
import struct
import threading
import time
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from cryptography import x509

from tieout.doors.server import SUPERUSER, PostgresServer
from tieout.doors.tls import (
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    SSL_REQUEST,
    Certificates,
    StartupError,
    TlsFront,
    certificates,
    error_response,
    startup_parameters,
)

NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
STARTUP = struct.pack("!I", 196608)  # protocol 3.0


def expiry(file: Path) -> dt.datetime:
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc


# -- certificates -----------------------------------------------------------------------------------


def test_certificates_are_made_once_for_825_days_with_private_keys(tmp_path):
    files = certificates(tmp_path / "tls", ["sql.example.test", "10.0.0.7"], now=NOW)
    before = files.certificate.read_bytes()

    again = certificates(tmp_path / "tls", ["sql.example.test", "10.0.0.7"], now=NOW + dt.timedelta(days=700))

    assert again == files
    assert again.certificate.read_bytes() == before
    assert expiry(files.certificate) == NOW + dt.timedelta(days=825)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls" / "ca.key").stat().st_mode) == 0o600
    names = (
        x509.load_pem_x509_certificate(before)
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value
    )
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "sql.example.test"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "10.0.0.7"]


def test_a_certificate_near_its_end_is_renewed_by_the_same_authority(tmp_path):
    first = certificates(tmp_path, now=NOW)
    authority, certificate = first.ca.read_bytes(), first.certificate.read_bytes()

    later = certificates(tmp_path, now=NOW + dt.timedelta(days=800))

    assert later.ca.read_bytes() == authority, "clients need not be touched"
    assert later.certificate.read_bytes() != certificate
    assert expiry(later.certificate) == NOW + dt.timedelta(days=800 + 825)


def test_a_new_host_name_or_a_lost_key_makes_a_new_certificate(tmp_path):
    files = certificates(tmp_path, now=NOW)
    first = files.certificate.read_bytes()

    certificates(tmp_path, ["sql.example.test"], now=NOW)
    second = files.certificate.read_bytes()
    files.key.unlink()
    certificates(tmp_path, ["sql.example.test"], now=NOW)

    assert len({first, second, files.certificate.read_bytes()}) == 3


# -- the first message ------------------------------------------------------------------------------


def test_a_startup_message_gives_its_parameters():
    assert startup_parameters(STARTUP + b"user\0li\0database\0tieout\0\0") == {
        "user": "li",
        "database": "tieout",
    }


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("!I", 131072) + b"user\0li\0\0",  # protocol 2
        STARTUP,
        STARTUP + b"user\0li",
        STARTUP + b"user\0\0",
        STARTUP + b"database\0x\0\0",
        STARTUP + b"user\0\xff\0\0",
        STARTUP + b"user\0li\0replication\0true\0\0",
    ],
)
def test_a_strange_startup_message_is_refused(body):
    with pytest.raises(StartupError):
        startup_parameters(body)


def test_an_error_response_has_the_length_it_says():
    message = error_response("28000", "TLS 必需")

    assert message[:1] == b"E"
    assert struct.unpack("!I", message[1:5])[0] == len(message) - 1


# -- with a real server -----------------------------------------------------------------------------


class Open:
    """A server with the front before it, and a login made for the tests."""

    def __init__(self, server: PostgresServer, front: TlsFront, files: Certificates, log: Path) -> None:
        self.server, self.front, self.files, self.log = server, front, files, log
        self.secure = f"sslmode=verify-full sslrootcert={files.ca}"

    def connect(self, options: str | None = None, **more: str) -> psycopg.Connection:
        where = (
            f"host=localhost port={self.front.port} dbname=postgres user=li password=pw connect_timeout=5 "
        )
        return psycopg.connect(where + (options or self.secure), **more)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.front.port), timeout=5)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def ended(self, **fields: str) -> dict:
        """The line of a connection that ended; the front writes it a moment after the client left."""
        for _ in range(100):
            for line in self.lines():
                if line["event"] == "end" and fields.items() <= line.items():
                    return line
            time.sleep(0.05)
        raise AssertionError(self.lines())


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Generator[Open]:
    folder = tmp_path_factory.mktemp("door")
    server = PostgresServer(folder / "postgres")
    files = certificates(folder / "tls")
    try:
        with server.running():
            with psycopg.connect(server.superuser_dsn(), autocommit=True) as con:
                con.execute("create role li login password 'pw'; grant connect on database postgres to li")
            front = TlsFront(("127.0.0.1", server.port), files, log_file=folder / "tls.jsonl")
            with front.running():
                yield Open(server, front, files, folder / "tls.jsonl")
    finally:
        server.remove()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["", " sslnegotiation=direct", " gssencmode=prefer", " host=127.0.0.1"])
def test_a_client_that_checks_the_certificate_gets_in(opened, how):
    with opened.connect(opened.secure + how) as con:
        assert con.execute("select current_user").fetchone() == ("li",)
        assert con.pgconn.ssl_in_use


@pytest.mark.slow
def test_clear_text_is_refused_and_told_why(opened):
    with pytest.raises(psycopg.OperationalError, match="TLS required"):
        opened.connect("sslmode=disable")


@pytest.mark.slow
def test_a_wrong_password_is_refused_by_postgresql_itself(opened):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        opened.connect(password="guess")


@pytest.mark.slow
def test_a_certificate_of_another_authority_is_not_believed(opened, tmp_path):
    other = certificates(tmp_path)

    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        opened.connect(f"sslmode=verify-full sslrootcert={other.ca}")


@pytest.mark.slow
def test_the_owner_is_not_let_in_from_outside(opened):
    password = (opened.server.home / "superuser").read_text().strip()

    with pytest.raises(psycopg.OperationalError, match="is not let in here"):
        opened.connect(user=SUPERUSER, password=password)


@pytest.mark.slow
def test_a_query_can_be_cancelled_through_the_door(opened):
    with opened.connect() as con:
        timer = threading.Timer(0.3, con.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            con.execute("select pg_sleep(20)")
        timer.join()


@pytest.mark.slow
def test_an_old_client_cancels_in_clear_text_and_is_passed_through(opened):
    with opened.connect() as con:
        key = con.pgconn.get_cancel()  # keeps libpq's knowledge of the key; we send the bytes ourselves
        assert key is not None
        with opened.socket() as sock:
            sock.sendall(struct.pack("!IIII", 16, CANCEL_REQUEST, con.info.backend_pid, 0))
            assert sock.recv(1) == b"", "answered by closing, as PostgreSQL does, whether the key fits or not"
        assert con.execute("select 1").fetchone() == (1,), "a wrong key cancels nothing"


@pytest.mark.slow
def test_encryption_by_kerberos_is_declined_and_tls_still_offered(opened):
    with opened.socket() as sock:
        sock.sendall(struct.pack("!II", 8, GSSENC_REQUEST))
        assert sock.recv(1) == b"N"
        sock.sendall(struct.pack("!II", 8, SSL_REQUEST))
        assert sock.recv(1) == b"S"


@pytest.mark.slow
def test_clear_text_smuggled_in_before_the_handshake_is_never_believed(opened):
    with opened.socket() as sock:
        body = STARTUP + b"user\0li\0\0"
        sock.sendall(struct.pack("!II", 8, SSL_REQUEST) + struct.pack("!I", len(body) + 4) + body)
        assert sock.recv(1) == b"S"
        context = ssl.create_default_context(cafile=str(opened.files.ca))
        with pytest.raises(OSError):
            context.wrap_socket(sock, server_hostname="localhost")


@pytest.mark.slow
def test_tls_for_another_protocol_is_not_taken_for_a_database_client(opened):
    context = ssl.create_default_context(cafile=str(opened.files.ca))
    with (
        contextlib.suppress(OSError),
        context.wrap_socket(opened.socket(), server_hostname="localhost") as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(100) == b""


@pytest.mark.slow
def test_a_megabyte_comes_through_unchanged(opened):
    with opened.connect() as con:
        row = con.execute("select repeat('中', 400000), md5(repeat('中', 400000))").fetchone()

    assert row is not None
    assert len(row[0]) == 400000


@pytest.mark.slow
def test_the_log_says_who_came_and_which_line_of_postgresqls_log_is_theirs(opened):
    with opened.connect(application_name="notebook") as con:
        port = con.execute("select inet_client_port()").fetchone()
    with contextlib.suppress(psycopg.OperationalError):
        opened.connect("sslmode=disable")

    visit = opened.ended(application="notebook")
    opened.ended(outcome="refused: clear text")

    assert (visit["user"], visit["application"], visit["outcome"]) == ("li", "notebook", "closed")
    assert (visit["upstream_port"],) == port
    assert visit["client"].startswith("127.0.0.1:")
    assert visit["start"] <= visit["end"]
    assert stat.S_IMODE(opened.log.stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_door_without_a_database_says_so(opened, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()
    front = TlsFront(nobody, opened.files)
    with (
        front.running(),
        pytest.raises(psycopg.OperationalError, match="database behind this door is not running"),
    ):
        opened.connect(opened.secure + f" port={front.port}")


@pytest.mark.slow
def test_closing_the_door_ends_what_is_open_in_bounded_time(opened):
    front = TlsFront(("127.0.0.1", opened.server.port), opened.files)
    with front.running():
        con = opened.connect(opened.secure + f" port={front.port}")
        began = time.monotonic()
    took = time.monotonic() - began

    assert took < 3
    with pytest.raises(psycopg.OperationalError):
        con.execute("select 1")


@pytest.mark.slow
def test_a_full_door_says_so(opened):
    front = TlsFront(("127.0.0.1", opened.server.port), opened.files, limit=1)
    with front.running():
        here = opened.secure + f" port={front.port}"
        with opened.connect(here), pytest.raises(psycopg.OperationalError, match="The door is full"):
            opened.connect(here)
