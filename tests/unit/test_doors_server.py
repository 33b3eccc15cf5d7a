"""The embedded PostgreSQL: made once, closed to strangers, alive again after any death."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from tieout.doors.server import PostgresServer, PostgresServerError, server_account

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    made = PostgresServer(tmp_path_factory.mktemp("cluster") / "postgres")
    made.ensure()
    yield made
    made.remove()


@pytest.fixture
def started(server: PostgresServer) -> Generator[PostgresServer]:
    server.start()
    yield server
    server.stop()


def postmaster(server: PostgresServer) -> int:
    return int((server.cluster / "postmaster.pid").read_text().splitlines()[0])


def test_only_loopback_with_a_password_leads_in(started):
    dsn = started.superuser_dsn()

    with psycopg.connect(dsn) as con:
        assert con.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert con.execute("show unix_socket_directories").fetchone() == ("",)
        assert con.execute("select distinct auth_method from pg_hba_file_rules").fetchall() == [
            ("scram-sha-256",)
        ]
        assert con.execute(
            "select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolcanlogin"
        ).fetchall() == [(True,)]
        closed = con.execute(
            "select has_database_privilege('public', datname, 'connect') from pg_database where datallowconn"
        ).fetchall()
        assert set(closed) == {(False,)}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(dsn, password="guess")


def test_what_is_secret_is_readable_by_its_owner_only(started):
    assert stat.S_IMODE((started.home / "superuser").stat().st_mode) == 0o600
    assert stat.S_IMODE(started.home.stat().st_mode) == 0o700
    assert stat.S_IMODE(started.log_folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in started.log_folder.iterdir()} == {0o600}
    password = (started.home / "superuser").read_text().strip()
    assert password not in repr(started)


def test_every_question_and_every_refusal_is_in_the_log(started):
    with psycopg.connect(started.superuser_dsn(), autocommit=True) as con:
        con.execute("create role curious login password 'x'")
        con.execute("grant connect on database postgres to curious")
        with (
            contextlib.suppress(psycopg.errors.InsufficientPrivilege),
            psycopg.connect(started.superuser_dsn(), user="curious", password="x") as curious,
        ):
            curious.execute("select rolpassword from pg_authid")
        con.execute("drop owned by curious; drop role curious")

    log = "".join(file.read_text() for file in started.log_folder.glob("*.json"))

    asked = [line for line in log.splitlines() if "select rolpassword from pg_authid" in line]
    assert any('"user":"curious"' in line and '"remote_port"' in line for line in asked)
    assert any('"state_code":"42501"' in line for line in asked)


def test_a_server_that_was_killed_starts_again_with_what_it_had(started):
    with psycopg.connect(started.superuser_dsn(), autocommit=True) as con:
        con.execute("create table if not exists kept as select 1 as one")
    port = started.port

    os.kill(postmaster(started), signal.SIGKILL)

    started.start()
    assert started.port == port
    with psycopg.connect(started.superuser_dsn()) as con:
        assert con.execute("select one from kept").fetchone() == (1,)


def test_a_pid_file_that_names_a_stranger_of_the_same_user_does_not_stop_the_start(server):
    account = server_account()
    server.stop()
    stranger = subprocess.Popen(["sleep", "60"], user=account.uid if account else None)
    pid_file = server.cluster / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{server.cluster}\n1\n{server.port}\n\n127.0.0.1\n  1 1\nready   \n")
    try:
        assert not server.is_running()
        assert server.start()
        assert stranger.poll() is None, "the stranger lives on"
    finally:
        stranger.kill()
        stranger.wait()
        server.stop()


def test_a_remembered_port_that_was_taken_is_replaced(server):
    server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", server.port)) as taken, server.running():
        assert server.port != taken.getsockname()[1]
        with psycopg.connect(server.superuser_dsn()) as con:
            assert con.execute("select 1").fetchone() == (1,)


def test_a_fixed_port_that_is_taken_is_an_error_that_says_so(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            PostgresServerError, match=f"Port {port} on 127.0.0.1 is taken by another program"
        ):
            PostgresServer(server.data, port=port).start()


def test_the_server_stays_while_anybody_is_inside_a_block_and_goes_with_the_last(server):
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with PostgresServer(server.data).running():
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=other)
    with server.running():
        thread.start()
        assert inside.wait(20)
    assert server.is_running(), "the other block still needs it"
    leave.set()
    thread.join(20)
    assert not server.is_running()


def test_a_block_leaves_a_server_alone_that_somebody_started_to_stay(server):
    server.start()
    with PostgresServer(server.data).running():
        pass

    assert server.is_running()
    server.stop()


def test_our_environment_does_not_reach_the_server(server, monkeypatch):
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    monkeypatch.setenv("PGDATA", "/nowhere")

    with server.running():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_runs_it_as_nobody_also_below_a_folder_nobody_may_enter(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "postgres")
    try:
        server.ensure()
        assert server.home != server.data
        assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
        again = PostgresServer(closed / "postgres")
        assert again.home == server.home
    finally:
        server.remove()
    assert not server.home.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_a_cluster_elsewhere_is_forgotten_with_the_data_folder_it_belonged_to(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "postgres")
    server.ensure()
    elsewhere, first = server.home, (server.home / "superuser").read_text()
    shutil.rmtree(server.data)
    try:
        server.ensure()

        assert server.home == elsewhere
        assert (server.home / "superuser").read_text() != first
    finally:
        server.remove()
